import type { ReactNode } from "react";
import { useMe } from "../../session/me.js";
import { Facts, Panel } from "../../ui/Page.js";
import { ApiKeys } from "./ApiKeys.js";
import { Password } from "./Password.js";
import { SecondFactor } from "./SecondFactor.js";
import { Sessions } from "./Sessions.js";

/** One's own account. */
export function AccountTab(): ReactNode {
  const { username, role } = useMe();
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      <Panel title="You">
        <Facts
          rows={[
            ["Name", username],
            ["Role", role],
          ]}
        />
      </Panel>
      <SecondFactor />
      <Password />
      <Sessions />
      <div className="min-w-0 xl:col-span-2">
        <ApiKeys />
      </div>
    </div>
  );
}

import type { ReactNode } from "react";
import { useMe } from "../../session/me.js";
import { ForbiddenState } from "../../ui/States.js";
import { Credentials } from "./Credentials.js";
import { MyTokens } from "./MyTokens.js";
import { Secrets } from "./Secrets.js";

/** What runs log in and clone with. Nobody is ever shown a value. */
export function SecretsTab(): ReactNode {
  const { role } = useMe();
  return (
    <div className="flex flex-col gap-4">
      <Credentials />
      {role !== "viewer" && <MyTokens />}
      {role === "administrator" ? (
        <Secrets />
      ) : (
        <ForbiddenState title="Your role may not see the secrets of the deployment">
          This needs the role administrator; yours is {role}.
        </ForbiddenState>
      )}
    </div>
  );
}

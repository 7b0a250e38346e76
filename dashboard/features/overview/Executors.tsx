import type { ReactNode } from "react";
import { PRESENCE_LOOK } from "../../lib/stateLook.js";
import { formatWord } from "../../lib/format.js";
import { Badge, LookBadge } from "../../ui/Badge.js";
import { Meter } from "../../ui/Meter.js";
import { Panel } from "../../ui/Page.js";
import { useExecutors } from "./overview.js";

/** Each executor that is not revoked, with its slots. */
export function Executors(): ReactNode {
  const executors = useExecutors()?.filter(({ revoked }) => !revoked);
  if (executors === undefined || executors.length === 0) return null;
  return (
    <Panel title="Executors">
      <ul className="m-0 flex list-none flex-wrap gap-x-8 gap-y-3 p-0">
        {executors.map(({ executorId, name, presence, slots, freeSlots, draining, unhealthy }) => (
          <li key={executorId} className="flex flex-wrap items-center gap-2.5">
            <span className="font-medium">{name}</span>
            <LookBadge look={PRESENCE_LOOK[presence]} />
            {draining && <Badge tone="warn">Draining</Badge>}
            {unhealthy !== null && <Badge tone="bad">{formatWord(unhealthy.reason)}</Badge>}
            {presence === "online" && (
              <Meter name="Slots in use" used={Math.max(0, slots - freeSlots)} all={slots} />
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

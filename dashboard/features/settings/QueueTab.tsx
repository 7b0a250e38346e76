import type { ReactNode } from "react";
import { Loading } from "../../ui/States.js";
import { EmergencyPanel } from "./EmergencyPanel.js";
import { GatesPanel } from "./GatesPanel.js";
import { LimitsPanel } from "./LimitsPanel.js";
import { PausePanel } from "./PausePanel.js";
import { useQueueStatus, useStop } from "./queue.js";

/** Whether the queue gives work out, how much at once, and the big red button. */
export function QueueTab(): ReactNode {
  const status = useQueueStatus();
  const stop = useStop();
  if (status === undefined || stop === undefined) return <Loading what="the queue" />;
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      <PausePanel paused={status.paused} />
      <EmergencyPanel stop={stop} />
      <LimitsPanel key={JSON.stringify(status.limits)} limits={status.limits} />
      <GatesPanel gates={status.gates} />
    </div>
  );
}

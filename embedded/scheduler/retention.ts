/** Deletes finished scheduled functions after their time, a bounded batch at once. */
import type { Alarm } from "../control.js";
import { schedulerLimits } from "./limits.js";
import { pruneFinished, type SchedulerPorts } from "./scheduled.js";

/** Starts the sweep; the answer ends it. */
export function keepRetention(ports: SchedulerPorts): () => void {
  let alarm: Alarm | null = null;
  let isStopped = false;
  const plan = (delayMs: number) => {
    if (isStopped) return;
    alarm = ports.clock.alarm(ports.clock.nowMs() + delayMs, () => {
      sweep().catch((error: unknown) => {
        ports.log("retention.fault", { error });
        plan(schedulerLimits.retentionEveryMs);
      });
    });
  };
  const sweep = async () => {
    const cutoffMs = ports.clock.nowMs() - schedulerLimits.retentionMs;
    const { value: removed } = await ports.engine.transact((tx) => pruneFinished(tx, cutoffMs));
    // A full batch means that there may be more: go on at once, in a transaction of its own.
    plan(removed === schedulerLimits.retentionBatch ? 0 : schedulerLimits.retentionEveryMs);
  };
  plan(0);
  return () => {
    isStopped = true;
    alarm?.cancel();
  };
}

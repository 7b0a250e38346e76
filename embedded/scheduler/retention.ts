/** Deletes, after their time, finished scheduled functions and answers kept for resent mutations. */
import type { Alarm } from "../control.js";
import type { Transaction } from "../engine/transaction.js";
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
    const nowMs = ports.clock.nowMs();
    const { retentionMs, answerRetentionMs, retentionBatch, retentionEveryMs } = schedulerLimits;
    const { value: removed } = await ports.engine.transact((tx) => [
      pruneFinished(tx, nowMs - retentionMs),
      pruneAnswers(tx, nowMs - answerRetentionMs),
    ]);
    // A full batch means that there may be more: go on at once, in a transaction of its own.
    plan(removed.includes(retentionBatch) ? 0 : retentionEveryMs);
  };
  plan(0);
  return () => {
    isStopped = true;
    alarm?.cancel();
  };
}

/** Deletes a batch of answers that no client will ask for again; answers how many. */
function pruneAnswers(tx: Transaction, cutoffMs: number): number {
  const range = [{ type: "Lt", fieldPath: "_creationTime", value: cutoffMs }] as const;
  const old: string[] = [];
  for (const row of tx.scan("_session_requests", { range })) {
    if (old.length >= schedulerLimits.retentionBatch) break;
    old.push(row._id);
  }
  for (const id of old) tx.remove("_session_requests", id);
  return old.length;
}

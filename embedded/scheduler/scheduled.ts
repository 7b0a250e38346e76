/**
 * Runs scheduled functions when they are due.
 *
 * Written here: `_scheduled_functions` rows from `pending` on (functions insert and cancel them).
 * A mutation's row turns `success` in the mutation's own transaction, so it happens exactly once. An
 * action's row turns `inProgress` before the action starts; one found so at start-up was cut off by a
 * crash and is failed, never run again. `nextTs` stays on the row while it is `inProgress`.
 */
import { convexToJson, type Value } from "convex/values";
import type { Alarm, TimedClock } from "../control.js";
import type { Engine } from "../engine/engine.js";
import type { Document, Transaction } from "../engine/transaction.js";
import type { Runner } from "../functions/runner.js";
import type { FunctionCall } from "../functions/types.js";
import type { EventLog } from "../http/eventLog.js";
import { asSystem, scheduledCall } from "./calls.js";
import { StoreFailure } from "../store/store.js";
import { schedulerLimits } from "./limits.js";

const TABLE = "_scheduled_functions";
const DUE_INDEX = "by_next_ts";
/** Rows that have nothing left to do carry no nextTs and sort before null. */
const HAS_NEXT = [{ type: "Gt", fieldPath: "nextTs", value: null }] as const;

export type SchedulerPorts = {
  engine: Engine;
  runner: Runner;
  clock: TimedClock;
  log: EventLog;
};

type Job = { id: string; call: FunctionCall; attempts: number };
type Finish = { kind: "success" } | { kind: "failed"; error: string };

export class ScheduledFunctions {
  readonly #ports: SchedulerPorts;
  readonly #running = new Set<string>();
  readonly #mutationsRunning = new Set<Promise<void>>();
  #alarm: Alarm | null = null;
  #unlisten: (() => void) | null = null;
  #isStopped = false;
  readonly #idleWaiters = new Set<() => void>();

  constructor(ports: SchedulerPorts) {
    this.#ports = ports;
  }

  /** Fails the actions a crash cut off, then runs what is due, for as long as the process lives. */
  async start(): Promise<void> {
    await this.#failInterrupted();
    this.#unlisten = this.#ports.engine.onTableCommit(TABLE, () => {
      this.#wake();
    });
    this.#wake();
  }

  /** Starts nothing more; resolves when running mutations have ended. Actions are left to the crash rule. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unlisten?.();
    this.#alarm?.cancel();
    await Promise.all(this.#mutationsRunning);
  }

  /** Resolves when nothing is due and nothing runs. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#idleWaiters.add(resolve);
    });
  }

  #isIdle(): boolean {
    if (this.#running.size > 0) return false;
    const next = this.#peek(1)[0];
    return next === undefined || nextTsOf(next) > this.#ports.clock.nowMs();
  }

  /** The rows with something to do, earliest first. */
  #peek(limit: number): Document[] {
    const tx = this.#ports.engine.begin();
    try {
      return take(tx.scan(TABLE, { index: DUE_INDEX, range: HAS_NEXT }), limit);
    } finally {
      tx.abort();
    }
  }

  /** Called from alarms and commits, where nobody would hear an error. */
  #wake(): void {
    if (this.#isStopped) return;
    try {
      this.#startDue();
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      // Nothing can be read or written until the next start, which finds everything in its place.
      this.#isStopped = true;
      this.#ports.log("scheduler.fault", { error });
    }
  }

  #startDue(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    const { clock } = this.#ports;
    // Running rows may still be among the first, so as many more are looked at.
    for (const row of this.#peek(2 * schedulerLimits.runningMax)) {
      if (this.#running.has(row._id)) continue;
      if (this.#running.size >= schedulerLimits.runningMax) return;
      const dueMs = nextTsOf(row);
      if (dueMs > clock.nowMs()) {
        this.#alarm = clock.alarm(dueMs, () => {
          this.#wake();
        });
        break;
      }
      this.#begin(toJob(row));
    }
    if (this.#isIdle()) this.#tellIdle();
  }

  #tellIdle(): void {
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters.clear();
  }

  #begin(job: Job): void {
    const type = this.#ports.runner.udfTypeOf(asSystem(job.call));
    const run = this.#runAs(type, job)
      .catch((error: unknown) => this.#postpone(job, error))
      .then(
        () => {
          this.#running.delete(job.id);
        },
        (error: unknown) => {
          // The store cannot be written. The row is unchanged; it stays listed as running, so that it
          // is not tried again and again, and runs after a restart.
          this.#ports.log("scheduler.fault", { job: job.id, error });
        },
      )
      .finally(() => {
        this.#mutationsRunning.delete(run);
        this.#wake();
      });
    this.#running.add(job.id);
    if (type === "Mutation") this.#mutationsRunning.add(run);
  }

  async #runAs(type: ReturnType<Runner["udfTypeOf"]>, job: Job): Promise<void> {
    switch (type) {
      case "Mutation":
        await this.#runMutation(job);
        return;
      case "Action":
        await this.#runAction(job);
        return;
      case "Query":
      case "HttpAction":
        await this.#finish(job.id, {
          kind: "failed",
          error: `Only mutations and actions can be scheduled, and ${job.call.path} is neither`,
        });
        return;
      case null:
        await this.#finish(job.id, {
          kind: "failed",
          error: `Could not find function for '${job.call.path}'`,
        });
        return;
    }
  }

  async #runMutation(job: Job): Promise<void> {
    const { clock, runner } = this.#ports;
    const outcome = await runner.runMutationWith(job.call, {
      scheduledFunctionId: job.id,
      isRetriedForever: true,
      beforeRun: (tx) => isPending(tx.get(TABLE, job.id)),
      beforeCommit: (tx) => {
        // The function may have canceled itself; then it stays canceled.
        if (isPending(tx.get(TABLE, job.id))) {
          tx.patch(TABLE, job.id, finished({ kind: "success" }, clock.nowMs()));
        }
      },
    });
    if (outcome.ok === false) {
      await this.#finish(job.id, { kind: "failed", error: outcome.error.message });
    }
  }

  async #runAction(job: Job): Promise<void> {
    const { engine, runner } = this.#ports;
    const { value: isOurs } = await engine.transact((tx) => {
      if (!isPending(tx.get(TABLE, job.id))) return false;
      tx.patch(TABLE, job.id, { state: { kind: "inProgress" } });
      return true;
    });
    if (!isOurs) return;
    let finish: Finish;
    try {
      const outcome = await runner.scheduledAction(job.call, job.id);
      finish = outcome.ok ? { kind: "success" } : { kind: "failed", error: outcome.error.message };
    } catch (error) {
      // It may have acted already: at most once means that it is not tried again.
      this.#ports.log("scheduler.actionFault", { job: job.id, error });
      finish = { kind: "failed", error: INTERRUPTED };
    }
    await this.#finish(job.id, finish);
  }

  async #finish(id: string, finish: Finish): Promise<void> {
    const { engine, clock } = this.#ports;
    await engine.transact((tx) => {
      const row = tx.get(TABLE, id);
      if (isPending(row) || isInProgress(row)) {
        tx.patch(TABLE, id, finished(finish, clock.nowMs()));
      }
    });
  }

  /** Something other than the function failed before anything was committed: try again later. */
  async #postpone(job: Job, error: unknown): Promise<void> {
    this.#ports.log("scheduler.postponed", { job: job.id, attempts: job.attempts + 1, error });
    const { faultBackoffMinMs, faultBackoffMaxMs } = schedulerLimits;
    const delayMs = Math.min(faultBackoffMinMs * 2 ** job.attempts, faultBackoffMaxMs);
    await this.#ports.engine.transact((tx) => {
      if (!isPending(tx.get(TABLE, job.id))) return;
      tx.patch(TABLE, job.id, {
        attempts: job.attempts + 1,
        nextTs: this.#ports.clock.nowMs() + delayMs,
      });
    });
  }

  async #failInterrupted(): Promise<void> {
    const { engine, clock } = this.#ports;
    await engine.transact((tx) => {
      const interrupted = [...tx.scan(TABLE, { index: DUE_INDEX, range: HAS_NEXT })].filter(
        isInProgress,
      );
      for (const row of interrupted) {
        const failed: Finish = { kind: "failed", error: INTERRUPTED };
        tx.patch(TABLE, row._id, finished(failed, clock.nowMs()));
      }
    });
  }
}

const INTERRUPTED = "Transient error while executing action";

/** Deletes a batch of rows that finished before `cutoffMs`; answers how many. */
export function pruneFinished(tx: Transaction, cutoffMs: number): number {
  const old = tx.scan(TABLE, {
    index: "by_completed_time",
    range: [
      { type: "Gt", fieldPath: "completedTime", value: null },
      { type: "Lt", fieldPath: "completedTime", value: cutoffMs },
    ],
  });
  const batch = take(old, schedulerLimits.retentionBatch);
  for (const row of batch) tx.remove(TABLE, row._id);
  return batch.length;
}

const finished = (state: Finish, completedTime: number): Record<string, Value | undefined> => ({
  state,
  completedTime,
  nextTs: undefined,
});

function stateKind(row: Document | null): string | null {
  const state = row?.["state"];
  if (typeof state !== "object" || state === null || !("kind" in state)) return null;
  const { kind } = state;
  return typeof kind === "string" ? kind : null;
}

const isPending = (row: Document | null): boolean => stateKind(row) === "pending";
const isInProgress = (row: Document | null): boolean => stateKind(row) === "inProgress";

function nextTsOf(row: Document): number {
  const nextTs = row["nextTs"];
  if (typeof nextTs !== "number") throw new Error(`scheduled function ${row._id} has no nextTs`);
  return nextTs;
}

function toJob(row: Document): Job {
  const { name, args, attempts } = row;
  // Where the function lives; by default in the component that scheduled it.
  const componentPath = row["targetComponentPath"] ?? row["componentPath"];
  if (typeof name !== "string" || !Array.isArray(args)) {
    throw new Error(`scheduled function ${row._id} is malformed`);
  }
  return {
    id: row._id,
    attempts: typeof attempts === "number" ? attempts : 0,
    call: scheduledCall({
      componentPath: typeof componentPath === "string" ? componentPath : "",
      path: name,
      args: convexToJson(args[0] ?? {}),
    }),
  };
}

function take<T>(items: Iterable<T>, limit: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length >= limit) break;
    taken.push(item);
  }
  return taken;
}

import type { JobState, JobStateKind } from "../protocol/job.js";
import { JOB_STATE_KINDS } from "../protocol/job.js";

/**
 * The life of a job: one table, states × events. Two states have rows more. A running job that was
 * asked to cancel is in the row `canceling`: whatever its attempt still reports, it ends canceled. A
 * job that waits for approval is in the row `held`: no clock and no other job lets it go. One whose
 * run asks a person is in the row `asking`: only an answer, of a person or of its deadline, lets it go.
 */
export const ROWS = [...JOB_STATE_KINDS, "held", "asking", "canceling"] as const;
export type Row = JobStateKind | "held" | "asking" | "canceling";

export const EVENT_KINDS = [
  /** The dispatcher gave it a slot. */
  "assign",
  /** The executor began. */
  "start",
  /** The executor reached the next phase. */
  "phase",
  /** It goes on from a checkpoint of an earlier attempt. */
  "resume",
  /** A checkpoint was there and could not be used. */
  "startOver",
  "succeed",
  /** The attempt failed, or ran out of time. */
  "fail",
  /** The executor gave the attempt up without fault of the job. */
  "interrupt",
  /** The backend took the attempt back. */
  "expire",
  /** A person had the run end early; what it did is kept. */
  "stop",
  /** The run waits for a person's word on a call: the attempt ends, its slot is free. */
  "ask",
  /** A person answered, or the time for it is over. */
  "answer",
  /** What it waited for is there: the end of a backoff, its time, its dependencies, room for its key. */
  "wake",
  /** The dispatcher met a rule that keeps the job from running: it leaves the queue. */
  "park",
  /** It must not run before a person releases it. */
  "hold",
  "release",
  /** A person puts it off until a time. */
  "snooze",
  /** A person sends it back to the queue: from an executor, or before its time. */
  "requeue",
  /** A person asked to cancel. */
  "cancel",
  /** The executor, or its deadline, reports that a canceled attempt has ended. */
  "canceled",
  /** A person asked for another go. */
  "retry",
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * Where a cell leads. `decide` is retry.decide's choice: pending (waiting, where it needs a credential
 * and none may be used), backoff or failed. `admit` is
 * waiting.admit's: pending, or waiting for the first rule that keeps it from running.
 */
export type Target = Row | "decide" | "admit";

/** The rows a target may turn out to be. */
export function rowsOf(target: Target): readonly Row[] {
  if (target === "decide") return ["pending", "waiting", "backoff", "failed"];
  return target === "admit" ? ["pending", "waiting"] : [target];
}

/** What a cell does: move (`ends`: the attempt ends with it), keep all as it is, or refuse. */
export type Cell = { to: Target; ends: boolean } | "keep" | "refuse";

const move = (to: Target): Cell => ({ to, ends: false });
const end = (to: Target): Cell => ({ to, ends: true });

const refuseAll: Record<EventKind, Cell> = {
  assign: "refuse",
  start: "refuse",
  phase: "refuse",
  resume: "refuse",
  startOver: "refuse",
  succeed: "refuse",
  fail: "refuse",
  interrupt: "refuse",
  expire: "refuse",
  stop: "refuse",
  ask: "refuse",
  answer: "refuse",
  wake: "refuse",
  park: "refuse",
  hold: "refuse",
  release: "refuse",
  snooze: "refuse",
  requeue: "refuse",
  cancel: "refuse",
  canceled: "refuse",
  retry: "refuse",
};

export const TABLE: Record<Row, Record<EventKind, Cell>> = {
  pending: {
    ...refuseAll,
    assign: move("assigned"),
    park: move("waiting"),
    hold: move("held"),
    snooze: move("waiting"),
    requeue: "keep",
    cancel: move("canceled"),
  },
  waiting: {
    ...refuseAll,
    wake: move("admit"),
    hold: move("held"),
    snooze: move("waiting"),
    requeue: move("admit"),
    cancel: move("canceled"),
  },
  held: { ...refuseAll, hold: "keep", release: move("admit"), cancel: move("canceled") },
  asking: { ...refuseAll, answer: move("admit"), cancel: move("canceled") },
  assigned: {
    ...refuseAll,
    start: move("running"),
    fail: end("decide"),
    interrupt: end("decide"),
    expire: end("decide"),
    requeue: end("decide"),
    // Nothing runs before start was accepted, so there is nothing to wait for.
    cancel: end("canceled"),
  },
  running: {
    ...refuseAll,
    phase: move("running"),
    resume: move("running"),
    startOver: move("running"),
    succeed: end("succeeded"),
    fail: end("decide"),
    interrupt: end("decide"),
    expire: end("decide"),
    stop: end("canceled"),
    ask: end("asking"),
    requeue: end("decide"),
    cancel: move("canceling"),
  },
  canceling: {
    ...refuseAll,
    phase: move("canceling"),
    resume: move("canceling"),
    startOver: move("canceling"),
    succeed: end("canceled"),
    fail: end("canceled"),
    interrupt: end("canceled"),
    expire: end("canceled"),
    stop: end("canceled"),
    ask: end("canceled"),
    cancel: "keep",
    canceled: end("canceled"),
  },
  backoff: {
    ...refuseAll,
    wake: move("admit"),
    hold: move("held"),
    snooze: move("waiting"),
    requeue: move("admit"),
    cancel: move("canceled"),
  },
  succeeded: refuseAll,
  failed: { ...refuseAll, retry: move("admit") },
  canceled: { ...refuseAll, cancel: "keep", retry: move("admit") },
};

/** What an event does to a job in this row. */
export function step(row: Row, event: EventKind): Cell {
  return TABLE[row][event];
}

/** The row a job is in. */
export function rowOf(state: JobState, isCancelRequested: boolean): Row {
  if (state.kind === "running" && isCancelRequested) return "canceling";
  if (state.kind !== "waiting") return state.kind;
  if (isAsking(state)) return "asking";
  return state.reason === "approval" ? "held" : "waiting";
}

/** Whether the job holds a slot of an executor. */
export function isHeld(state: JobState): state is Extract<JobState, { executorId: unknown }> {
  return state.kind === "assigned" || state.kind === "running";
}

/** Whether the job waits for a person's answer to its run. */
export function isAsking(state: JobState): boolean {
  return state.kind === "waiting" && state.reason === "answer";
}

export function isTerminal(kind: Row): boolean {
  return kind === "succeeded" || kind === "failed" || kind === "canceled";
}

/** The table as a Mermaid state diagram; convex/README.md holds it between markers. */
export function diagram(): string {
  const lines = ["stateDiagram-v2"];
  for (const row of ["pending", "assigned", "waiting", "held"])
    lines.push(`  [*] --> ${row}: submit`);
  for (const row of ROWS) {
    const byTarget = new Map<Row, EventKind[]>();
    for (const event of EVENT_KINDS) {
      const cell = step(row, event);
      if (cell === "refuse" || cell === "keep") continue;
      for (const to of rowsOf(cell.to)) byTarget.set(to, [...(byTarget.get(to) ?? []), event]);
    }
    for (const [to, events] of byTarget) lines.push(`  ${row} --> ${to}: ${events.join(", ")}`);
  }
  for (const row of ROWS) if (isTerminal(row)) lines.push(`  ${row} --> [*]`);
  return lines.join("\n");
}

import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Lease from "../domain/lease.js";
import type { Row } from "../domain/lifecycle.js";
import type { Resumption } from "../protocol/checkpoint.js";
import type { AttemptReport, FailureReason, JobState, Phase, WaitReason } from "../protocol/job.js";

import * as Attempts from "./attempts.js";
import type { Taken } from "./slots.js";

/**
 * What becomes of the slot of an attempt that ends: free again; owed until the executor no longer
 * names the attempt; or gone with its executor.
 */
export type SlotAfter = "free" | "owed" | "gone";

/** What happens to a job, with what the event brings along. */
export type JobEvent =
  | ({ kind: "assign"; means?: Attempts.Means } & Taken)
  | Plain<"start" | "wake" | "cancel" | "retry" | "hold" | "release" | "requeue" | "answer">
  | { kind: "snooze"; until: number }
  | ({ kind: "park" } & Parking)
  | { kind: "phase"; phase: Phase; commit?: string; spawnedAt?: number }
  | { kind: "resume" | "startOver"; message: string; resumption: Resumption }
  | { kind: "succeed" | "stop"; report: AttemptReport }
  | { kind: "ask"; message: string; until: number; report: AttemptReport }
  | Ending<"fail">
  | Ending<"interrupt">
  | Ending<"expire">
  | { kind: "canceled"; slot: SlotAfter; report?: AttemptReport };
/** One type for each kind, so that a kind can be told from the others. */
type Plain<Kind> = Kind extends string ? { kind: Kind; message?: string } : never;
type Ending<Kind> = {
  kind: Kind;
  reason: FailureReason;
  slot: SlotAfter;
  message?: string;
  report?: AttemptReport;
  /** Where the job waits when its reason parks it; absent: it need not wait. */
  parking?: Parking;
};
/** A gate to wait at, why, and when it opens, where that is known. */
export type Parking = { reason: WaitReason; gate: string; until?: number };

const OTHER = ["succeed", "stop", "ask", "fail", "interrupt", "expire", "canceled"] as const;
const ENDING = [...OTHER, "cancel", "requeue"] as const;
/** Events with which an attempt may end. */
export type EndEvent = Extract<JobEvent, { kind: (typeof ENDING)[number] }>;
/** Events that may leave the attempt, if there is one, as it is. */
export type StepEvent = Exclude<JobEvent, { kind: (typeof OTHER)[number] }>;

export function mayEnd(event: JobEvent): event is EndEvent {
  return ENDING.some((kind) => kind === event.kind);
}
export function mayStep(event: JobEvent): event is StepEvent {
  return !OTHER.some((kind) => kind === event.kind);
}

/** An event and who caused it, for the timeline. */
export type Happening = { event: JobEvent; actor: string };

type Optional =
  | "readyTs"
  | "deadlineAt"
  | "cancelRequestedAt"
  | "slot"
  | "held"
  | "live"
  | "gate"
  | "runAt"
  | "unmet"
  | "commit";
/** As ctx.db.patch takes it: undefined removes an optional field. */
export type Patch = Partial<Omit<Doc<"jobs">, "_id" | "_creationTime" | Optional>> & {
  [Field in Optional]?: Doc<"jobs">[Field] | undefined;
};
export type Next = { to: Row; patch: Patch; reason?: FailureReason };

/** Fields that mean nothing to a job which neither an executor holds nor a line contains. */
export const atRest = {
  readyTs: undefined,
  deadlineAt: undefined,
  cancelRequestedAt: undefined,
  slot: undefined,
  held: undefined,
  live: undefined,
  gate: undefined,
} as const;

/** Into the queue, at this place of the fair order. */
export function pending(ctx: MutationCtx, rank: number) {
  const state: JobState = { kind: "pending" };
  return { ...atRest, state, rank, readyTs: ctx.db.vars.commitTs };
}

/** To the executor whose slot was taken for it. */
export function assigned(
  job: Pick<Doc<"jobs">, "attempt" | "token">,
  { executorId, ordinal, means }: Taken & { means?: Attempts.Means },
  at: number,
) {
  const state: JobState = { kind: "assigned", executorId, assignedAt: at };
  return {
    state,
    attempt: job.attempt + 1,
    token: job.token + 1,
    deadlineAt: Lease.startDeadline(at),
    slot: ordinal,
    held: true,
    live: Attempts.opened(means),
    readyTs: undefined,
  } as const;
}

/** Out of the queue until the end of a rule: a time, a gate with room, or an event. */
export function waiting(
  ctx: MutationCtx,
  rule: { reason: WaitReason; since: number; until?: number; gate?: string },
) {
  const { gate, ...named } = rule;
  const state: JobState = { kind: "waiting", ...named };
  return {
    ...atRest,
    state,
    // Who waits at a gate is let in by whoever opens it.
    ...(rule.until === undefined || gate !== undefined ? {} : { deadlineAt: rule.until }),
    ...(gate === undefined ? {} : { gate, readyTs: ctx.db.vars.commitTs }),
  };
}

import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Lease from "../domain/lease.js";
import {
  type EventKind,
  isHeld,
  isTerminal,
  type Row,
  rowOf,
  step,
  type Target,
} from "../domain/lifecycle.js";
import * as Retry from "../domain/retry.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { AttemptReport, FailureReason, JobState, Phase } from "../protocol/job.js";
import type { AttemptEnd } from "../protocol/view.js";
import * as Attempts from "./attempts.js";
import * as Dispatcher from "./dispatcher.js";
import * as Leases from "./leases.js";
import * as Slots from "./slots.js";
import * as Timer from "./timer.js";

/**
 * What becomes of the slot of an attempt that ends: free again; owed until the executor no longer
 * names the attempt; or gone with its executor.
 */
export type SlotAfter = "free" | "owed" | "gone";

/** What happens to a job, with what the event brings along. */
export type JobEvent =
  | { kind: "assign"; executorId: Id<"executors">; ordinal: number }
  | { kind: "start" | "wake" | "cancel" | "retry" }
  | { kind: "phase"; phase: Phase; commit?: string; spawnedAt?: number }
  | { kind: "succeed"; report: AttemptReport }
  | Ending<"fail">
  | Ending<"interrupt">
  | Ending<"expire">
  | { kind: "canceled"; slot: SlotAfter; report?: AttemptReport };
type Ending<Kind> = {
  kind: Kind;
  reason: FailureReason;
  slot: SlotAfter;
  message?: string;
  report?: AttemptReport;
};

/** An event and who caused it, for the timeline. */
export type Happening = { event: JobEvent; actor: string };

type Optional = "readyTs" | "deadlineAt" | "cancelRequestedAt" | "slot";
/** As ctx.db.patch takes it: undefined removes an optional field. */
type Patch = Partial<Omit<Doc<"jobs">, "_id" | "_creationTime" | Optional>> & {
  [Field in Optional]?: Doc<"jobs">[Field] | undefined;
};
type Next = { to: Row; patch: Patch; reason?: FailureReason };

/**
 * The only writer of a job's state. Looks the event up in the table, changes the job, its attempt and
 * its slot, appends the event row, wakes the dispatcher and arms the timer: one transaction. Throws
 * ILLEGAL_TRANSITION where the table refuses. Hands out the state afterwards.
 */
export async function apply(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, actor }: Happening,
): Promise<JobState> {
  const row = rowOf(job.state, job.cancelRequestedAt !== undefined);
  const cell = step(row, event.kind);
  if (cell === "keep") return job.state;
  if (cell === "refuse") throw refusal(job, row, event.kind);
  const at = Clock.now();
  const next = cell.ends
    ? await endAttempt(ctx, job, { event, to: cell.to, at })
    : await advance(ctx, job, { event, to: cell.to, at });
  const patch: Patch = { ...next.patch, events: job.events + 1 };
  await ctx.db.patch("jobs", job._id, patch);
  await record(ctx, { job, patch, row, next, event, actor, at });
  if (next.to === "pending") await Dispatcher.notify(ctx, "job");
  if (patch.deadlineAt !== undefined) await Timer.arm(ctx, patch.deadlineAt);
  return patch.state ?? job.state;
}

type Step = { event: JobEvent; to: Target; at: number };

/** Events that leave the attempt, if there is one, running. */
async function advance(ctx: MutationCtx, job: Doc<"jobs">, { event, to, at }: Step): Promise<Next> {
  switch (event.kind) {
    case "assign":
      return assign(ctx, job, { event, at });
    case "start":
      return start(ctx, job, at);
    case "phase":
      return phase(ctx, job, { event, at });
    case "cancel":
      return to === "canceling"
        ? {
            to,
            patch: { cancelRequestedAt: at, deadlineAt: Lease.cancelDeadline(at, job.deadlineAt) },
          }
        : { to: "canceled", patch: { ...atRest, state: { kind: "canceled", endedAt: at } } };
    case "wake":
      return { to: "pending", patch: pending(ctx) };
    case "retry":
      return {
        to: "pending",
        patch: { ...pending(ctx), charged: 0, interruptions: 0, failures: [] },
      };
    case "succeed":
    case "fail":
    case "interrupt":
    case "expire":
    case "canceled":
      throw new Error(`The table lets ${event.kind} go by without ending the attempt`);
  }
}

async function assign(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, at }: { event: Extract<JobEvent, { kind: "assign" }>; at: number },
): Promise<Next> {
  const { executorId } = event;
  const attempt = job.attempt + 1;
  const token = job.token + 1;
  await Attempts.open(ctx, job, { attempt, token, executorId, at });
  const state: JobState = { kind: "assigned", executorId, assignedAt: at };
  const deadlineAt = Lease.startDeadline(at);
  const patch = { state, attempt, token, deadlineAt, slot: event.ordinal, readyTs: undefined };
  return { to: "assigned", patch };
}

async function start(ctx: MutationCtx, job: Doc<"jobs">, at: number): Promise<Next> {
  if (!isHeld(job.state)) throw new Error("Only an assigned job can start");
  await Attempts.enter(ctx, job, { phase: "cloning", at });
  const { executorId, assignedAt } = job.state;
  const state: JobState = {
    kind: "running",
    executorId,
    assignedAt,
    startedAt: at,
    phase: "cloning",
  };
  const deadlineAt = Lease.attemptDeadline(at, job.spec.limits.timeoutMs);
  return { to: "running", patch: { state, deadlineAt } };
}

async function phase(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, at }: { event: Extract<JobEvent, { kind: "phase" }>; at: number },
): Promise<Next> {
  if (job.state.kind !== "running") throw new Error("Only a running job has phases");
  await Attempts.enter(ctx, job, { ...event, at });
  const to = job.cancelRequestedAt === undefined ? "running" : "canceling";
  return { to, patch: { state: { ...job.state, phase: event.phase } } };
}

/** Events that end the attempt: charge it, close its record, settle its slot, decide what is next. */
async function endAttempt(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, to, at }: Step,
): Promise<Next> {
  const ending = endingOf(event, to === "canceled");
  const policy = ending.reason === undefined ? undefined : Retry.POLICIES[ending.reason];
  const isCharged = to === "decide" && policy !== undefined ? policy.charged : to === "succeeded";
  const { report } = ending;
  await Attempts.close(ctx, job, {
    end: {
      at,
      kind: ending.kind,
      charged: isCharged,
      ...(ending.reason === undefined ? {} : { reason: ending.reason }),
      ...(ending.message === undefined ? {} : { message: ending.message }),
    },
    ...(report === undefined ? {} : { report }),
    finishedByExecutor: ending.isByExecutor,
  });
  await settleSlot(ctx, job, ending.slot);
  const token = job.token + 1;
  if (to !== "decide" || ending.reason === undefined) {
    const kind = to === "succeeded" ? "succeeded" : "canceled";
    const charged = job.charged + (isCharged ? 1 : 0);
    return { to: kind, patch: { ...atRest, token, charged, state: { kind, endedAt: at } } };
  }
  return decide(ctx, job, { reason: ending.reason, isCharged, token, at });
}

function decide(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  ended: { reason: FailureReason; isCharged: boolean; token: number; at: number },
): Next {
  const { reason, isCharged, token, at } = ended;
  const { failures, occurrences } = Retry.count(job.failures, reason);
  const charged = job.charged + (isCharged ? 1 : 0);
  const interruptions = job.interruptions + (isCharged ? 0 : 1);
  const decision = Retry.decide({
    reason,
    occurrences,
    charged,
    interruptions,
    attemptsMax: job.attemptsMax,
    jitter: Math.random(),
  });
  const counted = { failures, charged, interruptions, token };
  switch (decision.kind) {
    case "pending":
      return { to: "pending", reason, patch: { ...pending(ctx), ...counted } };
    case "backoff": {
      const runAt = at + decision.delayMs;
      const state: JobState = { kind: "backoff", runAt, reason };
      return { to: "backoff", reason, patch: { ...atRest, ...counted, state, deadlineAt: runAt } };
    }
    case "failed": {
      const state: JobState = { kind: "failed", endedAt: at, reason: decision.reason };
      return { to: "failed", reason: decision.reason, patch: { ...atRest, ...counted, state } };
    }
  }
}

type EndingOf = {
  kind: AttemptEnd["kind"];
  slot: SlotAfter;
  isByExecutor: boolean;
  reason?: FailureReason;
  message?: string;
  report?: AttemptReport;
};

/** How the attempt ended, in the words of its record. A canceled job's attempt was canceled. */
function endingOf(event: JobEvent, isCanceled: boolean): EndingOf {
  switch (event.kind) {
    case "succeed":
      return {
        kind: isCanceled ? "canceled" : "succeeded",
        slot: "free",
        isByExecutor: true,
        report: event.report,
      };
    case "fail":
    case "interrupt":
    case "expire": {
      const { kind, ...rest } = event;
      const words = { fail: "failed", interrupt: "interrupted", expire: "expired" } as const;
      return {
        ...rest,
        kind: isCanceled ? "canceled" : words[kind],
        isByExecutor: isFinish(event),
      };
    }
    case "canceled":
      return { ...event, isByExecutor: isFinish(event) };
    case "cancel":
      return { kind: "canceled", slot: "free", isByExecutor: false };
    case "assign":
    case "start":
    case "phase":
    case "wake":
    case "retry":
      throw new Error(`The table lets ${event.kind} end an attempt`);
  }
}

/** Only an executor's own finish brings a report. */
function isFinish(event: { report?: AttemptReport }): boolean {
  return event.report !== undefined;
}

async function settleSlot(ctx: MutationCtx, job: Doc<"jobs">, after: SlotAfter): Promise<void> {
  if (!isHeld(job.state) || job.slot === undefined) throw new Error("An attempt without a slot");
  const { executorId } = job.state;
  switch (after) {
    case "free":
      return Slots.give(ctx, executorId, job.slot);
    case "owed":
      return Leases.owe(ctx, executorId, { jobId: job._id, token: job.token, ordinal: job.slot });
    case "gone":
      return;
  }
}

/** Fields that mean nothing to a job which no executor holds. */
const atRest = {
  readyTs: undefined,
  deadlineAt: undefined,
  cancelRequestedAt: undefined,
  slot: undefined,
} as const;

function pending(ctx: MutationCtx) {
  const state: JobState = { kind: "pending" };
  return { ...atRest, state, readyTs: ctx.db.vars.commitTs };
}

async function record(
  ctx: MutationCtx,
  change: {
    job: Doc<"jobs">;
    patch: Patch;
    row: Row;
    next: Next;
    event: JobEvent;
    actor: string;
    at: number;
  },
): Promise<void> {
  const { job, patch, row, next, event, actor, at } = change;
  const executorId = executorOf(patch.state ?? job.state) ?? executorOf(job.state);
  const detail = "phase" in event ? event.phase : "message" in event ? event.message : undefined;
  await ctx.db.insert("events", {
    jobId: job._id,
    seq: job.events,
    at,
    ts: ctx.db.vars.commitTs,
    cause: event.kind,
    from: row,
    to: next.to,
    actor,
    attempt: patch.attempt ?? job.attempt,
    token: event.kind === "assign" ? (patch.token ?? job.token) : job.token,
    ...(executorId === undefined ? {} : { executorId }),
    ...(next.reason === undefined ? {} : { reason: next.reason }),
    ...(detail === undefined ? {} : { detail }),
  });
}

function executorOf(state: JobState): Id<"executors"> | undefined {
  return isHeld(state) ? state.executorId : undefined;
}

function refusal(job: Doc<"jobs">, row: Row, event: EventKind) {
  const why = isTerminal(row) ? "it has ended" : `that cannot follow ${row}`;
  return fail("ILLEGAL_TRANSITION", `Job ${job._id} is ${row}; ${event} is refused: ${why}.`);
}

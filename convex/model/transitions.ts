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
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { JobState } from "../protocol/job.js";
import * as Admission from "./admission.js";
import * as Attempts from "./attempts.js";
import {
  assigned,
  atRest,
  type Happening,
  type JobEvent,
  type Next,
  mayEnd,
  mayStep,
  type Patch,
  type StepEvent,
  waiting,
} from "./change.js";
import * as Dispatcher from "./dispatcher.js";
import { endAttempt } from "./endings.js";
import * as Timeline from "./timeline.js";
import * as Timer from "./timer.js";

/**
 * The only writer of a job's state. Looks the event up in the table, changes the job, its attempt and
 * its slot, appends the event row, wakes the dispatcher and arms the timer: one transaction. Throws
 * ILLEGAL_TRANSITION where the table refuses. Hands out the job as it is afterwards. What follows for
 * other jobs is done by model/apply, through which all but it must go.
 */
export async function transit(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, actor }: Happening,
): Promise<{ state: JobState; gate: string | undefined }> {
  const row = rowOf(job.state, job.cancelRequestedAt !== undefined);
  const cell = step(row, event.kind);
  if (cell === "keep") return { state: job.state, gate: job.gate };
  if (cell === "refuse") throw refusal(job, row, event.kind);
  const at = Clock.now();
  const next = await nextOf(ctx, job, { event, cell, at });
  // A phase leads to no other state: its time is in the attempt's record.
  const isTold = event.kind !== "phase";
  const patch: Patch = { ...next.patch, ...(isTold ? { events: job.events + 1 } : {}) };
  await ctx.db.patch("jobs", job._id, patch);
  if (isTold) await record(ctx, { job, patch, row, next, event, actor, at });
  if (next.to === "pending") await Dispatcher.notify(ctx, { kind: "job" });
  // Armed for an earlier deadline of the job, the chain fires by then and looks at the new one.
  const armedFor = job.deadlineAt ?? Infinity;
  const isArmed = event.kind === "assign" && !Lease.isBeyondLease(event.leaseMs);
  if (patch.deadlineAt !== undefined && patch.deadlineAt < armedFor && !isArmed) {
    await Timer.arm(ctx, patch.deadlineAt);
  }
  return { state: patch.state ?? job.state, gate: "gate" in patch ? patch.gate : job.gate };
}

async function nextOf(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, cell, at }: { event: JobEvent; cell: { to: Target; ends: boolean }; at: number },
): Promise<Next> {
  const { to, ends } = cell;
  if (ends && mayEnd(event)) return endAttempt(ctx, job, { event, to, at });
  if (!ends && mayStep(event)) return advance(ctx, job, { event, to, at });
  throw new Error(`The table lets ${event.kind} ${ends ? "end" : "leave"} an attempt`);
}

type Step = { event: StepEvent; to: Target; at: number };

/** Events that leave the attempt, if there is one, running. */
async function advance(ctx: MutationCtx, job: Doc<"jobs">, { event, to, at }: Step): Promise<Next> {
  switch (event.kind) {
    case "assign":
      return { to: "assigned", patch: assigned(job, event, at) };
    case "start":
      return start(job, at);
    case "phase":
      return phase(job, { event, at });
    case "resume":
    case "startOver":
      return resumption(job, event);
    case "cancel":
      return cancel(job, to, at);
    case "park":
    case "hold":
    case "snooze":
      return stepAside(ctx, event, at);
    case "wake":
    case "release":
    case "answer":
    case "requeue":
    case "retry":
      return enter(ctx, job, { event, at });
  }
}

/** A run is asked to end; anything else ends here. */
function cancel(job: Doc<"jobs">, to: Target, at: number): Next {
  if (to === "canceling") {
    const deadlineAt = Lease.cancelDeadline(at, job.deadlineAt);
    return { to, patch: { cancelRequestedAt: at, deadlineAt } };
  }
  return { to: "canceled", patch: { ...atRest, state: { kind: "canceled", endedAt: at } } };
}

/** Events that let a job into the queue, as far as the rules do. */
async function enter(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  {
    event,
    at,
  }: { event: { kind: "wake" | "release" | "answer" | "requeue" | "retry" }; at: number },
): Promise<Next> {
  switch (event.kind) {
    case "wake":
    case "release":
    case "answer":
      return Admission.enter(ctx, job, at);
    case "requeue": {
      const next = await Admission.enter(ctx, { ...job, runAt: 0 }, at);
      return { ...next, patch: { ...next.patch, runAt: undefined } };
    }
    case "retry": {
      const next = await Admission.enter(ctx, job, at);
      const spentBefore = job.spent?.micros ?? 0;
      const anew = { charged: 0, interruptions: 0, failures: [], commit: undefined, spentBefore };
      return { ...next, patch: { ...next.patch, ...anew } };
    }
  }
}

/** Events that take a job out of the queue. */
function stepAside(
  ctx: MutationCtx,
  event: Extract<JobEvent, { kind: "park" | "snooze" }> | { kind: "hold" },
  since: number,
): Next {
  switch (event.kind) {
    case "park": {
      const { reason, gate, until } = event;
      const rule = { reason, gate, since, ...(until === undefined ? {} : { until }) };
      return { to: "waiting", patch: waiting(ctx, rule) };
    }
    case "hold":
      return { to: "held", patch: waiting(ctx, { reason: "approval", since }) };
    case "snooze": {
      const { until } = event;
      const patch = waiting(ctx, { reason: "schedule", since, until });
      return { to: "waiting", patch: { ...patch, runAt: until } };
    }
  }
}

function start(job: Doc<"jobs">, at: number): Next {
  if (!isHeld(job.state)) throw new Error("Only an assigned job can start");
  const live = Attempts.entered(Attempts.liveOf(job), { phase: "cloning", at });
  const { executorId, assignedAt } = job.state;
  const state: JobState = {
    kind: "running",
    executorId,
    assignedAt,
    startedAt: at,
    phase: "cloning",
  };
  const deadlineAt = Lease.attemptDeadline(at, job.spec.limits.timeoutMs);
  return { to: "running", patch: { state, deadlineAt, live } };
}

function phase(
  job: Doc<"jobs">,
  { event, at }: { event: Extract<JobEvent, { kind: "phase" }>; at: number },
): Next {
  if (job.state.kind !== "running") throw new Error("Only a running job has phases");
  const live = Attempts.entered(Attempts.liveOf(job), { ...event, at });
  const commit = job.commit ?? event.commit;
  const pinned = commit === undefined ? {} : { commit };
  const state = { ...job.state, phase: event.phase };
  return { to: runningRow(job), patch: { state, live, ...pinned } };
}

/** Notes what became of the checkpoint that the attempt was offered, and counts it. */
function resumption(
  job: Doc<"jobs">,
  event: Extract<JobEvent, { kind: "resume" | "startOver" }>,
): Next {
  const live = { ...Attempts.liveOf(job), resumption: event.resumption };
  const counts =
    event.kind === "resume"
      ? { resumed: (job.resumed ?? 0) + 1 }
      : { startedOver: (job.startedOver ?? 0) + 1 };
  return { to: runningRow(job), patch: { live, ...counts } };
}

function runningRow(job: Doc<"jobs">): Row {
  return job.cancelRequestedAt === undefined ? "running" : "canceling";
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
  const detail = detailOf(event);
  await Timeline.append(ctx, {
    jobId: job._id,
    seq: job.events,
    at,
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

function detailOf(event: JobEvent): string | undefined {
  if (event.kind === "park") return `${event.reason}: ${event.gate}`;
  return "message" in event ? event.message : undefined;
}

function executorOf(state: JobState): Id<"executors"> | undefined {
  return isHeld(state) ? state.executorId : undefined;
}

function refusal(job: Doc<"jobs">, row: Row, event: EventKind) {
  const why = isTerminal(row) ? "it has ended" : `that cannot follow ${row}`;
  return fail("ILLEGAL_TRANSITION", `Job ${job._id} is ${row}; ${event} is refused: ${why}.`);
}

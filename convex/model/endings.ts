import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Budget from "../domain/budget.js";
import { isHeld, type Target } from "../domain/lifecycle.js";
import * as Retry from "../domain/retry.js";
import type { AttemptReport, FailureReason, JobState } from "../protocol/job.js";
import type { AttemptEnd } from "../protocol/view.js";
import * as Attempts from "./attempts.js";
import {
  atRest,
  type EndEvent,
  type Next,
  type Parking,
  pending,
  type SlotAfter,
  waiting,
} from "./change.js";
import * as Credentials from "./credentials.js";
import * as Dispatcher from "./dispatcher.js";
import * as Leases from "./leases.js";
import * as Slots from "./slots.js";
import * as Spending from "./spending.js";

/** Events that end the attempt: charge it, close its record, settle its slot, decide what is next. */
export async function endAttempt(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { event, to, at }: { event: EndEvent; to: Target; at: number },
): Promise<Next> {
  const ending = endingOf(job, event, to === "canceled");
  const policy = ending.reason === undefined ? undefined : Retry.POLICIES[ending.reason];
  const isCharged = to === "decide" ? policy?.charged === true : to === "succeeded";
  const { report } = ending;
  const { spent, spend } = await Spending.end(ctx, job, { report, at });
  await Attempts.close(ctx, job, {
    end: {
      at,
      kind: ending.kind,
      charged: isCharged,
      ...(ending.reason === undefined ? {} : { reason: ending.reason }),
      ...(ending.message === undefined ? {} : { message: ending.message }),
    },
    ...(report === undefined ? {} : { report }),
    ...(spend === undefined ? {} : { spend }),
    finishedByExecutor: ending.isByExecutor,
  });
  await settleSlot(ctx, job, ending.slot);
  await Credentials.release(ctx, job);
  const after = { ...job, spent: Budget.sum(job.spent ?? Budget.NOTHING, spent) };
  const counted = { token: job.token + 1, spent: after.spent };
  if (event.kind === "ask" && to === "asking") {
    return { to, patch: { ...asking(ctx, job, { at, until: event.until }), ...counted } };
  }
  if (to !== "decide" || ending.reason === undefined) {
    const kind = to === "succeeded" ? "succeeded" : "canceled";
    const charged = job.charged + (isCharged ? 1 : 0);
    return { to: kind, patch: { ...atRest, ...counted, charged, state: { kind, endedAt: at } } };
  }
  const { reason, parking } = ending;
  const next = decide(ctx, after, { reason, parking, isCharged, at });
  return { ...next, patch: { ...next.patch, ...counted } };
}

/** Waits for a person, or until the question's deadline. */
function asking(
  ctx: MutationCtx,
  { asked = 0 }: Doc<"jobs">,
  { at, until }: { at: number; until: number },
) {
  return { ...waiting(ctx, { reason: "answer", since: at, until }), asked: asked + 1 };
}

function decide(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  ended: {
    reason: FailureReason;
    parking: Parking | undefined;
    isCharged: boolean;
    at: number;
  },
): Next {
  const { reason, parking, isCharged, at } = ended;
  const { failures, occurrences } = Retry.count(job.failures, reason);
  const charged = job.charged + (isCharged ? 1 : 0);
  const isInterruption = !isCharged && !Retry.POLICIES[reason].parks;
  const interruptions = job.interruptions + (isInterruption ? 1 : 0);
  const decision = Retry.decide({
    ...{ reason, occurrences, charged, interruptions },
    attemptsMax: job.attemptsMax,
    isSpent: Spending.left(job) === 0,
    jitter: Math.random(),
  });
  const counted = { failures, charged, interruptions };
  switch (decision.kind) {
    case "pending":
      if (parking !== undefined) {
        const rule = { since: at, ...parking };
        return { to: "waiting", reason, patch: { ...waiting(ctx, rule), ...counted } };
      }
      // Its turn had come before: first of its priority.
      return { to: "pending", reason, patch: { ...pending(ctx, 0), ...counted } };
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
  parking?: Parking | undefined;
};

/** How the attempt ended, in the words of its record. A canceled job's attempt was canceled. */
function endingOf(job: Doc<"jobs">, event: EndEvent, isCanceled: boolean): EndingOf {
  const ending = attemptEnding(job, event);
  return isCanceled ? { ...ending, kind: "canceled" } : ending;
}

const WORDS = { fail: "failed", interrupt: "interrupted", expire: "expired" } as const;

function attemptEnding(job: Doc<"jobs">, event: EndEvent): EndingOf {
  switch (event.kind) {
    case "succeed":
      return { kind: "succeeded", slot: "free", isByExecutor: true, report: event.report };
    case "stop":
      return { kind: "canceled", slot: "free", isByExecutor: true, report: event.report };
    case "ask":
      return { ...event, kind: "interrupted", slot: "free", isByExecutor: true };
    case "fail":
    case "interrupt":
    case "expire":
      return { ...event, kind: WORDS[event.kind], isByExecutor: isFinish(event) };
    case "requeue": {
      // Once started, its process may run on: the slot is owed until a heartbeat no longer names it.
      const slot = job.state.kind === "running" ? "owed" : "free";
      return { kind: "interrupted", reason: "requeued", slot, isByExecutor: false };
    }
    case "canceled":
      return { ...event, isByExecutor: isFinish(event) };
    case "cancel":
      return { kind: "canceled", slot: "free", isByExecutor: false };
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
      await Leases.owe(ctx, executorId, { jobId: job._id, token: job.token, ordinal: job.slot });
      return Dispatcher.notify(ctx, { kind: "room" });
    case "gone":
      return Dispatcher.notify(ctx, { kind: "room" });
  }
}

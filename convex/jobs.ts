import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import type { Id } from "./_generated/dataModel.js";
import type { MutationCtx } from "./_generated/server.js";
import { type Caller, userMutation, userQuery } from "./lib/functions.js";
import { fail } from "./lib/errors.js";
import * as Attempts from "./model/attempts.js";
import * as Audit from "./model/audit.js";
import * as Batches from "./model/batches.js";
import type { JobEvent } from "./model/change.js";
import * as Explanations from "./model/explanations.js";
import * as FollowUps from "./model/followUps.js";
import * as Jobs from "./model/jobs.js";
import * as RateLimits from "./model/rateLimits.js";
import * as Submissions from "./model/submissions.js";
import { JOB_STATE_KINDS, jobState } from "./protocol/job.js";
import { PAGE_SIZE_MAX } from "./protocol/limits.js";
import { bulkFilter, submissionArgs, submitReply, waitingView } from "./protocol/queue.js";
import { attemptView, eventView, jobDetail, leaseView } from "./protocol/view.js";

const stateKind = v.union(...JOB_STATE_KINDS.map((kind) => v.literal(kind)));

/** Puts a job into the queue. The same idempotencyKey from the same person finds the same job. */
export const submit = userMutation("operator")({
  args: submissionArgs,
  returns: submitReply,
  handler: async (ctx, args) => {
    await RateLimits.demand(ctx, "jobsOfAccount", { key: ctx.user._id });
    const put = await Submissions.submit(ctx, args, { submittedBy: `user:${ctx.user.username}` });
    if (!put.deduplicated) {
      await Audit.write(ctx, { action: "job.submit", actor: ctx.actor, target: put.jobId });
    }
    return put;
  },
});

/** One job with its latest attempt. Takes the id as text, so that a mistyped one is NOT_FOUND. */
export const get = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: jobDetail,
  handler: async (ctx, { jobId }) => Jobs.detail(ctx, await Jobs.getByText(ctx, jobId)),
});

/** A page of the jobs that meet all that is given, newest first; it may be short before the last one. */
export const list = userQuery("viewer")({
  args: {
    ...bulkFilter.fields,
    state: v.optional(stateKind),
    paginationOpts: paginationOptsValidator,
  },
  handler: async (ctx, { paginationOpts, ...filter }) => {
    const { batchId } = filter;
    const origin = batchId === undefined ? undefined : Batches.originOf(batchId);
    return Jobs.list(ctx, { filter, origin }, paginationOpts);
  },
});

/** What the job was asked to do, as it was submitted. */
export const prompt = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: v.string(),
  handler: async (ctx, { jobId }) => Jobs.prompt(ctx, await Jobs.getByText(ctx, jobId)),
});

/** The latest attempts of a job, newest first: at most 100, and a megabyte of reports. */
export const attempts = userQuery("viewer")({
  args: { jobId: v.id("jobs") },
  returns: v.array(attemptView),
  handler: async (ctx, { jobId }) => Attempts.list(ctx, await Jobs.get(ctx, jobId), PAGE_SIZE_MAX),
});

/** The job's timeline, oldest first, from its submission on. */
export const events = userQuery("viewer")({
  args: { jobId: v.id("jobs"), limit: v.optional(v.number()) },
  returns: v.array(eventView),
  handler: async (ctx, { jobId, limit }) => Jobs.events(ctx, jobId, checkLimit(limit)),
});

/** Why a job does not run: the rule that blocks it, until when, at which place, and what is in its way. */
export const waiting = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: waitingView,
  handler: async (ctx, { jobId }) => Explanations.explain(ctx, await Jobs.getByText(ctx, jobId)),
});

/**
 * Until when the executor that has the job may keep it without another heartbeat, ms since the epoch; null
 * when nobody has it. It changes with each heartbeat: for the page of one job.
 */
export const lease = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: v.union(v.null(), leaseView),
  handler: async (ctx, { jobId }) => Jobs.lease(ctx, await Jobs.getByText(ctx, jobId)),
});

const one = { jobId: v.id("jobs") };

/** Asks a job to end: at once where nothing runs, else by way of its executor. */
export const cancel = userMutation("operator")({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "cancel" }),
});

/** Gives a failed or canceled job another go, with its attempts counted anew. */
export const retry = userMutation("operator")({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "retry" }),
});

/**
 * Goes on with the session of an ended job in a new one, with this as the next thing said. ILLEGAL_TRANSITION
 * where the job has not ended, or where nothing of its session is kept.
 */
export const followUp = userMutation("operator")({
  args: { ...one, text: v.string() },
  returns: v.object({ jobId: v.id("jobs") }),
  handler: async (ctx, { jobId, text }) => {
    await RateLimits.demand(ctx, "jobsOfAccount", { key: ctx.user._id });
    await Audit.write(ctx, { action: "job.followUp", actor: ctx.actor, target: jobId });
    const by = `user:${ctx.user.username}`;
    return { jobId: await FollowUps.follow(ctx, await Jobs.get(ctx, jobId), { text, by }) };
  },
});

/** Keeps a job that does not run from running until it is released. */
export const hold = userMutation("operator")({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "hold" }),
});

/** Lets a held job go on. */
export const release = userMutation("operator")({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "release" }),
});

/** Puts a job that does not run off until a time, ms since the epoch. */
export const snooze = userMutation("operator")({
  args: { ...one, until: v.number() },
  returns: jobState,
  handler: async (ctx, { jobId, until }) =>
    act(ctx, jobId, { kind: "snooze", until: Submissions.checkUntil(until) }),
});

/** Sends a job back to the queue: from its executor, uncharged, or at once instead of at its time. */
export const requeue = userMutation("operator")({
  args: one,
  returns: jobState,
  handler: async (ctx, { jobId }) => act(ctx, jobId, { kind: "requeue" }),
});

/** One action of a person on one job, audited as `job.<event>`. */
async function act(ctx: MutationCtx & Caller, jobId: Id<"jobs">, event: JobEvent) {
  const actor = `user:${ctx.user.username}`;
  await Audit.write(ctx, { action: `job.${event.kind}`, actor: ctx.actor, target: jobId });
  return Jobs.apply(ctx, await Jobs.get(ctx, jobId), { event, actor });
}

function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return PAGE_SIZE_MAX;
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_SIZE_MAX) return limit;
  throw fail(
    "INVALID_ARGUMENT",
    `limit is ${limit}; it must be a whole number from 1 to ${PAGE_SIZE_MAX}.`,
  );
}

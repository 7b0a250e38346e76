import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { userMutation, userQuery } from "./lib/functions.js";
import { fail } from "./lib/errors.js";
import * as Attempts from "./model/attempts.js";
import * as Jobs from "./model/jobs.js";
import * as Submissions from "./model/submissions.js";
import { JOB_STATE_KINDS, jobLimits, jobState } from "./protocol/job.js";
import { PAGE_SIZE_MAX } from "./protocol/limits.js";
import { attemptView, eventView, jobDetail } from "./protocol/view.js";

const stateKind = v.union(...JOB_STATE_KINDS.map((kind) => v.literal(kind)));

/** Puts a job into the queue. The same idempotencyKey from the same person finds the same job. */
export const submit = userMutation("operator")({
  args: {
    repository: v.string(),
    ref: v.optional(v.string()),
    prompt: v.string(),
    limits: v.optional(jobLimits),
    priority: v.optional(v.number()),
    idempotencyKey: v.optional(v.string()),
  },
  returns: v.object({ jobId: v.id("jobs"), deduplicated: v.boolean() }),
  handler: async (ctx, args) => Submissions.submit(ctx, args, `user:${ctx.user.username}`),
});

/** One job with its latest attempt. Takes the id as text, so that a mistyped one is NOT_FOUND. */
export const get = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: jobDetail,
  handler: async (ctx, { jobId }) => Jobs.detail(ctx, await Jobs.getByText(ctx, jobId)),
});

/** A page of jobs, newest first. */
export const list = userQuery("viewer")({
  args: { state: v.optional(stateKind), paginationOpts: paginationOptsValidator },
  handler: async (ctx, { state, paginationOpts }) => Jobs.list(ctx, state, paginationOpts),
});

/** The latest attempts of a job, newest first. */
export const attempts = userQuery("viewer")({
  args: { jobId: v.id("jobs") },
  returns: v.array(attemptView),
  handler: async (ctx, { jobId }) => Attempts.list(ctx, jobId, PAGE_SIZE_MAX),
});

/** The job's timeline, oldest first, from its submission on. */
export const events = userQuery("viewer")({
  args: { jobId: v.id("jobs"), limit: v.optional(v.number()) },
  returns: v.array(eventView),
  handler: async (ctx, { jobId, limit }) => Jobs.events(ctx, jobId, checkLimit(limit)),
});

/** Asks a job to end: at once where nothing runs, else by way of its executor. */
export const cancel = userMutation("operator")({
  args: { jobId: v.id("jobs") },
  returns: jobState,
  handler: async (ctx, { jobId }) => {
    const job = await Jobs.get(ctx, jobId);
    return Jobs.apply(ctx, job, {
      event: { kind: "cancel" },
      actor: `user:${ctx.user.username}`,
    });
  },
});

/** Gives a failed or canceled job another go, with its attempts counted anew. */
export const retry = userMutation("operator")({
  args: { jobId: v.id("jobs") },
  returns: jobState,
  handler: async (ctx, { jobId }) => {
    const job = await Jobs.get(ctx, jobId);
    return Jobs.apply(ctx, job, { event: { kind: "retry" }, actor: `user:${ctx.user.username}` });
  },
});

function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return PAGE_SIZE_MAX;
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_SIZE_MAX) return limit;
  throw fail(
    "INVALID_ARGUMENT",
    `limit is ${limit}; it must be a whole number from 1 to ${PAGE_SIZE_MAX}.`,
  );
}

import type { PaginationOptions, PaginationResult } from "convex/server";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { fail } from "../lib/errors.js";
import { labelsOf } from "../domain/labels.js";
import type { JobStateKind } from "../protocol/job.js";
import { HEALTH_COUNT_MAX, PAGE_SIZE_MAX, SLOTS_MAX } from "../protocol/limits.js";
import type { JobDetail, JobView } from "../protocol/view.js";
import * as Attempts from "./attempts.js";

/** Here, because who changes a job looks for it here; the file of its own keeps both small. */
export { apply } from "./apply.js";
export { list as events } from "./timeline.js";

/** The job; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, jobId: Id<"jobs">): Promise<Doc<"jobs">> {
  const job = await ctx.db.get("jobs", jobId);
  if (job === null) throw fail("NOT_FOUND", `There is no job ${jobId}.`);
  return job;
}

/** The job a person names by its id as text; throws NOT_FOUND for what is no id of a job. */
export async function getByText(ctx: QueryCtx, text: string): Promise<Doc<"jobs">> {
  const jobId = ctx.db.normalizeId("jobs", text);
  if (jobId === null) throw fail("NOT_FOUND", "That is not the id of a job.");
  return get(ctx, jobId);
}

export async function prompt(ctx: QueryCtx, job: Doc<"jobs">): Promise<string> {
  const row = await ctx.db.get("prompts", job.promptId);
  if (row === null) throw new Error(`Job ${job._id} has no prompt`);
  return row.text;
}

/** The job with its latest attempt. */
export async function detail(ctx: QueryCtx, job: Doc<"jobs">): Promise<JobDetail> {
  return { ...view(job), latest: await Attempts.latest(ctx, job) };
}

/** A page of jobs, newest first, of one state or of all. */
export async function list(
  ctx: QueryCtx,
  state: JobStateKind | undefined,
  options: PaginationOptions,
): Promise<PaginationResult<JobView>> {
  const rows =
    state === undefined
      ? ctx.db.query("jobs")
      : ctx.db.query("jobs").withIndex("by_state", (q) => q.eq("state.kind", state));
  const numItems = Math.min(options.numItems, PAGE_SIZE_MAX);
  const page = await rows.order("desc").paginate({ ...options, numItems });
  return { ...page, page: page.page.map(view) };
}

/** Jobs that an executor holds; never more than its slots. */
export async function heldBy(ctx: QueryCtx, executorId: Id<"executors">): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_executor", (q) => q.eq("state.executorId", executorId))
    .take(SLOTS_MAX);
}

/** Jobs whose deadline has passed, the longest overdue first. */
export async function overdue(ctx: QueryCtx, now: number, limit: number): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_deadline", (q) => q.gt("deadlineAt", 0).lte("deadlineAt", now))
    .take(limit);
}

/** The next deadline of a job; Infinity when none has one. */
export async function nextDeadline(ctx: QueryCtx): Promise<number> {
  const job = await ctx.db
    .query("jobs")
    .withIndex("by_deadline", (q) => q.gt("deadlineAt", 0))
    .first();
  return job?.deadlineAt ?? Infinity;
}

/** Jobs in a state, counted up to HEALTH_COUNT_MAX. */
export async function countUpTo(ctx: QueryCtx, state: JobStateKind): Promise<number> {
  const rows = await ctx.db
    .query("jobs")
    .withIndex("by_state", (q) => q.eq("state.kind", state))
    .take(HEALTH_COUNT_MAX);
  return rows.length;
}

/** A job as lists show it. */
export function view(job: Doc<"jobs">): JobView {
  return {
    jobId: job._id,
    submittedAt: job._creationTime,
    submittedBy: job.submittedBy,
    spec: job.spec,
    priority: job.priority,
    labels: labelsOf(job.lane),
    ...(job.concurrencyKey === undefined ? {} : { concurrencyKey: job.concurrencyKey }),
    ...(job.origin === undefined ? {} : { origin: job.origin }),
    state: job.state,
    cancelRequested: job.cancelRequestedAt !== undefined,
    attempt: job.attempt,
    attemptsMax: job.attemptsMax,
    charged: job.charged,
    interruptions: job.interruptions,
  };
}

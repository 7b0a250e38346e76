import type { PaginationOptions, PaginationResult } from "convex/server";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { fail } from "../lib/errors.js";
import * as Budget from "../domain/budget.js";
import { findState, matches } from "../domain/bulk.js";
import { labelsOf } from "../domain/labels.js";
import { isTerminal } from "../domain/lifecycle.js";
import { microsOf } from "../domain/rollup.js";
import type { JobStateKind } from "../protocol/job.js";
import { HEALTH_COUNT_MAX, PAGE_SIZE_MAX, SLOTS_MAX } from "../protocol/limits.js";
import type { BulkFilter } from "../protocol/queue.js";
import type { JobDetail, JobView, LeaseView } from "../protocol/view.js";
import * as Attempts from "./attempts.js";
import * as Checkpoints from "./checkpoints.js";
import * as Leases from "./leases.js";
import * as Spending from "./spending.js";

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
  const latest = await Attempts.latest(ctx, job);
  if (isTerminal(job.state.kind)) {
    // Not asked of a job under way: each checkpoint would renew the answer.
    return { ...view(job), latest, isSessionKept: await Checkpoints.isKept(ctx, job._id) };
  }
  const spend = await Spending.soFar(ctx, job);
  if (latest === null || spend === undefined) return { ...view(job), latest };
  const costs = { micros: microsOf(spend.costUsd), tokens: spend.tokens };
  const spent = Spending.view(Budget.sum(job.spent ?? Budget.NOTHING, costs));
  return { ...view(job), spent, latest: { ...latest, spend } };
}

/** Which jobs to walk through: an index leaves only those; `matches` decides about the rest. */
export type Walk = {
  state?: JobStateKind | undefined;
  origin?: string | undefined;
  /** Submitted at or after, and before, ms. */
  from?: number | undefined;
  until?: number | undefined;
};

/** Jobs in the order of submission, by the index that leaves the fewest to look at. */
export function walk(ctx: QueryCtx, { state, origin, from = 0, until = Infinity }: Walk) {
  const jobs = ctx.db.query("jobs");
  if (origin !== undefined) {
    return jobs.withIndex("by_origin", (q) =>
      q.eq("origin", origin).gte("_creationTime", from).lt("_creationTime", until),
    );
  }
  return state === undefined
    ? jobs.withIndex("by_creation_time", (q) =>
        q.gte("_creationTime", from).lt("_creationTime", until),
      )
    : jobs.withIndex("by_state", (q) =>
        q.eq("state.kind", state).gte("_creationTime", from).lt("_creationTime", until),
      );
}

/**
 * A page of the jobs that meet the filter, newest first. It looks at `numItems` jobs, so that it costs the
 * same whatever the filter: a page may come out short, or empty, before the last one.
 */
export async function list(
  ctx: QueryCtx,
  { filter, origin }: { filter: BulkFilter; origin?: string | undefined },
  options: PaginationOptions,
): Promise<PaginationResult<JobView>> {
  const numItems = Math.min(options.numItems, PAGE_SIZE_MAX);
  const rows = walk(ctx, {
    state: findState(filter.state ?? ""),
    origin,
    from: filter.from,
    until: filter.to,
  });
  const page = await rows.order("desc").paginate({ ...options, numItems });
  return { ...page, page: page.page.filter((job) => matches(filter, job)).map(view) };
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

/** The lease of the executor that has the job; null when none has. */
export async function lease(ctx: QueryCtx, { state }: Doc<"jobs">): Promise<LeaseView | null> {
  if (state.kind !== "assigned" && state.kind !== "running") return null;
  const row = await Leases.find(ctx, state.executorId);
  const executor = await ctx.db.get("executors", state.executorId);
  if (row === null || executor === null) return null;
  return { expiresAt: row.expiresAt, leaseMs: executor.leaseMs };
}

/** A job as lists show it. */
export function view(job: Doc<"jobs">): JobView {
  return {
    jobId: job._id,
    submittedAt: job._creationTime,
    submittedBy: job.submittedBy,
    title: job.title ?? "",
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
    ...(job.commit === undefined ? {} : { commit: job.commit }),
    ...(job.resumed === undefined ? {} : { resumed: job.resumed }),
    ...(job.startedOver === undefined ? {} : { startedOver: job.startedOver }),
    ...(job.spent === undefined ? {} : { spent: Spending.view(job.spent) }),
  };
}

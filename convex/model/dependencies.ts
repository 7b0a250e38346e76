import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isTerminal } from "../domain/lifecycle.js";

/**
 * Which jobs come after which. Only jobs that exist can be named, and only when a job is submitted, so
 * there are no cycles. A row stands for a prerequisite that has not ended.
 */

/** Prerequisites that have not ended, and whether one ended without success already. */
export type Prerequisites = { open: Id<"jobs">[]; failed: Id<"jobs"> | null };

/** How far the prerequisites of a job that is about to be submitted are. */
export function examine(prerequisites: readonly Doc<"jobs">[]): Prerequisites {
  const open = prerequisites.filter((job) => !isTerminal(job.state.kind)).map((job) => job._id);
  const failed = prerequisites.find(
    (job) => isTerminal(job.state.kind) && job.state.kind !== "succeeded",
  );
  return { open, failed: failed?._id ?? null };
}

export async function link(
  ctx: MutationCtx,
  jobId: Id<"jobs">,
  open: readonly Id<"jobs">[],
): Promise<void> {
  for (const on of open) await ctx.db.insert("dependencies", { jobId, on });
}

/** Some of the rows that wait for this job. */
export async function dependents(
  ctx: QueryCtx,
  on: Id<"jobs">,
  limit: number,
): Promise<Doc<"dependencies">[]> {
  return ctx.db
    .query("dependencies")
    .withIndex("by_on", (q) => q.eq("on", on))
    .take(limit);
}

/** What a job still comes after. */
export async function openOf(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  limit: number,
): Promise<Id<"jobs">[]> {
  const rows = await ctx.db
    .query("dependencies")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(limit);
  return rows.map((row) => row.on);
}

/** The prerequisite of this row has ended: one fewer for the job that waits. */
export async function meet(
  ctx: MutationCtx,
  row: Doc<"dependencies">,
): Promise<Doc<"jobs"> | null> {
  await ctx.db.delete("dependencies", row._id);
  const job = await ctx.db.get("jobs", row.jobId);
  if (job === null) return null;
  const unmet = Math.max(0, (job.unmet ?? 0) - 1);
  await ctx.db.patch("jobs", job._id, { unmet });
  return { ...job, unmet };
}

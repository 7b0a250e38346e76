import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import type { EventView } from "../protocol/view.js";

/** One line of a job's timeline, as its writer knows it. */
type Line = Omit<Doc<"events">, "_id" | "_creationTime" | "ts">;

/** Appends a line, in the transaction of the change it tells of. */
export async function append(ctx: MutationCtx, line: Line): Promise<void> {
  await ctx.db.insert("events", { ...line, ts: ctx.db.vars.commitTs });
}

/** The job's timeline, oldest first. */
export async function list(ctx: QueryCtx, jobId: Id<"jobs">, limit: number): Promise<EventView[]> {
  const rows = await ctx.db
    .query("events")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(limit);
  return rows.map(view);
}

/** An event as people see it. */
function view(row: Doc<"events">): EventView {
  const { seq, at, cause, from, to, actor, attempt, token, executorId, reason, detail } = row;
  return {
    ...{ seq, at, cause, from, to, actor, attempt, token },
    ...(executorId === undefined ? {} : { executorId }),
    ...(reason === undefined ? {} : { reason }),
    ...(detail === undefined ? {} : { detail }),
  };
}

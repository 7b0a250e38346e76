import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";

/** How many jobs are ahead of one in its line, counted so far. */
export type Place = { ahead: number; isMore: boolean };

/** A job's place in its lane of the queue, or at its gate; null when it stands in no line. */
export async function placeOf(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  limit: number,
): Promise<Place | null> {
  if (job.state.kind === "pending") return counted(limit, queueAhead(ctx, job));
  return job.gate === undefined ? null : counted(limit, gateAhead(ctx, job, job.gate));
}

type Counter = (limit: number) => Promise<unknown[]>;

/** Ranges one after the other, until more than the limit were counted. */
async function counted(limit: number, ranges: readonly Counter[]): Promise<Place> {
  let ahead = 0;
  for (const range of ranges) {
    ahead += (await range(limit + 1 - ahead)).length;
    if (ahead > limit) return { ahead: limit, isMore: true };
  }
  return { ahead, isMore: false };
}

/** More urgent; as urgent and earlier in the fair order; there too and earlier in the queue. */
function queueAhead(ctx: QueryCtx, { lane, priority, rank, readyTs }: Doc<"jobs">): Counter[] {
  const jobs = () => ctx.db.query("jobs");
  return [
    (limit) =>
      jobs()
        .withIndex("by_ready", (q) =>
          q.eq("state.kind", "pending").eq("lane", lane).lt("priority", priority),
        )
        .take(limit),
    (limit) =>
      jobs()
        .withIndex("by_ready", (q) =>
          q.eq("state.kind", "pending").eq("lane", lane).eq("priority", priority).lt("rank", rank),
        )
        .take(limit),
    (limit) =>
      jobs()
        .withIndex("by_ready", (q) =>
          q
            .eq("state.kind", "pending")
            .eq("lane", lane)
            .eq("priority", priority)
            .eq("rank", rank)
            .gt("readyTs", 0n)
            .lt("readyTs", readyTs),
        )
        .take(limit),
  ];
}

function gateAhead(
  ctx: QueryCtx,
  { lane, priority, readyTs }: Doc<"jobs">,
  gate: string,
): Counter[] {
  return [
    (limit) =>
      ctx.db
        .query("jobs")
        .withIndex("by_gate", (q) => q.eq("gate", gate).eq("lane", lane).lt("priority", priority))
        .take(limit),
    (limit) =>
      ctx.db
        .query("jobs")
        .withIndex("by_gate", (q) =>
          q
            .eq("gate", gate)
            .eq("lane", lane)
            .eq("priority", priority)
            .gt("readyTs", 0n)
            .lt("readyTs", readyTs),
        )
        .take(limit),
  ];
}

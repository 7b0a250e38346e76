import { internal } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";

/**
 * The one timer chain behind all deadlines. Its row says when it fires next; a scheduled run whose
 * generation is no longer the row's does nothing. Heartbeats never touch it: it fires at the old
 * end of a lease, finds it renewed, and is armed again.
 */

/** Makes sure the chain fires at this time or earlier. Armed earlier already: does nothing. */
export async function arm(ctx: MutationCtx, at: number): Promise<void> {
  const row = await ctx.db.query("timer").first();
  if (row !== null && row.nextAt !== null && row.nextAt <= at) return;
  await set(ctx, at);
}

/** Sets the chain to fire at this time and not before, or (null) not at all; only a sweep, which saw all deadlines, may. */
export async function set(ctx: MutationCtx, at: number | null): Promise<void> {
  const row = await ctx.db.query("timer").first();
  const next = { nextAt: at, generation: (row?.generation ?? 0) + 1 };
  if (row === null) await ctx.db.insert("timer", next);
  else await ctx.db.patch("timer", row._id, next);
  if (at !== null) {
    await ctx.scheduler.runAt(at, internal.maintenance.wake, { generation: next.generation });
  }
}

/** Whether a scheduled run is the current one of the chain. */
export async function isCurrent(ctx: MutationCtx, generation: number): Promise<boolean> {
  const row = await ctx.db.query("timer").first();
  return row?.generation === generation;
}

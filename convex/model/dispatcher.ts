import { internal } from "../_generated/api.js";
import type { MutationCtx } from "../_generated/server.js";
import { isWokenBy, type Rest } from "../domain/dispatch.js";
import * as Clock from "../lib/clock.js";

/**
 * Status of the one dispatcher chain. It is written when the chain falls asleep or is woken, not in
 * between: while a pass is scheduled, news costs the reporter one read.
 */

/** A pass that has not run for this long after it was due is taken for lost. */
const STALLED_MS = 30_000;

/** Reports a job that became pending, or a slot that became free. */
export async function notify(ctx: MutationCtx, news: "job" | "slot"): Promise<void> {
  const row = await ctx.db.query("dispatcher").first();
  if (row === null || isWokenBy(row.status, news)) await schedule(ctx);
}

/** Schedules the next pass; passes scheduled before are void. */
export async function schedule(ctx: MutationCtx): Promise<void> {
  const generation = await write(ctx, "scheduled");
  await ctx.scheduler.runAfter(0, internal.dispatch.pass, { generation });
}

/** Whether a scheduled pass is the current one of the chain. */
export async function isCurrent(ctx: MutationCtx, generation: number): Promise<boolean> {
  const row = await ctx.db.query("dispatcher").first();
  return row?.status === "scheduled" && row.generation === generation;
}

/** Ends a pass: goes on, or sleeps until what lacks appears. */
export async function settle(ctx: MutationCtx, rest: Rest): Promise<void> {
  if (rest === "scheduled") await schedule(ctx);
  else await write(ctx, rest);
}

/** Net under the chain: starts it again if a scheduled pass never ran. */
export async function revive(ctx: MutationCtx): Promise<void> {
  const row = await ctx.db.query("dispatcher").first();
  if (row?.status === "scheduled" && row.since + STALLED_MS < Clock.now()) await schedule(ctx);
}

async function write(ctx: MutationCtx, status: Rest): Promise<number> {
  const row = await ctx.db.query("dispatcher").first();
  const next = { status, generation: (row?.generation ?? 0) + 1, since: Clock.now() };
  if (row === null) await ctx.db.insert("dispatcher", next);
  else await ctx.db.patch("dispatcher", row._id, next);
  return next.generation;
}

import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isWokenBy, type News, PICKS_PER_OLDEST, type Rest } from "../domain/dispatch.js";
import * as Clock from "../lib/clock.js";

/**
 * Status of the one dispatcher chain. It is written when the chain falls asleep or is woken, not in
 * between: while a pass is scheduled, news costs the reporter one read.
 */

/** A pass that has not run for this long after it was due is taken for lost. */
const STALLED_MS = 30_000;

/** Where the chain is in its turns: see PICKS_PER_OLDEST, and Lines.lanes for the cursor. */
export type Turn = { picks: number; laneCursor: string };

/** Reports what may let a sleeping dispatcher assign something. */
export async function notify(ctx: MutationCtx, news: News): Promise<void> {
  const row = await read(ctx);
  if (row === null || isWokenBy(row.status, news)) await schedule(ctx);
}

/** Schedules the next pass; passes scheduled before are void. */
export async function schedule(ctx: MutationCtx, careful = false): Promise<void> {
  const generation = await write(ctx, "scheduled");
  await ctx.scheduler.runAfter(0, internal.dispatch.pass, {
    generation,
    ...(careful ? { careful } : {}),
  });
}

/** The turn of a scheduled pass; null when it is not the current one of the chain. */
export async function turn(ctx: MutationCtx, generation: number): Promise<Turn | null> {
  const row = await read(ctx);
  if (row?.status !== "scheduled" || row.generation !== generation) return null;
  return { picks: row.picks ?? 0, laneCursor: row.laneCursor ?? "" };
}

/** Ends a pass: goes on, or sleeps until what lacks appears. */
export async function settle(ctx: MutationCtx, rest: Rest, turn: Turn): Promise<void> {
  const next = { picks: turn.picks % PICKS_PER_OLDEST, laneCursor: turn.laneCursor };
  const generation = await write(ctx, rest, next);
  if (rest === "scheduled") await ctx.scheduler.runAfter(0, internal.dispatch.pass, { generation });
}

/** Whether nobody waits in the queue, as far as the dispatcher knows. */
export async function isIdle(ctx: QueryCtx): Promise<boolean> {
  const row = await read(ctx);
  return row === null || row.status === "needsJobs";
}

export async function status(ctx: QueryCtx): Promise<Rest> {
  return (await read(ctx))?.status ?? "needsJobs";
}

/**
 * Net under the chain: starts it again if a scheduled pass never ran or failed. That pass is careful:
 * if one job makes passes fail, it is set aside. A chain that waits for a fit looks again.
 */
export async function revive(ctx: MutationCtx): Promise<void> {
  const row = await read(ctx);
  if (row?.status === "scheduled" && row.since + STALLED_MS < Clock.now()) {
    await schedule(ctx, true);
  }
  if (row?.status === "needsMatch") await schedule(ctx);
}

async function read(ctx: QueryCtx): Promise<Doc<"dispatcher"> | null> {
  return ctx.db.query("dispatcher").first();
}

async function write(ctx: MutationCtx, status: Rest, turn?: Turn): Promise<number> {
  const row = await read(ctx);
  const generation = (row?.generation ?? 0) + 1;
  const next = { status, generation, since: Clock.now(), ...turn };
  if (row === null) await ctx.db.insert("dispatcher", next);
  else await ctx.db.patch("dispatcher", row._id, next);
  return generation;
}

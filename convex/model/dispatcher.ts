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

export type Row = Doc<"dispatcher">;

/** Reports what may let a sleeping dispatcher assign something; `found` is its row, if it was read. */
export async function notify(ctx: MutationCtx, news: News, found?: Row | null): Promise<void> {
  const row = found === undefined ? await read(ctx) : found;
  if (row === null || isWokenBy(row, news)) await goOn(ctx, row, {});
}

/** Schedules the next pass; passes scheduled before are void. */
export async function schedule(ctx: MutationCtx): Promise<void> {
  await goOn(ctx, await read(ctx), {});
}

/** The chain's row, if a scheduled pass is the current one of the chain; else null. */
export async function current(ctx: MutationCtx, generation: number): Promise<Row | null> {
  const row = await read(ctx);
  return row?.status === "scheduled" && row.generation === generation ? row : null;
}

/**
 * Ends the pass that found this row: goes on, or sleeps until what lacks appears. The row is as it was:
 * while a pass is scheduled, nobody writes it but who voids that pass.
 */
export async function settle(
  ctx: MutationCtx,
  row: Row,
  { rest, unfit, turn }: { rest: Rest; unfit?: string[]; turn: Turn },
): Promise<void> {
  const next = { picks: turn.picks % PICKS_PER_OLDEST, laneCursor: turn.laneCursor };
  if (rest === "scheduled") await goOn(ctx, row, next);
  else await write(ctx, row, { ...next, status: rest, ...(unfit && { unfit }) });
}

/** Whether nobody waits in the queue, as far as the dispatcher knows. */
export function isIdle(row: Row | null): boolean {
  return row === null || row.status === "needsJobs";
}

export async function status(ctx: QueryCtx): Promise<Rest> {
  return (await read(ctx))?.status ?? "needsJobs";
}

/**
 * Net under the chain: starts it again if a scheduled pass never ran. A chain that waits for a fit
 * looks again. `since` stays that of the pass that did not run, so that passes which all fail are seen.
 */
export async function revive(ctx: MutationCtx): Promise<void> {
  const row = await read(ctx);
  if (row?.status === "scheduled" && row.since + STALLED_MS < Clock.now()) {
    await goOn(ctx, row, { since: row.since });
  }
  if (row?.status === "needsMatch") await goOn(ctx, row, {});
}

/** The chain's row; null before its first pass. */
export async function read(ctx: QueryCtx): Promise<Row | null> {
  return ctx.db.query("dispatcher").first();
}

async function goOn(
  ctx: MutationCtx,
  row: Row | null,
  more: Partial<Turn> & { since?: number },
): Promise<void> {
  const generation = await write(ctx, row, { ...more, status: "scheduled" });
  await ctx.scheduler.runAfter(0, internal.dispatch.pass, { generation });
}

async function write(
  ctx: MutationCtx,
  row: Row | null,
  change: Partial<Turn> & { status: Rest; since?: number; unfit?: string[] },
): Promise<number> {
  const generation = (row?.generation ?? 0) + 1;
  const next = { since: Clock.now(), ...change, generation };
  if (row === null) await ctx.db.insert("dispatcher", next);
  else await ctx.db.patch("dispatcher", row._id, { unfit: undefined, ...next });
  return generation;
}

import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { oldestPicks } from "../domain/dispatch.js";
import { DISPATCH_BATCH, LANES_PER_PASS, POOLS_PER_PASS } from "../protocol/limits.js";
import type { Turn } from "./dispatcher.js";
import * as Slots from "./slots.js";

/** The heads of the queue's lanes and of the pools of free slots. */

export type Candidates = {
  urgent: Doc<"jobs">[];
  oldest: Doc<"jobs">[];
  slots: Doc<"slots">[];
  /** Where the next pass goes on; "" when all lanes were seen. */
  laneCursor: string;
};

/**
 * What the next pass may pair. It reads one row where one job waits; else at most POOLS_PER_PASS ×
 * DISPATCH_BATCH slots, and for each of at most LANES_PER_PASS lanes as many jobs as there are slots.
 */
export async function candidates(ctx: QueryCtx, { picks, laneCursor }: Turn): Promise<Candidates> {
  const none = { urgent: [], oldest: [], slots: [], laneCursor: "" };
  const first = await ctx.db
    .query("jobs")
    .withIndex("by_ready", (q) => q.eq("state.kind", "pending"))
    .take(2);
  if (first.length === 0) return none;
  const isAlone = first.length < 2;
  const seen = isAlone
    ? { lanes: first.map((job) => job.lane), cursor: "" }
    : await lanes(ctx, laneCursor);
  const slots = await slotsFor(ctx, seen.lanes, isAlone ? 1 : DISPATCH_BATCH);
  if (slots.length === 0) return none;
  if (isAlone) return { urgent: first, oldest: [], slots, laneCursor: "" };
  const urgent: Doc<"jobs">[] = [];
  const oldest: Doc<"jobs">[] = [];
  const count = Math.min(slots.length, DISPATCH_BATCH);
  const reserved = oldestPicks(picks, count);
  for (const lane of seen.lanes) {
    urgent.push(...(await mostUrgent(ctx, lane, count)));
    if (reserved > 0) oldest.push(...(await eldest(ctx, lane, reserved)));
  }
  return { urgent, oldest, slots, laneCursor: seen.cursor };
}

/**
 * Lanes in which a job waits, by skipping from each to the next: one row a lane. With more lanes than
 * one look may take, the next look goes on where this one ended.
 */
export async function lanes(
  ctx: QueryCtx,
  cursor: string,
): Promise<{ lanes: string[]; cursor: string }> {
  const found: string[] = [];
  let after = cursor === "" ? null : cursor;
  while (found.length < LANES_PER_PASS) {
    const job = await firstAfter(ctx, after);
    if (job === null) {
      if (after === null || cursor === "") return { lanes: found, cursor: "" };
      // Wraps round to the lanes before the cursor.
      return { lanes: [...found, ...(await lanesUpTo(ctx, cursor, found.length))], cursor: "" };
    }
    found.push(job.lane);
    after = job.lane;
  }
  return { lanes: found, cursor: after ?? "" };
}

async function lanesUpTo(ctx: QueryCtx, last: string, count: number): Promise<string[]> {
  const found: string[] = [];
  let after: string | null = null;
  while (found.length + count < LANES_PER_PASS) {
    const job = await firstAfter(ctx, after);
    if (job === null || job.lane > last) break;
    found.push(job.lane);
    after = job.lane;
  }
  return found;
}

async function firstAfter(ctx: QueryCtx, after: string | null): Promise<Doc<"jobs"> | null> {
  return ctx.db
    .query("jobs")
    .withIndex("by_ready", (q) =>
      after === null
        ? q.eq("state.kind", "pending")
        : q.eq("state.kind", "pending").gt("lane", after),
    )
    .first();
}

/** The job that is longest in the queue, of the lanes that one look takes. */
export async function oldest(ctx: QueryCtx): Promise<Doc<"jobs"> | null> {
  const heads: Doc<"jobs">[] = [];
  for (const lane of (await lanes(ctx, "")).lanes) heads.push(...(await eldest(ctx, lane, 1)));
  return heads.reduce<Doc<"jobs"> | null>(
    (first, job) =>
      first === null || committed(job.readyTs) < committed(first.readyTs) ? job : first,
    null,
  );
}

/** Free slots for these lanes: any, where no job asks for labels; else some of each pool. */
async function slotsFor(
  ctx: QueryCtx,
  wanted: readonly string[],
  limit: number,
): Promise<Doc<"slots">[]> {
  if (wanted.every((lane) => lane === "")) return Slots.first(ctx, limit);
  const slots: Doc<"slots">[] = [];
  for (const pool of await pools(ctx)) slots.push(...(await Slots.ofPool(ctx, pool, limit)));
  return slots;
}

/** Pools with a free slot, by skipping from each to the next. */
export async function pools(ctx: QueryCtx): Promise<string[]> {
  const found: string[] = [];
  let after: string | null = null;
  while (found.length < POOLS_PER_PASS) {
    const slot = await Slots.firstOfPoolsAfter(ctx, after);
    if (slot === null) break;
    found.push(slot.pool);
    after = slot.pool;
  }
  return found;
}

async function mostUrgent(ctx: QueryCtx, lane: string, limit: number): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_ready", (q) => q.eq("state.kind", "pending").eq("lane", lane))
    .take(limit);
}

async function eldest(ctx: QueryCtx, lane: string, limit: number): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_age", (q) => q.eq("state.kind", "pending").eq("lane", lane))
    .take(limit);
}

/** How many jobs executors hold, counted up to a limit. */
export async function countHeld(ctx: QueryCtx, limit: number): Promise<number> {
  let count = 0;
  for (const kind of ["assigned", "running"] as const) {
    const rows = await ctx.db
      .query("jobs")
      .withIndex("by_state", (q) => q.eq("state.kind", kind))
      .take(limit - count);
    count += rows.length;
    if (count >= limit) break;
  }
  return count;
}

/** A job as the choice sees it. */
export function waiting(job: Doc<"jobs">) {
  const { _id: id, lane, priority, rank, readyTs } = job;
  return { id, lane, priority, rank, readyTs: committed(readyTs) };
}

/** A slot as the choice sees it. */
export function free({ _id: id, pool, ordinal, freedTs }: Doc<"slots">) {
  return { id, pool, ordinal, freedTs: committed(freedTs) };
}

/** A commit timestamp as it was read; the placeholder for one occurs only in what is being written. */
function committed(ts: Doc<"slots">["freedTs"] | undefined): bigint {
  return typeof ts === "bigint" ? ts : 0n;
}

import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as RollUp from "../domain/rollup.js";
import * as Clock from "../lib/clock.js";
import { HEALTH_COUNT_MAX, SAMPLE_EXECUTORS_MAX, SPEND_KEYS_MAX } from "../protocol/limits.js";
import {
  type Bucket,
  LEVEL_MS,
  type Level,
  type QueueNow,
  RANGES,
  type Range,
  type Ranking,
  type Sample,
  type Series,
  type Spend,
} from "../protocol/metrics.js";
import { BEGINNING, type Cursor, type Piece } from "./facts.js";
import * as Lines from "./lines.js";

/**
 * Buckets, and how far they have come. One chain writes them, so nothing else ever waits for a bucket;
 * the events it reads are written once and by nobody again.
 */

const LEVELS: readonly Level[] = ["minute", "hour", "day", "all"];

/** Where the roll-up is; null before its first run. */
export async function progress(ctx: QueryCtx): Promise<Doc<"rollUp"> | null> {
  return ctx.db.query("rollUp").first();
}

/** The place from which to read on. */
export function cursorOf(row: Doc<"rollUp"> | null): Cursor {
  return row === null ? BEGINNING : { ts: row.ts, creationTime: row.creationTime };
}

/** Adds a piece of the stream, and what a look at the queue showed, to the buckets. Hands out the generation. */
export async function add(
  ctx: MutationCtx,
  row: Doc<"rollUp"> | null,
  { piece, sample }: { piece: Piece; sample: Sample | null },
): Promise<number> {
  const now = Clock.now();
  for (const level of LEVELS) {
    const buckets = RollUp.fold(level, piece.facts);
    if (sample !== null) {
      const start = RollUp.startOf(level, now);
      const before = buckets.get(start) ?? RollUp.empty();
      buckets.set(start, RollUp.merge(before, RollUp.bucketOfSample(sample)));
    }
    for (const [start, bucket] of buckets) await addTo(ctx, { level, start }, bucket);
  }
  const states = { ...row?.states };
  for (const [state, by] of Object.entries(piece.moves)) states[state] = (states[state] ?? 0) + by;
  const next = {
    generation: (row?.generation ?? 0) + (sample === null ? 0 : 1),
    ...piece.cursor,
    states,
    rolledAt: now,
    sample: sample ?? row?.sample ?? NO_SAMPLE,
    isBehind: !piece.isDone,
  };
  if (row === null) await ctx.db.insert("rollUp", next);
  else await ctx.db.patch("rollUp", row._id, next);
  return next.generation;
}

/** Takes from the counters of live jobs what they count too much. */
export async function correct(ctx: MutationCtx, off: Record<string, number>): Promise<void> {
  const row = await progress(ctx);
  if (row === null) return;
  const states = { ...row.states };
  for (const [state, by] of Object.entries(off)) states[state] = (states[state] ?? 0) - by;
  await ctx.db.patch("rollUp", row._id, { states });
}

const NO_SAMPLE: Sample = { pending: 0, held: 0, oldestMs: 0, executors: 0, slots: 0 };

async function addTo(
  ctx: MutationCtx,
  at: { level: Level; start: number },
  bucket: Bucket,
): Promise<void> {
  const row = await find(ctx, at);
  if (row === null) await ctx.db.insert("metrics", { ...at, ...bucket });
  else await ctx.db.patch("metrics", row._id, RollUp.merge(row, bucket));
}

async function find(
  ctx: QueryCtx,
  { level, start }: { level: Level; start: number },
): Promise<Doc<"metrics"> | null> {
  return ctx.db
    .query("metrics")
    .withIndex("by_start", (q) => q.eq("level", level).eq("start", start))
    .unique();
}

/** All that was ever counted. */
export async function total(ctx: QueryCtx): Promise<Bucket> {
  return (await find(ctx, { level: "all", start: 0 })) ?? RollUp.empty();
}

/** The buckets of this level from this time on, oldest first, at most `limit`. */
export async function since(
  ctx: QueryCtx,
  from: { level: Level; start: number },
  limit: number,
): Promise<Doc<"metrics">[]> {
  return ctx.db
    .query("metrics")
    .withIndex("by_start", (q) => q.eq("level", from.level).gte("start", from.start))
    .take(limit);
}

/** What is pending, held and on offer; each read is bounded. */
export async function look(ctx: QueryCtx, row: Doc<"rollUp"> | null): Promise<Sample> {
  const online = await ctx.db
    .query("executors")
    .withIndex("by_presence", (q) => q.eq("presence", "online"))
    .take(SAMPLE_EXECUTORS_MAX);
  const oldest = await oldestPending(ctx);
  return {
    pending: row?.states["pending"] ?? 0,
    held: (row?.states["assigned"] ?? 0) + (row?.states["running"] ?? 0),
    oldestMs: oldest === null ? 0 : Math.max(0, Clock.now() - oldest),
    executors: online.length,
    slots: online.reduce((sum, executor) => sum + executor.slots, 0),
  };
}

/** Since when the job that has been pending longest is pending; null when none is. */
export async function oldestPending(ctx: QueryCtx): Promise<number | null> {
  const head = await Lines.oldest(ctx);
  if (head === null) return null;
  const last = await ctx.db
    .query("events")
    .withIndex("by_job", (q) => q.eq("jobId", head._id).eq("seq", head.events - 1))
    .unique();
  return last?.at ?? null;
}

/** The queue as it is now. */
export async function now(ctx: QueryCtx): Promise<QueueNow> {
  const row = await progress(ctx);
  const pending = await ctx.db
    .query("jobs")
    .withIndex("by_state", (q) => q.eq("state.kind", "pending"))
    .take(HEALTH_COUNT_MAX);
  const online = await ctx.db
    .query("executors")
    .withIndex("by_presence", (q) => q.eq("presence", "online"))
    .take(SAMPLE_EXECUTORS_MAX);
  return {
    rolledAt: row?.rolledAt ?? null,
    states: row?.states ?? {},
    pendingUpTo: pending.length,
    oldestPendingSince: await oldestPending(ctx),
    executorsOnline: online.length,
    slots: online.reduce((sum, executor) => sum + executor.slots, 0),
  };
}

type Window = { level: Level; starts: number[]; rows: Map<number, Doc<"metrics">> };

/** The buckets of a range up to the roll-up's last run; the answer changes only when it runs. */
async function read(ctx: QueryCtx, range: Range, rolledAt: number | null): Promise<Window> {
  const { level, buckets } = RANGES[range];
  if (rolledAt === null) return { level, starts: [], rows: new Map() };
  const last = RollUp.startOf(level, rolledAt);
  const first = last - (buckets - 1) * LEVEL_MS[level];
  const found = await since(ctx, { level, start: first }, buckets);
  const rows = new Map(found.map((row) => [row.start, row]));
  return {
    level,
    rows,
    starts: Array.from({ length: buckets }, (_, i) => first + i * LEVEL_MS[level]),
  };
}

/** A range bucket by bucket. */
export async function series(ctx: QueryCtx, range: Range): Promise<Series> {
  const rolledAt = (await progress(ctx))?.rolledAt ?? null;
  const { level, starts, rows } = await read(ctx, range, rolledAt);
  const points = starts.map((start) => ({
    start,
    ...RollUp.figuresOf(rows.get(start) ?? RollUp.empty()),
  }));
  return { level, bucketMs: LEVEL_MS[level], rolledAt, points };
}

/** A range added up. */
export async function summed(ctx: QueryCtx, range: Range) {
  const rolledAt = (await progress(ctx))?.rolledAt ?? null;
  const { rows } = await read(ctx, range, rolledAt);
  return { rolledAt, figures: RollUp.figuresOf(sum([...rows.values()])) };
}

/** What a range cost. */
export async function spend(ctx: QueryCtx, range: Range): Promise<Spend> {
  const { starts, rows } = await read(ctx, range, (await progress(ctx))?.rolledAt ?? null);
  const all = sum([...rows.values()]);
  return {
    costUsd: RollUp.dollars(all.micros),
    tokens: all.tokens,
    repositories: inDollars(all.repositories),
    users: inDollars(all.users),
    models: inDollars(all.models),
    points: starts.map((start) => {
      const { micros, tokens } = rows.get(start) ?? RollUp.empty();
      const count = tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation;
      return { start, costUsd: RollUp.dollars(micros), tokens: count };
    }),
  };
}

/** Adds buckets up; names are dropped only at the end, so that who spent a little each day is seen. */
function sum(buckets: readonly Bucket[]): Bucket {
  const all = buckets.reduce((a, b) => RollUp.merge(a, b, Infinity), RollUp.empty());
  return RollUp.merge(all, RollUp.empty(), SPEND_KEYS_MAX);
}

function inDollars({ top, other }: Ranking) {
  return {
    top: top.map(({ micros, ...row }) => ({ ...row, costUsd: RollUp.dollars(micros) })),
    other: {
      costUsd: RollUp.dollars(other.micros),
      tokens: other.tokens,
      attempts: other.attempts,
    },
  };
}

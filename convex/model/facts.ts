import type { Doc, Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import { countable } from "../domain/budget.js";
import { nameOf } from "../domain/repository.js";
import { microsOf } from "../domain/rollup.js";
import { ROLLUP_EVENTS_MAX, ROLLUP_REPORT_CHARS_MAX } from "../protocol/limits.js";
import type { Fact } from "../protocol/metrics.js";

/** Place in the stream of all events: those up to and including it were read. */
export type Cursor = { ts: bigint; creationTime: number };
export const BEGINNING: Cursor = { ts: 0n, creationTime: 0 };

/** What a piece of the stream says; `moves` is by how much the jobs in each live state grew. */
export type Piece = {
  facts: Fact[];
  moves: Record<string, number>;
  cursor: Cursor;
  isDone: boolean;
};

/** Rows of the table of transitions in which an attempt is under way. */
const HELD: readonly string[] = ["assigned", "running", "canceling"];
/** Rows of that table that are no state of their own. */
const STATE_OF_ROW: Record<string, string> = {
  canceling: "running",
  held: "waiting",
  asking: "waiting",
};
const TERMINAL = ["succeeded", "failed", "canceled"] as const;

/**
 * Reads events in the order of their commits, at most ROLLUP_EVENTS_MAX, and fewer where the reports
 * of their attempts are large. A transaction's events share a timestamp; the cursor stands within it.
 */
export async function read(ctx: QueryCtx, after: Cursor): Promise<Piece> {
  const events = await following(ctx, after, ROLLUP_EVENTS_MAX);
  const piece: Piece = { facts: [], moves: {}, cursor: after, isDone: true };
  let chars = 0;
  for (const [i, event] of events.entries()) {
    const told = await factsOf(ctx, event);
    piece.facts.push(...told.facts);
    move(piece.moves, event);
    piece.cursor = placeOf(event);
    chars += told.chars;
    if (chars >= ROLLUP_REPORT_CHARS_MAX && i < events.length - 1) {
      return { ...piece, isDone: false };
    }
  }
  return { ...piece, isDone: events.length < ROLLUP_EVENTS_MAX };
}

/** The events after a place: the rest of its transaction, then later ones. */
export async function following(
  ctx: QueryCtx,
  { ts, creationTime }: Cursor,
  limit: number,
): Promise<Doc<"events">[]> {
  const rest = await ctx.db
    .query("events")
    .withIndex("by_commit", (q) => q.eq("ts", ts).gt("_creationTime", creationTime))
    .take(limit);
  if (rest.length === limit) return rest;
  const later = await ctx.db
    .query("events")
    .withIndex("by_commit", (q) => q.gt("ts", ts))
    .take(limit - rest.length);
  return [...rest, ...later];
}

/** The place of an event in the stream. */
export function placeOf({ ts, _creationTime }: Doc<"events">): Cursor {
  // A placeholder is read only by the transaction that wrote it.
  if (typeof ts !== "bigint") throw new Error("An event is read by its own transaction");
  return { ts, creationTime: _creationTime };
}

/** What an event adds to the counts, and how much text had to be read for it. */
async function factsOf(
  ctx: QueryCtx,
  event: Doc<"events">,
): Promise<{ facts: Fact[]; chars: number }> {
  const { at } = event;
  const facts: Fact[] = [];
  let chars = 0;
  if (event.cause === "submit") facts.push({ kind: "submitted", at });
  if (event.to === "assigned") facts.push({ kind: "assigned", at, waitMs: await wait(ctx, event) });
  if (HELD.includes(event.from) && !HELD.includes(event.to)) {
    const attempt = await attemptOf(ctx, event);
    const { result, changes } = attempt?.report ?? {};
    chars = (result?.length ?? 0) + (changes?.patch.length ?? 0);
    if (attempt !== null) facts.push(await ended(ctx, event, attempt));
  }
  const state = TERMINAL.find((kind) => kind === event.to);
  if (state !== undefined && event.from !== event.to) facts.push({ kind: "job", at, state });
  return { facts, chars };
}

/** How long the job had waited since what put it where it was assigned from. */
async function wait(ctx: QueryCtx, event: Doc<"events">): Promise<number> {
  if (event.cause === "submit") return 0;
  const before = await ctx.db
    .query("events")
    .withIndex("by_job", (q) => q.eq("jobId", event.jobId).eq("seq", event.seq - 1))
    .unique();
  return Math.max(0, event.at - (before?.at ?? event.at));
}

async function attemptOf(ctx: QueryCtx, event: Doc<"events">): Promise<Doc<"attempts"> | null> {
  return ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", event.jobId).eq("attempt", event.attempt))
    .unique();
}

async function ended(ctx: QueryCtx, event: Doc<"events">, attempt: Doc<"attempts">): Promise<Fact> {
  const { end, report, spend, startedAt } = attempt;
  return {
    kind: "attempt",
    at: event.at,
    end: end.kind,
    ...(end.reason === undefined ? {} : { reason: end.reason }),
    isRetried: !TERMINAL.some((kind) => kind === event.to),
    ...(startedAt === undefined ? {} : { runMs: Math.max(0, event.at - startedAt) }),
    micros: microsOf(report?.costUsd ?? spend?.costUsd ?? 0),
    overshoot: microsOf(spend?.overshootUsd ?? 0),
    tokens: countable(report?.tokens ?? spend?.tokens),
    ...(await causeOf(ctx, event.jobId, report?.model)),
  };
}

/** On whose behalf an attempt cost what it cost; a job that is gone is not known any more. */
async function causeOf(ctx: QueryCtx, jobId: Id<"jobs">, reportedModel: string | undefined) {
  const job = await ctx.db.get("jobs", jobId);
  return {
    repository: job === null ? UNKNOWN : nameOf(job.spec.repository),
    user: job?.submittedBy ?? UNKNOWN,
    model: reportedModel ?? job?.spec.limits.model ?? UNKNOWN,
  };
}

const UNKNOWN = "unknown";

/** Counts a job out of the state it left and into the one it reached; terminal states are not counted. */
export function move(moves: Record<string, number>, { from, to }: Doc<"events">): void {
  const add = (row: string, by: number) => {
    if (row === "none" || TERMINAL.some((kind) => kind === row)) return;
    const state = STATE_OF_ROW[row] ?? row;
    moves[state] = (moves[state] ?? 0) + by;
  };
  add(from, -1);
  add(to, 1);
}

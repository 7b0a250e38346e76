import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as LogTail from "../domain/logTail.js";
import { fail } from "../lib/errors.js";
import type { LogChunk, LogEntry, LogTail as LogTailView } from "../protocol/log.js";

/** Appends entries to the log of a job's current attempt. Hands out the sequence number to go on from. */
export async function append(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  batch: { seq: number; entries: LogEntry[] },
): Promise<number> {
  const { _id: jobId, attempt } = job;
  const row = await find(ctx, jobId, attempt);
  const { after, sealed } = LogTail.append(row ?? LogTail.EMPTY, batch.seq, batch.entries);
  for (const chunk of sealed) await ctx.db.insert("logChunks", { jobId, attempt, ...chunk });
  const { nextSeq, sealedChunks, tailSeq, tail, dropped } = after;
  const next = { nextSeq, sealedChunks, tailSeq, tail, dropped };
  if (row === null) await ctx.db.insert("logTails", { jobId, attempt, ...next });
  else if (nextSeq !== row.nextSeq) await ctx.db.patch("logTails", row._id, next);
  return nextSeq;
}

/**
 * The live end of a log; empty before the first entry. With `after`, of entries from that number on: those of
 * the chunk that was sealed last too, so that a reader who keeps up is sent each entry once.
 */
export async function tail(
  ctx: QueryCtx,
  of: { jobId: Id<"jobs">; attempt: number; after?: number },
): Promise<LogTailView> {
  const { sealedChunks, ...row } = (await find(ctx, of.jobId, of.attempt)) ?? LogTail.EMPTY;
  const { after } = of;
  if (after === undefined) return { sealedChunks, tailSeq: row.tailSeq, tail: row.tail };
  if (!Number.isInteger(after)) {
    throw fail("INVALID_ARGUMENT", `after is ${after}; it is the number of an entry.`);
  }
  if (after < row.tailSeq) {
    const last = await chunk(ctx, { ...of, index: sealedChunks - 1 });
    if (after >= last.firstSeq) {
      const tail = [...last.entries.slice(after - last.firstSeq), ...row.tail];
      return { sealedChunks, tailSeq: after, tail };
    }
  }
  const known = Math.min(Math.max(0, after - row.tailSeq), row.tail.length);
  return { sealedChunks, tailSeq: row.tailSeq + known, tail: row.tail.slice(known) };
}

/** Sealed chunks from this index on, at most `limit`; none where none is sealed yet. */
export async function chunks(
  ctx: QueryCtx,
  of: { jobId: Id<"jobs">; attempt: number; from: number },
  limit: number,
): Promise<LogChunk[]> {
  const rows = await ctx.db
    .query("logChunks")
    .withIndex("by_attempt", (q) =>
      q.eq("jobId", of.jobId).eq("attempt", of.attempt).gte("index", of.from),
    )
    .take(limit);
  return rows.map(({ index, firstSeq, entries }) => ({ index, firstSeq, entries }));
}

/** One sealed chunk; throws NOT_FOUND. */
export async function chunk(
  ctx: QueryCtx,
  of: { jobId: Id<"jobs">; attempt: number; index: number },
): Promise<{ firstSeq: number; entries: LogEntry[] }> {
  const row = await ctx.db
    .query("logChunks")
    .withIndex("by_attempt", (q) =>
      q.eq("jobId", of.jobId).eq("attempt", of.attempt).eq("index", of.index),
    )
    .unique();
  if (row === null) throw fail("NOT_FOUND", `Chunk ${of.index} of this log is not sealed yet.`);
  return { firstSeq: row.firstSeq, entries: row.entries };
}

async function find(ctx: QueryCtx, jobId: Id<"jobs">, attempt: number) {
  return ctx.db
    .query("logTails")
    .withIndex("by_attempt", (q) => q.eq("jobId", jobId).eq("attempt", attempt))
    .unique();
}

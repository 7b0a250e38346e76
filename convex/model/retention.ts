import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isTerminal } from "../domain/lifecycle.js";
import { DAYS_DEFAULT } from "../domain/retention.js";
import {
  AFTER_MAX,
  ARTIFACTS_MAX,
  BATCH_SIZE_MAX,
  PRUNE_ATTEMPTS,
  PRUNE_BATCH,
  PRUNE_CHUNKS,
  PRUNE_EVENTS,
  PRUNE_JOBS,
  PRUNE_TAILS,
  PRUNE_TALK,
} from "../protocol/limits.js";
import type {
  RetentionDays,
  RetentionKind,
  RetentionStep,
  RowCounts,
} from "../protocol/retention.js";
import * as Artifacts from "./artifacts.js";
import * as Batches from "./batches.js";
import * as Checkpoints from "./checkpoints.js";
import * as Questions from "./questions.js";
import * as Steering from "./steering.js";
import * as Dependencies from "./dependencies.js";
import * as Expired from "./expired.js";
import { older } from "./older.js";

/**
 * Deletes what is old, a bounded step at a time, in the order of creation; the cursor is the creation
 * time (of buckets: the start) of the last row that was looked at, so what must stay is passed by and
 * a step that died is simply made again. Children go before what they belong to.
 */

/** A writer when rows are to go; null in a dry run, which only counts. */
type Deleter = MutationCtx | null;
export type Where = { kind: RetentionKind; before: number; cursor: number };

/** What would go in this step. */
export async function preview(ctx: QueryCtx, where: Where): Promise<RetentionStep> {
  return step(ctx, null, where);
}

/** Deletes what this step finds. */
export async function remove(ctx: MutationCtx, where: Where): Promise<RetentionStep> {
  return step(ctx, ctx, where);
}

async function step(ctx: QueryCtx, deleter: Deleter, where: Where): Promise<RetentionStep> {
  return STEPS[where.kind](ctx, deleter, where);
}

type Step = (ctx: QueryCtx, deleter: Deleter, where: Where) => Promise<RetentionStep>;

const STEPS: Record<RetentionKind, Step> = {
  expired: (ctx, deleter, where) =>
    deleter === null ? Expired.preview(ctx, where) : Expired.remove(deleter),
  logs,
  jobs,
  batches,
  operations,
  minutes: (ctx, deleter, where) => buckets(ctx, deleter, { ...where, level: "minute" }),
  hours: (ctx, deleter, where) => buckets(ctx, deleter, { ...where, level: "hour" }),
  days: (ctx, deleter, where) => buckets(ctx, deleter, { ...where, level: "day" }),
  audit,
  alerts,
  deliveries,
  executors,
};

async function audit(ctx: QueryCtx, deleter: Deleter, where: Where): Promise<RetentionStep> {
  const rows = await older(ctx, "audit", where);
  for (const row of rows) await deleter?.db.delete("audit", row._id);
  return stepOf(rows, { audit: rows.length });
}

async function deliveries(ctx: QueryCtx, deleter: Deleter, where: Where): Promise<RetentionStep> {
  const rows = await older(ctx, "outbox", where);
  const over = rows.filter((row) => row.status === "sent" || row.status === "failed");
  for (const row of over) await deleter?.db.delete("outbox", row._id);
  return stepOf(rows, { outbox: over.length });
}

function stepOf(rows: readonly { _creationTime: number }[], counts: RowCounts): RetentionStep {
  const cursor = rows.at(-1)?._creationTime ?? 0;
  return { rows: counts, cursor, isDone: rows.length < PRUNE_BATCH };
}

async function alerts(ctx: QueryCtx, deleter: Deleter, where: Where): Promise<RetentionStep> {
  const rows = await older(ctx, "alerts", where);
  const over = rows.filter((row) => row.resolvedAt !== undefined && row.resolvedAt < where.before);
  for (const row of over) await deleter?.db.delete("alerts", row._id);
  return stepOf(rows, { alerts: over.length });
}

/** Revoked executors that no attempt names any more; a machine that comes back finds the others. */
async function executors(ctx: QueryCtx, deleter: Deleter, where: Where): Promise<RetentionStep> {
  const rows = await older(ctx, "executors", where);
  let gone = 0;
  for (const row of rows) {
    if (!row.revoked || row.presenceSince >= where.before) continue;
    const attempt = await ctx.db
      .query("attempts")
      .withIndex("by_executor", (q) => q.eq("executorId", row._id))
      .first();
    if (attempt !== null) continue;
    await deleter?.db.delete("executors", row._id);
    gone += 1;
  }
  return stepOf(rows, { executors: gone });
}

async function buckets(
  ctx: QueryCtx,
  deleter: Deleter,
  { level, before, cursor }: Where & { level: "minute" | "hour" | "day" },
): Promise<RetentionStep> {
  const rows = await ctx.db
    .query("metrics")
    .withIndex("by_start", (q) => q.eq("level", level).gt("start", cursor).lt("start", before))
    .take(PRUNE_BATCH);
  for (const row of rows) await deleter?.db.delete("metrics", row._id);
  return {
    rows: { metrics: rows.length },
    cursor: rows.at(-1)?.start ?? 0,
    isDone: rows.length < PRUNE_BATCH,
  };
}

/** Logs of attempts that ended before; a log too long for one step goes on in the next. */
async function logs(
  ctx: QueryCtx,
  deleter: Deleter,
  { before, cursor }: Where,
): Promise<RetentionStep> {
  const tails = await ctx.db
    .query("logTails")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor).lt("_creationTime", before))
    .take(PRUNE_TAILS);
  const rows: RowCounts = { logTails: 0, logChunks: 0 };
  let reached = cursor;
  for (const tail of tails) {
    if (await isOldLog(ctx, tail, before)) {
      const { gone, isAll } = await removeChunks(ctx, deleter, tail);
      rows["logChunks"] = (rows["logChunks"] ?? 0) + gone;
      if (!isAll) return { rows, cursor: reached, isDone: false };
      rows["logTails"] = (rows["logTails"] ?? 0) + 1;
      await deleter?.db.delete("logTails", tail._id);
    }
    reached = tail._creationTime;
    if ((rows["logChunks"] ?? 0) >= PRUNE_CHUNKS) return { rows, cursor: reached, isDone: false };
  }
  return { rows, cursor: reached, isDone: tails.length < PRUNE_TAILS };
}

/** Whether a log's attempt ended before; one whose attempt is gone, and not under way, is nobody's. */
async function isOldLog(ctx: QueryCtx, tail: Doc<"logTails">, before: number): Promise<boolean> {
  const attempt = await ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", tail.jobId).eq("attempt", tail.attempt))
    .first();
  if (attempt !== null) return attempt.end.at < before;
  const job = await ctx.db.get("jobs", tail.jobId);
  return job?.live === undefined || job.attempt !== tail.attempt;
}

async function removeChunks(
  ctx: QueryCtx,
  deleter: Deleter,
  { jobId, attempt, sealedChunks }: Doc<"logTails">,
): Promise<{ gone: number; isAll: boolean }> {
  // Chunks are numbered without gaps, so a dry run need not read them.
  if (deleter === null) return { gone: sealedChunks, isAll: true };
  const chunks = await ctx.db
    .query("logChunks")
    .withIndex("by_attempt", (q) => q.eq("jobId", jobId).eq("attempt", attempt))
    .take(PRUNE_CHUNKS);
  for (const chunk of chunks) await deleter.db.delete("logChunks", chunk._id);
  return { gone: chunks.length, isAll: chunks.length < PRUNE_CHUNKS };
}

/** Jobs that ended before and that nothing refers to, with all that is theirs. */
async function jobs(
  ctx: QueryCtx,
  deleter: Deleter,
  { before, cursor }: Where,
): Promise<RetentionStep> {
  const found = await ctx.db
    .query("jobs")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor).lt("_creationTime", before))
    .take(PRUNE_JOBS);
  const rows: RowCounts = {};
  const count = (table: string, by: number) => (rows[table] = (rows[table] ?? 0) + by);
  let reached = cursor;
  for (const job of found) {
    if (isOver(job, before) && !(await isReferenced(ctx, job))) {
      const isAll =
        deleter === null ? await countJob(ctx, job, count) : await removeJob(deleter, job, count);
      if (!isAll) return { rows, cursor: reached, isDone: false };
    }
    reached = job._creationTime;
    if (isFull(rows)) return { rows, cursor: reached, isDone: false };
  }
  return { rows, cursor: reached, isDone: found.length < PRUNE_JOBS };
}

/** Whether a step has deleted as much as one transaction should. */
function isFull({ attempts = 0, events = 0, steering = 0, questions = 0 }: RowCounts): boolean {
  return attempts >= PRUNE_ATTEMPTS || events >= PRUNE_EVENTS || steering + questions >= PRUNE_TALK;
}

function isOver({ state }: Doc<"jobs">, before: number): boolean {
  return isTerminal(state.kind) && "endedAt" in state && state.endedAt < before;
}

/** Whether a job still waits to be told of its end, or a batch it is of has a job that has not ended. */
async function isReferenced(ctx: QueryCtx, job: Doc<"jobs">): Promise<boolean> {
  if ((await Dependencies.dependents(ctx, job._id, 1)).length > 0) return true;
  const { origin } = job;
  if (origin === undefined || !Batches.isBatch(origin)) return false;
  const siblings = await ctx.db
    .query("jobs")
    .withIndex("by_origin", (q) => q.eq("origin", origin))
    .take(BATCH_SIZE_MAX);
  return siblings.some((sibling) => !isTerminal(sibling.state.kind));
}

type Count = (table: string, by: number) => void;

/** Artifacts of a job that a dry run counts, at most. */
const ARTIFACTS_COUNTED_MAX = 8 * ARTIFACTS_MAX;

async function countJob(ctx: QueryCtx, job: Doc<"jobs">, count: Count): Promise<true> {
  count("jobs", 1);
  count("prompts", 1);
  count("attempts", job.attempt);
  count("events", job.events);
  if (job.steered !== undefined) count("steering", job.steered);
  if (job.asked !== undefined) count("questions", job.asked);
  const artifacts = await Artifacts.count(ctx, job._id, ARTIFACTS_COUNTED_MAX);
  if (artifacts > 0) count("artifacts", artifacts);
  return true;
}

/**
 * Deletes a job. What is left of its logs goes first, then, while there is more than one transaction
 * may hold, its oldest attempts and events; last, in one transaction, the rest with the job itself: a
 * person who retries it meanwhile finds its current attempt. Hands out whether all is gone.
 */
async function removeJob(ctx: MutationCtx, job: Doc<"jobs">, count: Count): Promise<boolean> {
  if (!(await removeLogs(ctx, job._id, count))) return false;
  const artifacts = await Artifacts.remove(ctx, job._id, PRUNE_CHUNKS);
  if (artifacts > 0) count("artifacts", artifacts);
  if (artifacts === PRUNE_CHUNKS) return false;
  await Checkpoints.drop(ctx, job._id);
  const [steering, questions] = [await Steering.remove(ctx, job), await Questions.remove(ctx, job)];
  if (steering > 0) count("steering", steering);
  if (questions > 0) count("questions", questions);
  const attempts = await ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", job._id))
    .take(PRUNE_ATTEMPTS + 1);
  const events = await ctx.db
    .query("events")
    .withIndex("by_job", (q) => q.eq("jobId", job._id))
    .take(PRUNE_EVENTS + 1);
  const isRest = attempts.length <= PRUNE_ATTEMPTS && events.length <= PRUNE_EVENTS;
  const oldAttempts = isRest ? attempts : attempts.slice(0, -1);
  const oldEvents = isRest ? events : events.slice(0, -1);
  for (const row of oldAttempts) await ctx.db.delete("attempts", row._id);
  for (const row of oldEvents) await ctx.db.delete("events", row._id);
  count("attempts", oldAttempts.length);
  count("events", oldEvents.length);
  if (!isRest) return false;
  // Prerequisites of a job that was canceled while it waited.
  for (const row of await prerequisites(ctx, job._id)) await ctx.db.delete("dependencies", row._id);
  if ((await ctx.db.get("prompts", job.promptId)) !== null) {
    await ctx.db.delete("prompts", job.promptId);
    count("prompts", 1);
  }
  await ctx.db.delete("jobs", job._id);
  count("jobs", 1);
  return true;
}

async function prerequisites(ctx: QueryCtx, jobId: Id<"jobs">): Promise<Doc<"dependencies">[]> {
  return ctx.db
    .query("dependencies")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .take(AFTER_MAX);
}

/** Batches made before, none of whose jobs is left and to which none is added any more. */
async function batches(
  ctx: QueryCtx,
  deleter: Deleter,
  { before, cursor }: Where,
): Promise<RetentionStep> {
  const found = await ctx.db
    .query("batches")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor).lt("_creationTime", before))
    .take(PRUNE_JOBS);
  let gone = 0;
  for (const batch of found) {
    const job = await ctx.db
      .query("jobs")
      .withIndex("by_origin", (q) => q.eq("origin", Batches.originOf(batch._id)))
      .first();
    const isWhole = batch.canceled || batch.created === batch.items.length;
    if (job !== null || !isWhole) continue;
    await deleter?.db.delete("batches", batch._id);
    gone += 1;
  }
  const reached = found.at(-1)?._creationTime ?? 0;
  return { rows: { batches: gone }, cursor: reached, isDone: found.length < PRUNE_JOBS };
}

/** Bulk operations that ended before: their outcomes first, then they themselves, one a step. */
async function operations(
  ctx: QueryCtx,
  deleter: Deleter,
  { before, cursor }: Where,
): Promise<RetentionStep> {
  const operation = await ctx.db
    .query("bulkOperations")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor).lt("_creationTime", before))
    .first();
  if (operation === null) return { rows: {}, cursor: 0, isDone: true };
  const next = operation._creationTime;
  const { endedAt, done, refused } = operation;
  if (endedAt === undefined || endedAt >= before) return { rows: {}, cursor: next, isDone: false };
  if (deleter === null) {
    const rows = { bulkOperations: 1, bulkOutcomes: done + refused };
    return { rows, cursor: next, isDone: false };
  }
  const outcomes = await ctx.db
    .query("bulkOutcomes")
    .withIndex("by_operation", (q) => q.eq("operationId", operation._id))
    .take(PRUNE_BATCH);
  for (const row of outcomes) await deleter.db.delete("bulkOutcomes", row._id);
  const rows: RowCounts = { bulkOutcomes: outcomes.length };
  if (outcomes.length === PRUNE_BATCH) return { rows, cursor, isDone: false };
  await deleter.db.delete("bulkOperations", operation._id);
  return { rows: { ...rows, bulkOperations: 1 }, cursor: next, isDone: false };
}

async function removeLogs(ctx: MutationCtx, jobId: Id<"jobs">, count: Count): Promise<boolean> {
  const chunks = await ctx.db
    .query("logChunks")
    .withIndex("by_attempt", (q) => q.eq("jobId", jobId))
    .take(PRUNE_CHUNKS);
  for (const row of chunks) await ctx.db.delete("logChunks", row._id);
  count("logChunks", chunks.length);
  if (chunks.length === PRUNE_CHUNKS) return false;
  const tails = await ctx.db
    .query("logTails")
    .withIndex("by_attempt", (q) => q.eq("jobId", jobId))
    .take(PRUNE_TAILS);
  for (const row of tails) await ctx.db.delete("logTails", row._id);
  count("logTails", tails.length);
  return tails.length < PRUNE_TAILS;
}

// -- settings and runs --

/** The run under way, the last one, and what is set; null before the first run or setting. */
export async function row(ctx: QueryCtx): Promise<Doc<"retention"> | null> {
  return ctx.db.query("retention").first();
}

/** What is set, or the defaults. */
export async function days(ctx: QueryCtx): Promise<RetentionDays> {
  return { ...DAYS_DEFAULT, ...(await row(ctx))?.days };
}

/** Changes the row; what is left out stays. */
export async function save(
  ctx: MutationCtx,
  change: Partial<Omit<Doc<"retention">, "_id" | "_creationTime">>,
): Promise<void> {
  const before = await row(ctx);
  if (before !== null) await ctx.db.patch("retention", before._id, change);
  else await ctx.db.insert("retention", { ...IDLE, ...change });
}

const IDLE = { days: {}, generation: 0, run: null, last: null };

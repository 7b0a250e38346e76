import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { checkCadence, isToRun, nextAfter } from "../domain/schedule.js";
import { checkName } from "../domain/template.js";
import * as Clock from "../lib/clock.js";
import { accept, fail } from "../lib/errors.js";
import { SCHEDULES_MAX } from "../protocol/limits.js";
import type { Cadence, CatchUp, SubmissionFields } from "../protocol/queue.js";
import * as Submissions from "./submissions.js";
import * as Timer from "./timer.js";

/**
 * Submissions that repeat. An occurrence never submits twice: the transaction that submits moves
 * `nextAt` on, and the occurrence is the idempotency key of its job.
 */

/** A schedule as somebody typed it. */
export type Typed = {
  name: string;
  cadence: Cadence;
  catchUp: CatchUp;
  submission: SubmissionFields;
};

export async function create(
  ctx: MutationCtx,
  typed: Typed,
  createdBy: string,
): Promise<Id<"schedules">> {
  const all = await list(ctx);
  if (all.length >= SCHEDULES_MAX) {
    throw fail(
      "INVALID_ARGUMENT",
      `There are ${SCHEDULES_MAX} schedules already; delete one first.`,
    );
  }
  const checked = check(typed);
  if (all.some((row) => row.name === checked.name)) {
    throw fail("INVALID_ARGUMENT", "There is a schedule of that name already.");
  }
  const nextAt = await arm(ctx, checked.cadence);
  return ctx.db.insert("schedules", { ...checked, paused: false, nextAt, runs: 0, createdBy });
}

/** Changes what is given. A new cadence counts from now on. */
export async function update(
  ctx: MutationCtx,
  row: Doc<"schedules">,
  changes: Partial<Typed>,
): Promise<void> {
  const { name, cadence, catchUp, submission } = row;
  const checked = check({ name, cadence, catchUp, submission, ...changes });
  if (checked.name !== name && (await list(ctx)).some((other) => other.name === checked.name)) {
    throw fail("INVALID_ARGUMENT", "There is a schedule of that name already.");
  }
  const isMoved = changes.cadence !== undefined && !row.paused;
  const nextAt = isMoved ? await arm(ctx, checked.cadence) : row.nextAt;
  await ctx.db.patch("schedules", row._id, { ...checked, nextAt });
}

export async function pause(ctx: MutationCtx, row: Doc<"schedules">): Promise<void> {
  await ctx.db.patch("schedules", row._id, { paused: true, nextAt: null });
}

/** Goes on from now: what would have fired meanwhile is not made up for. */
export async function resume(ctx: MutationCtx, row: Doc<"schedules">): Promise<void> {
  if (!row.paused) return;
  await ctx.db.patch("schedules", row._id, { paused: false, nextAt: await arm(ctx, row.cadence) });
}

export async function remove(ctx: MutationCtx, row: Doc<"schedules">): Promise<void> {
  await ctx.db.delete("schedules", row._id);
}

/** Submits now, beside the occurrences. */
export async function runNow(
  ctx: MutationCtx,
  row: Doc<"schedules">,
  submittedBy: string,
): Promise<Id<"jobs">> {
  const { jobId } = await Submissions.submit(ctx, row.submission, {
    submittedBy,
    origin: originOf(row._id),
  });
  await ctx.db.patch("schedules", row._id, { lastJobId: jobId, runs: row.runs + 1 });
  return jobId;
}

/** Fires the occurrence that is due by now, if it is not missed, and sets the next. */
export async function fire(
  ctx: MutationCtx,
  scheduleId: Id<"schedules">,
  now: number,
): Promise<boolean> {
  const row = await ctx.db.get("schedules", scheduleId);
  const occurrence = row?.nextAt ?? Infinity;
  if (row === null || occurrence > now) return false;
  const nextAt = nextAfter(row.cadence, now);
  if (!isToRun(row.catchUp, now - occurrence)) {
    await ctx.db.patch("schedules", scheduleId, { nextAt });
    return false;
  }
  const { jobId } = await Submissions.submit(
    ctx,
    { ...row.submission, idempotencyKey: `${originOf(scheduleId)}:${String(occurrence)}` },
    { submittedBy: row.createdBy, origin: originOf(scheduleId) },
  );
  await ctx.db.patch("schedules", scheduleId, {
    ...{ nextAt, lastAt: occurrence, lastJobId: jobId, runs: row.runs + 1 },
    lastError: undefined,
  });
  return true;
}

/** Moves a schedule on whose occurrence could not be submitted. */
export async function skip(
  ctx: MutationCtx,
  scheduleId: Id<"schedules">,
  { now, error }: { now: number; error: string },
): Promise<void> {
  const row = await ctx.db.get("schedules", scheduleId);
  if (row === null) return;
  await ctx.db.patch("schedules", scheduleId, {
    nextAt: nextAfter(row.cadence, now),
    lastError: error,
  });
}

/** Schedules whose next occurrence is due, the longest overdue first. */
export async function due(ctx: QueryCtx, now: number, limit: number): Promise<Doc<"schedules">[]> {
  return ctx.db
    .query("schedules")
    .withIndex("by_next", (q) => q.gt("nextAt", 0).lte("nextAt", now))
    .take(limit);
}

/** When the next schedule is due; Infinity when none is. */
export async function nextDue(ctx: QueryCtx): Promise<number> {
  const row = await ctx.db
    .query("schedules")
    .withIndex("by_next", (q) => q.gt("nextAt", 0))
    .first();
  return row?.nextAt ?? Infinity;
}

/** All schedules by name; there are at most SCHEDULES_MAX. */
export async function list(ctx: QueryCtx): Promise<Doc<"schedules">[]> {
  return ctx.db.query("schedules").withIndex("by_name").take(SCHEDULES_MAX);
}

/** The schedule; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, scheduleId: string): Promise<Doc<"schedules">> {
  const id = ctx.db.normalizeId("schedules", scheduleId);
  const row = id === null ? null : await ctx.db.get("schedules", id);
  if (row === null) throw fail("NOT_FOUND", "That is not the id of a schedule.");
  return row;
}

export function view(row: Doc<"schedules">) {
  const { _id: scheduleId, name, cadence, catchUp, submission, paused, nextAt } = row;
  const { lastAt, lastJobId, lastError, runs, createdBy } = row;
  return {
    ...{ scheduleId, name, cadence, catchUp, submission, paused, nextAt, runs, createdBy },
    ...(lastAt === undefined ? {} : { lastAt }),
    ...(lastJobId === undefined ? {} : { lastJobId }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}

function check(typed: Typed): Typed {
  const name = accept(checkName(typed.name));
  accept(checkCadence(typed.cadence, Clock.now()));
  Submissions.check(typed.submission);
  return { ...typed, name };
}

async function arm(ctx: MutationCtx, cadence: Cadence): Promise<number | null> {
  const nextAt = nextAfter(cadence, Clock.now());
  if (nextAt !== null) await Timer.arm(ctx, nextAt);
  return nextAt;
}

const originOf = (scheduleId: Id<"schedules">) => `schedule:${scheduleId}`;

import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isHeld } from "../domain/lifecycle.js";
import { makeUuid } from "../lib/crypto.js";
import { fail } from "../lib/errors.js";
import type { AttemptReport, Phase } from "../protocol/job.js";
import type { AttemptEnd, AttemptView } from "../protocol/view.js";

/** What every write of an executor names: the job, and the token it was given for it. */
export type Claim = { jobId: Id<"jobs">; token: number };

/**
 * The fence: hands out the job if, and only if, this executor holds its current token. Else throws
 * STALE_LEASE, and the transaction changes nothing.
 */
export async function requireToken(
  ctx: QueryCtx,
  executor: Doc<"executors">,
  claim: Claim,
): Promise<Doc<"jobs">> {
  const job = await heldJob(ctx, executor, claim);
  if (job === null) throw stale(claim);
  return job;
}

function stale(claim: Claim) {
  return fail(
    "STALE_LEASE",
    `Token ${claim.token} is no longer that of job ${claim.jobId}: stop the attempt and report nothing.`,
  );
}

/** The same for who must not throw: null when the token is not, or no longer, this executor's. */
export async function heldJob(
  ctx: QueryCtx,
  executor: Doc<"executors">,
  claim: Claim,
): Promise<Doc<"jobs"> | null> {
  const job = await ctx.db.get("jobs", claim.jobId);
  return job !== null && holds(job, executor._id, claim.token) ? job : null;
}

/** Whether a job is with this executor under this token. */
export function holds(job: Doc<"jobs">, executorId: Id<"executors">, token: number): boolean {
  return isHeld(job.state) && job.state.executorId === executorId && job.token === token;
}

/** Opens the record of an attempt that was just assigned. */
export async function open(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  given: { attempt: number; token: number; executorId: Id<"executors">; at: number },
): Promise<void> {
  const executor = await ctx.db.get("executors", given.executorId);
  await ctx.db.insert("attempts", {
    jobId: job._id,
    attempt: given.attempt,
    token: given.token,
    executorId: given.executorId,
    boot: executor?.boot ?? "",
    assignedAt: given.at,
    sessionId: makeUuid(),
    phases: [],
  });
}

/** Notes that a phase began, and what is known by then. */
export async function enter(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  entered: { phase: Phase; at: number; commit?: string; spawnedAt?: number },
): Promise<void> {
  const attempt = await current(ctx, job);
  const { phase, at, commit, spawnedAt } = entered;
  const isNew = !attempt.phases.some((p) => p.phase === phase);
  await ctx.db.patch("attempts", attempt._id, {
    ...(isNew ? { phases: [...attempt.phases, { phase, at }] } : {}),
    ...(phase === "cloning" && isNew ? { startedAt: at } : {}),
    ...(commit === undefined ? {} : { commit }),
    ...(spawnedAt === undefined ? {} : { spawnedAt }),
  });
}

/** Notes facts of an attempt that changes nothing else. */
export async function note(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  facts: { commit?: string; spawnedAt?: number },
): Promise<void> {
  const { commit, spawnedAt } = facts;
  if (commit === undefined && spawnedAt === undefined) return;
  const attempt = await current(ctx, job);
  await ctx.db.patch("attempts", attempt._id, {
    ...(commit === undefined ? {} : { commit }),
    ...(spawnedAt === undefined ? {} : { spawnedAt }),
  });
}

/** Closes the record of the job's current attempt. */
export async function close(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  closed: { end: AttemptEnd; report?: AttemptReport; finishedByExecutor: boolean },
): Promise<void> {
  const attempt = await current(ctx, job);
  const { end, report, finishedByExecutor } = closed;
  await ctx.db.patch("attempts", attempt._id, {
    end,
    finishedByExecutor,
    ...(report === undefined ? {} : { report }),
    ...(report?.commit === undefined ? {} : { commit: report.commit }),
  });
}

/** The attempt a job is at. */
export async function current(ctx: QueryCtx, job: Doc<"jobs">): Promise<Doc<"attempts">> {
  const attempt = await find(ctx, job._id, job.attempt);
  if (attempt === null) throw new Error(`Job ${job._id} has no record of attempt ${job.attempt}`);
  return attempt;
}

/** An attempt by its number; null before it was assigned. */
export async function find(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  attempt: number,
): Promise<Doc<"attempts"> | null> {
  return ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", jobId).eq("attempt", attempt))
    .unique();
}

/** Throws STALE_LEASE unless this executor's own `finish` with this token was accepted before. */
export async function requireFinished(
  ctx: QueryCtx,
  executor: Doc<"executors">,
  claim: Claim,
): Promise<void> {
  const attempt = await ctx.db
    .query("attempts")
    .withIndex("by_token", (q) => q.eq("jobId", claim.jobId).eq("token", claim.token))
    .unique();
  const isFinished = attempt?.executorId === executor._id && attempt.finishedByExecutor === true;
  if (!isFinished) throw stale(claim);
}

/** Latest attempts of a job, newest first. */
export async function list(
  ctx: QueryCtx,
  jobId: Id<"jobs">,
  limit: number,
): Promise<AttemptView[]> {
  const rows = await ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .order("desc")
    .take(limit);
  return rows.map(view);
}

/** An attempt as people see it. */
export function view(row: Doc<"attempts">): AttemptView {
  const { attempt, token, executorId, assignedAt, sessionId, phases } = row;
  const { startedAt, spawnedAt, commit, end, report } = row;
  return {
    ...{ attempt, token, executorId, assignedAt, sessionId, phases },
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(spawnedAt === undefined ? {} : { spawnedAt }),
    ...(commit === undefined ? {} : { commit }),
    ...(end === undefined ? {} : { end }),
    ...(report === undefined ? {} : { report }),
  };
}

/** How long the attempts that began last took from their start to their end, ms; those that ended. */
export async function recentDurations(ctx: QueryCtx, limit: number): Promise<number[]> {
  const rows = await ctx.db.query("attempts").order("desc").take(limit);
  return rows.flatMap(({ startedAt, end }) =>
    startedAt === undefined || end === undefined ? [] : [end.at - startedAt],
  );
}

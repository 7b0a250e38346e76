import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { isHeld } from "../domain/lifecycle.js";
import { makeUuid } from "../lib/crypto.js";
import { fail } from "../lib/errors.js";
import type { AttemptSpend } from "../protocol/budget.js";
import type { AttemptReport, Phase } from "../protocol/job.js";
import { REPORTS_READ_CHARS_MAX } from "../protocol/limits.js";
import type { AttemptEnd, AttemptView, LiveAttempt } from "../protocol/view.js";

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

/** What an attempt spends: a credential, and budgets. */
export type Means = Pick<LiveAttempt, "credentialId" | "budgets">;

/** The record of an attempt that is being assigned. */
export function opened(means: Means = {}): LiveAttempt {
  return { sessionId: makeUuid(), phases: [], ...means };
}

/** The record with a phase that began, and what is known by then. */
export function entered(
  live: LiveAttempt,
  { phase, at, ...facts }: { phase: Phase; at: number } & Known,
): LiveAttempt {
  const isNew = !live.phases.some((p) => p.phase === phase);
  return { ...noted(live, facts), ...(isNew ? { phases: [...live.phases, { phase, at }] } : {}) };
}

/** What an executor may tell of an attempt in passing. */
type Known = { commit?: string; spawnedAt?: number };

function noted(live: LiveAttempt, { commit, spawnedAt }: Known): LiveAttempt {
  return {
    ...live,
    ...(commit === undefined ? {} : { commit }),
    ...(spawnedAt === undefined ? {} : { spawnedAt }),
  };
}

/** Notes facts of an attempt that changes nothing else. */
export async function note(ctx: MutationCtx, job: Doc<"jobs">, facts: Known): Promise<void> {
  if (facts.commit === undefined && facts.spawnedAt === undefined) return;
  await ctx.db.patch("jobs", job._id, { live: noted(liveOf(job), facts) });
}

/** Writes the record of the job's current attempt, which has ended. */
export async function close(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  closed: {
    end: AttemptEnd;
    report?: AttemptReport;
    spend?: AttemptSpend;
    finishedByExecutor: boolean;
  },
): Promise<void> {
  const { end, report, spend, finishedByExecutor } = closed;
  await ctx.db.insert("attempts", {
    jobId: job._id,
    ...begun(job),
    end,
    finishedByExecutor,
    ...(report === undefined ? {} : { report }),
    ...(spend === undefined ? {} : { spend }),
    ...(report?.commit === undefined ? {} : { commit: report.commit }),
  });
}

/** The record of the attempt under way; throws when there is none. */
export function liveOf(job: Doc<"jobs">): LiveAttempt {
  if (job.live === undefined) throw new Error(`Job ${job._id} has no attempt under way`);
  return job.live;
}

/** What is known of the attempt under way, from the job's row. */
function begun(job: Doc<"jobs">) {
  const { state, attempt, token } = job;
  if (!isHeld(state)) throw new Error(`Job ${job._id} is with no executor`);
  const { executorId, assignedAt } = state;
  const startedAt = state.kind === "running" ? { startedAt: state.startedAt } : {};
  return { attempt, token, executorId, assignedAt, ...startedAt, ...liveOf(job) };
}

/** The latest attempt of a job, under way or ended; null before the first. */
export async function latest(ctx: QueryCtx, job: Doc<"jobs">): Promise<AttemptView | null> {
  return isHeld(job.state) ? begun(job) : ((await ended(ctx, job._id, 1))[0] ?? null);
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
  const isFinished = attempt?.executorId === executor._id && attempt.finishedByExecutor;
  if (!isFinished) throw stale(claim);
}

/** Latest attempts of a job, newest first; as many as their reports allow in one read. */
export async function list(ctx: QueryCtx, job: Doc<"jobs">, limit: number): Promise<AttemptView[]> {
  const live = isHeld(job.state) ? [begun(job)] : [];
  return [...live, ...(await ended(ctx, job._id, limit - live.length))];
}

/** The attempt that ended last; null before one did. */
export async function lastEnded(ctx: QueryCtx, jobId: Id<"jobs">): Promise<AttemptView | null> {
  return (await ended(ctx, jobId, 1))[0] ?? null;
}

async function ended(ctx: QueryCtx, jobId: Id<"jobs">, limit: number): Promise<AttemptView[]> {
  const rows = ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", jobId))
    .order("desc");
  return (await some(rows, limit)).map(view);
}

/** The first rows, at most `limit`; fewer where their reports are more than one read should bring. */
async function some(
  rows: AsyncIterable<Doc<"attempts">>,
  limit: number,
): Promise<Doc<"attempts">[]> {
  const found: Doc<"attempts">[] = [];
  if (limit <= 0) return found;
  let chars = 0;
  for await (const row of rows) {
    found.push(row);
    chars += reportChars(row);
    if (found.length >= limit || chars >= REPORTS_READ_CHARS_MAX) break;
  }
  return found;
}

/** How much text the report of an attempt holds, about. */
export function reportChars({ report }: Doc<"attempts">): number {
  const { result = "", structuredOutput = "", changes } = report ?? {};
  return result.length + structuredOutput.length + (changes?.patch.length ?? 0);
}

/** An attempt that has ended, as people see it. */
function view(row: Doc<"attempts">): AttemptView {
  const { attempt, token, executorId, assignedAt, sessionId, phases, end } = row;
  const { startedAt, spawnedAt, credentialId, budgets, stop } = row;
  const { commit, report, resumption, spend } = row;
  return {
    ...{ attempt, token, executorId, assignedAt, sessionId, phases, end },
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(spawnedAt === undefined ? {} : { spawnedAt }),
    ...(credentialId === undefined ? {} : { credentialId }),
    ...(budgets === undefined ? {} : { budgets }),
    ...(stop === undefined ? {} : { stop }),
    ...(spend === undefined ? {} : { spend }),
    ...(commit === undefined ? {} : { commit }),
    ...(report === undefined ? {} : { report }),
    ...(resumption === undefined ? {} : { resumption }),
  };
}

/** How long the attempts that ended last took from their start, ms; those that began. */
export async function recentDurations(ctx: QueryCtx, limit: number): Promise<number[]> {
  const rows = await some(ctx.db.query("attempts").order("desc"), limit);
  return rows.flatMap(({ startedAt, end }) =>
    startedAt === undefined ? [] : [end.at - startedAt],
  );
}

import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { holderOf, isSameHolder } from "../domain/executor.js";
import * as Invariants from "../domain/invariants.js";
import { isHeld, isTerminal } from "../domain/lifecycle.js";
import * as Clock from "../lib/clock.js";
import { JOB_STATE_KINDS } from "../protocol/job.js";
import {
  AFTER_MAX,
  AUDIT_CHUNKS,
  AUDIT_EXECUTORS_PAGE,
  AUDIT_JOBS_PAGE,
  AUDIT_REPORT_CHARS_MAX,
  AUDIT_ROWS_PAGE,
  AUDIT_SEEN_ATTEMPTS,
  LOG_CHUNKS_PER_LOG_MAX,
} from "../protocol/limits.js";
import type { Cursor, Page, Part, Verdict, Violation } from "../protocol/selfAudit.js";
import * as Attempts from "./attempts.js";
import * as Dependencies from "./dependencies.js";
import * as Jobs from "./jobs.js";
import * as Leases from "./leases.js";
import * as Outbox from "./outbox.js";
import * as Questions from "./questions.js";
import * as Recount from "./recount.js";
import * as Schedules from "./schedules.js";
import * as Slots from "./slots.js";
import * as Steering from "./steering.js";

/** Reads pages of rows and has domain/invariants check them; within a page all is of one moment. */

/** Ended jobs are looked at again for this long: twice the time between rounds. */
const ENDED_MS = 20 * 60_000;
const LIVE_KINDS = JOB_STATE_KINDS.filter((kind) => !isTerminal(kind));

/** Checks one page of a part; cursor 0 is its beginning. */
export async function check(ctx: QueryCtx, part: Part, at: Cursor): Promise<Page> {
  if (part === "counters") return counters(ctx, at);
  if (typeof at === "number") return checkRows(ctx, part, at);
  throw new Error(`Part ${part} has no cursor of a recount`);
}

async function checkRows(
  ctx: QueryCtx,
  part: Exclude<Part, "counters">,
  cursor: number,
): Promise<Page> {
  switch (part) {
    case "system":
      return whole(await system(ctx));
    case "outbox":
      return whole(await outbox(ctx));
    case "budgets":
      return budgets(ctx, cursor);
    case "executors":
      return executors(ctx, cursor);
    case "slots":
    case "leases":
      return strays(ctx, part, cursor);
    case "live":
      return live(ctx, cursor);
    case "ended":
      return jobsOf(ctx, await endedAfter(ctx, Math.max(cursor, Clock.now() - ENDED_MS)), {
        at: (job) => ("endedAt" in job.state ? job.state.endedAt : 0),
        isWhole: false,
      });
    case "everything":
      return jobsOf(ctx, await allAfter(ctx, cursor), {
        at: (job) => job._creationTime,
        isWhole: true,
      });
  }
}

function whole(violations: Violation[]): Page {
  return { checked: 1, violations, cursor: 0, isDone: true };
}

async function system(ctx: QueryCtx): Promise<Violation[]> {
  const dispatchers = await ctx.db.query("dispatcher").take(2);
  const timers = await ctx.db.query("timer").take(2);
  const pending = await ctx.db
    .query("jobs")
    .withIndex("by_state", (q) => q.eq("state.kind", "pending"))
    .first();
  const seen = {
    dispatchers,
    timers,
    hasPending: pending !== null,
    hasFreeSlot: (await Slots.first(ctx, 1)).length > 0,
    firstDeadline: Math.min(
      await Leases.nextExpiry(ctx),
      await Jobs.nextDeadline(ctx),
      await Schedules.nextDue(ctx),
    ),
  };
  return Invariants.checkSystem(seen, Clock.now());
}

/** A step of comparing the counters of live jobs with a recount of the same moment. */
async function counters(ctx: QueryCtx, cursor: Cursor): Promise<Page> {
  const from = typeof cursor === "number" ? await Recount.begin(ctx) : cursor;
  // Nothing was counted yet, so nothing can be wrong.
  if (from === null) return whole([]);
  const { recount, isDone } = await Recount.step(ctx, from);
  const checked = Math.max(0, Recount.total(recount) - Recount.total(from));
  const page = { checked, cursor: recount, isDone };
  const { counters: counted, counts } = recount;
  return { ...page, violations: isDone ? Invariants.checkCounters(counted, counts) : [] };
}

async function outbox(ctx: QueryCtx): Promise<Violation[]> {
  const now = Clock.now();
  const rows = [
    ...(await Outbox.late(ctx, "waiting", Infinity)),
    ...(await Outbox.late(ctx, "sending", Infinity)),
  ];
  return rows.flatMap(({ _id, at, dueAt }) => Invariants.checkMessage({ id: _id, at, dueAt }, now));
}

async function budgets(ctx: QueryCtx, cursor: number): Promise<Page> {
  const rows = await ctx.db
    .query("budgets")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor))
    .take(AUDIT_EXECUTORS_PAGE);
  const violations: Violation[] = [];
  for (const { _id: id, reserved } of rows) {
    const holds = await ctx.db
      .query("reservations")
      .withIndex("by_budget", (q) => q.eq("budgetId", id))
      .take(AUDIT_ROWS_PAGE + 1);
    // More than a page may read are not judged.
    if (holds.length > AUDIT_ROWS_PAGE) continue;
    const seen = holds.map(async ({ jobId, token, amount, ended }) => {
      const job = ended === undefined ? await ctx.db.get("jobs", jobId) : null;
      const isUnderWay = job !== null && isHeld(job.state) && job.token === token;
      return { amount, isAccountedFor: ended !== undefined || isUnderWay };
    });
    violations.push(...Invariants.checkBudget({ id, reserved, holds: await Promise.all(seen) }));
  }
  return pageOf(rows, violations, AUDIT_EXECUTORS_PAGE);
}

async function executors(ctx: QueryCtx, cursor: number): Promise<Page> {
  const rows = await ctx.db
    .query("executors")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor))
    .take(AUDIT_EXECUTORS_PAGE);
  return pageOf(rows, await ofExecutors(ctx, rows), AUDIT_EXECUTORS_PAGE);
}

/** Checks these executors, for who knows which have changed. */
export async function ofExecutors(
  ctx: QueryCtx,
  rows: readonly Doc<"executors">[],
): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const row of rows) {
    const leases = await leasesOf(ctx, row._id);
    const seen = {
      id: row._id,
      presence: row.presence,
      isOpen: Slots.isOpen(row),
      slots: row.slots,
      free: (await Slots.free(ctx, row._id)).map((slot) => slot.ordinal),
      used: (await Jobs.heldBy(ctx, row._id)).map((job) => job.slot ?? -1),
      owed: leases.flatMap((lease) => lease.owed.map((owed) => owed.ordinal)),
      leases: leases.map((lease) => lease.expiresAt),
      isKnownToLease: leases.every(
        ({ holder }) => holder === undefined || isSameHolder(holder, holderOf(row)),
      ),
    };
    violations.push(...Invariants.checkExecutor(seen, Clock.now()));
  }
  return violations;
}

/** Leases of an executor, a second one too: the audit must not stumble over what it looks for. */
async function leasesOf(ctx: QueryCtx, executorId: Id<"executors">): Promise<Doc<"leases">[]> {
  return ctx.db
    .query("leases")
    .withIndex("by_executor", (q) => q.eq("executorId", executorId))
    .take(2);
}

async function strays(ctx: QueryCtx, table: "slots" | "leases", cursor: number): Promise<Page> {
  const rows = await ctx.db
    .query(table)
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor))
    .take(AUDIT_ROWS_PAGE);
  const violations: Violation[] = [];
  for (const row of rows) {
    const executor = await ctx.db.get("executors", row.executorId);
    violations.push(...Invariants.checkStray(row._id, executor !== null));
  }
  return pageOf(rows, violations, AUDIT_ROWS_PAGE);
}

function pageOf(
  rows: readonly { _creationTime: number }[],
  violations: Violation[],
  size: number,
): Page {
  const cursor = rows.at(-1)?._creationTime ?? 0;
  return { checked: rows.length, violations, cursor, isDone: rows.length < size };
}

/** Live jobs of all states by creation; each page looks at the same stretch of each state. */
async function live(ctx: QueryCtx, cursor: number): Promise<Page> {
  const jobs: Doc<"jobs">[] = [];
  for (const kind of LIVE_KINDS) {
    const rows = await ctx.db
      .query("jobs")
      .withIndex("by_state", (q) => q.eq("state.kind", kind).gt("_creationTime", cursor))
      .take(AUDIT_JOBS_PAGE);
    jobs.push(...rows);
  }
  jobs.sort((a, b) => a._creationTime - b._creationTime);
  const first = jobs.slice(0, AUDIT_JOBS_PAGE);
  return jobsOf(ctx, first, { at: (job) => job._creationTime, isWhole: false });
}

async function endedAfter(ctx: QueryCtx, endedAt: number): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_ended", (q) => q.gt("state.endedAt", endedAt))
    .take(AUDIT_JOBS_PAGE);
}

async function allAfter(ctx: QueryCtx, cursor: number): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", cursor))
    .take(AUDIT_JOBS_PAGE);
}

/** Checks these jobs and all of their logs, for who knows which have changed. */
export async function ofJobs(ctx: QueryCtx, jobs: readonly Doc<"jobs">[]): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const job of jobs) {
    const seen = await see(ctx, job, await belongings(ctx, job));
    violations.push(...Invariants.checkJob(seen, Clock.now()), ...(await checkLog(ctx, job, true)));
  }
  return violations;
}

/** Checks jobs in their order, until the texts that belong to them amount to more than a page may read. */
async function jobsOf(
  ctx: QueryCtx,
  jobs: readonly Doc<"jobs">[],
  { at, isWhole }: { at: (job: Doc<"jobs">) => number; isWhole: boolean },
): Promise<Page> {
  const page: Page = { checked: 0, violations: [], cursor: 0, isDone: false };
  let chars = 0;
  for (const job of jobs) {
    const theirs = await belongings(ctx, job);
    chars += theirs.chars;
    page.violations.push(
      ...Invariants.checkJob(await see(ctx, job, theirs), Clock.now()),
      ...(await checkLog(ctx, job, isWhole)),
    );
    page.checked += 1;
    page.cursor = at(job);
    if (chars > AUDIT_REPORT_CHARS_MAX) return page;
  }
  return { ...page, isDone: jobs.length < AUDIT_JOBS_PAGE };
}

/** What of a job holds texts: its latest attempts, and what people and its runs said to each other. */
type Belongings = {
  attempts: readonly Doc<"attempts">[];
  openQuestions: number;
  openCommands: number;
  chars: number;
};

async function belongings(ctx: QueryCtx, job: Doc<"jobs">): Promise<Belongings> {
  const attempts = await ctx.db
    .query("attempts")
    .withIndex("by_job", (q) => q.eq("jobId", job._id))
    .order("desc")
    .take(AUDIT_SEEN_ATTEMPTS);
  const [questions, commands] = [await Questions.weigh(ctx, job), await Steering.weigh(ctx, job)];
  const reports = attempts.reduce((sum, attempt) => sum + Attempts.reportChars(attempt), 0);
  const chars = reports + questions.chars + commands.chars;
  return { attempts, openQuestions: questions.open, openCommands: commands.open, chars };
}

async function see(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  { attempts, openQuestions, openCommands }: Belongings,
): Promise<Invariants.SeenJob> {
  const { _id, state, events } = job;
  const [lastEvent, laterEvent] = await ctx.db
    .query("events")
    .withIndex("by_job", (q) => q.eq("jobId", _id).gte("seq", events - 1))
    .take(2);
  const executor = isHeld(state) ? await ctx.db.get("executors", state.executorId) : null;
  const leases = executor === null ? [] : await leasesOf(ctx, executor._id);
  return {
    id: _id,
    state,
    events,
    attempt: job.attempt,
    token: job.token,
    slot: job.slot,
    isMarkedHeld: job.held === true,
    unmet: job.unmet ?? 0,
    prerequisites: (await Dependencies.openOf(ctx, _id, AFTER_MAX)).length,
    isReady: job.readyTs !== undefined,
    deadlineAt: job.deadlineAt,
    isCancelRequested: job.cancelRequestedAt !== undefined,
    charged: job.charged,
    interruptions: job.interruptions,
    attempts: [
      ...(job.live === undefined ? [] : [{ attempt: job.attempt, token: job.token, isLive: true }]),
      ...attempts.map(({ attempt, token }) => ({ attempt, token, isLive: false })),
    ],
    lastEvent: lastEvent?.seq === events - 1 ? { to: lastEvent.to } : null,
    hasLaterEvent: laterEvent !== undefined,
    openQuestions,
    openCommands,
    hasPrompt: (await ctx.db.get("prompts", job.promptId)) !== null,
    executor:
      executor === null ? null : { presence: executor.presence, hasLease: leases.length > 0 },
  };
}

/** The log of a job's current attempt: its end, or all of it. */
async function checkLog(ctx: QueryCtx, job: Doc<"jobs">, isWhole: boolean): Promise<Violation[]> {
  const tail = await ctx.db
    .query("logTails")
    .withIndex("by_attempt", (q) => q.eq("jobId", job._id).eq("attempt", job.attempt))
    .first();
  if (tail === null) return [];
  const chunks = await ctx.db
    .query("logChunks")
    .withIndex("by_attempt", (q) => q.eq("jobId", job._id).eq("attempt", job.attempt))
    .order("desc")
    .take(isWhole ? LOG_CHUNKS_PER_LOG_MAX : AUDIT_CHUNKS);
  return Invariants.checkLog({
    id: job._id,
    nextSeq: tail.nextSeq,
    sealedChunks: tail.sealedChunks,
    tailSeq: tail.tailSeq,
    tailLength: tail.tail.length,
    dropped: tail.dropped,
    chunks: chunks
      .reverse()
      .map(({ index, firstSeq, entries }) => ({ index, firstSeq, length: entries.length })),
    isWhole,
  });
}

// -- rounds --

/** The round under way and the last verdict; null before the first round. */
export async function round(ctx: QueryCtx): Promise<Doc<"selfAudit"> | null> {
  return ctx.db.query("selfAudit").first();
}

export async function save(
  ctx: MutationCtx,
  next: Omit<Doc<"selfAudit">, "_id" | "_creationTime">,
): Promise<void> {
  const row = await round(ctx);
  if (row === null) await ctx.db.insert("selfAudit", next);
  else await ctx.db.replace("selfAudit", row._id, next);
}

/** What the last round found, for the rules of alerts; null before the first has ended. */
export async function verdict(
  ctx: QueryCtx,
): Promise<{ violations: number; first: string } | null> {
  const last: Verdict | null = (await round(ctx))?.verdict ?? null;
  if (last === null) return null;
  const [first] = last.violations;
  const text = first === undefined ? "" : `${first.invariant} at ${first.id}: ${first.detail}`;
  return { violations: last.total, first: text };
}

import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Budget from "../domain/budget.js";
import { dollars, microsOf } from "../domain/rollup.js";
import type { Gate } from "../domain/waiting.js";
import * as Clock from "../lib/clock.js";
import type { AttemptSpend, SpentView, Stop } from "../protocol/budget.js";
import type { AttemptReport, JobLimits } from "../protocol/job.js";
import { BUDGETS_MAX, SETTLED_PER_STEP } from "../protocol/limits.js";
import * as Attempts from "./attempts.js";
import * as Budgets from "./budgets.js";
import type { Parking } from "./change.js";
import * as Controls from "./controls.js";
import * as Reservations from "./reservations.js";

/**
 * What an attempt may spend, what it has spent so far, and what follows from both. Only attempts that
 * their job or a budget bounds are metered; for all others nothing here is read or written.
 */

/** What a job may still spend by its own limit, over all its attempts since a person retried it. */
export function left({ spec, spent, spentBefore = 0 }: Doc<"jobs">): number | undefined {
  const { maxBudgetUsd } = spec.limits;
  if (maxBudgetUsd === undefined) return undefined;
  return Math.max(0, microsOf(maxBudgetUsd) - ((spent?.micros ?? 0) - spentBefore));
}

/** The limits of a job's next or present attempt: it may spend what those before it have left. */
export function limitsOf(job: Doc<"jobs">): JobLimits {
  const rest = left(job);
  return rest === undefined ? job.spec.limits : { ...job.spec.limits, maxBudgetUsd: dollars(rest) };
}

/** Whether somebody must know what an attempt costs while it runs. */
export function isMetered({ spec, live }: Doc<"jobs">): boolean {
  return spec.limits.maxBudgetUsd !== undefined || live?.budgets !== undefined;
}

/**
 * Takes note of what an attempt has cost so far. Near its line more is set aside for it, where there is
 * room; once it has crossed it, its executor is told to stop it.
 */
export async function meter(ctx: MutationCtx, job: Doc<"jobs">, told: SpentView): Promise<void> {
  if (!isMetered(job)) return;
  const attempt = { jobId: job._id, token: job.token };
  const row = await find(ctx, attempt);
  const spent = Budget.later(row ?? Budget.NOTHING, amounts(told));
  const line = await lineOf(ctx, job, { known: row?.line, cost: spent.micros });
  if (row === null) await ctx.db.insert("meters", { ...attempt, ...spent, line });
  else await ctx.db.patch("meters", row._id, { ...spent, line });
  const live = Attempts.liveOf(job);
  if (live.stop !== undefined || Budget.nearness(spent.micros, line) !== "crossed") return;
  const stop: Stop = line === left(job) ? "maxBudget" : "budget";
  await ctx.db.patch("jobs", job._id, { live: { ...live, stop } });
}

async function lineOf(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { known, cost }: { known: number | undefined; cost: number },
): Promise<number> {
  const line = known ?? (await firstLine(ctx, job));
  const own = left(job) ?? Infinity;
  if (line >= own || Budget.nearness(cost, line) === "far") return Math.min(own, line);
  const attempt = { jobId: job._id, token: job.token };
  return Math.min(own, await Reservations.grow(ctx, attempt, cost));
}

async function firstLine(ctx: QueryCtx, job: Doc<"jobs">): Promise<number> {
  const holds =
    job.live?.budgets === undefined
      ? []
      : await Reservations.of(ctx, { jobId: job._id, token: job.token });
  return Math.min(left(job) ?? Infinity, ...holds.map(({ amount }) => amount));
}

async function find(ctx: QueryCtx, { jobId, token }: Reservations.Attempt) {
  return ctx.db
    .query("meters")
    .withIndex("by_attempt", (q) => q.eq("jobId", jobId).eq("token", token))
    .unique();
}

function amounts({ costUsd, tokens }: SpentView): Budget.Spent {
  return { micros: microsOf(costUsd), tokens: Budget.countable(tokens) };
}

/** What a bounded attempt under way has cost so far; undefined for any other. */
export async function soFar(ctx: QueryCtx, job: Doc<"jobs">): Promise<AttemptSpend | undefined> {
  if (job.live === undefined || !isMetered(job)) return undefined;
  const row = await find(ctx, { jobId: job._id, token: job.token });
  return row === null ? { ...view(Budget.NOTHING) } : { ...view(row), ...lineView(row.line) };
}

/** Amounts as people read them. */
export function view({ micros, tokens }: Budget.Spent): SpentView {
  return { costUsd: dollars(micros), tokens };
}

function lineView(line: number): { lineUsd?: number } {
  return Number.isFinite(line) ? { lineUsd: dollars(line) } : {};
}

/** What an attempt cost; `spend` where it was bounded. */
export type Cost = { spent: Budget.Spent; spend?: AttemptSpend };

/**
 * An attempt has ended: its budgets are told what it cost. Of one that was lost that is its last word on
 * it, at most one answer of the model behind.
 */
export async function end(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { report, at }: { report: AttemptReport | undefined; at: number },
): Promise<Cost> {
  const reported = report === undefined ? Budget.NOTHING : amounts(report);
  if (!isMetered(job)) return { spent: reported };
  const attempt = { jobId: job._id, token: job.token };
  const row = await find(ctx, attempt);
  const spent = row === null ? reported : Budget.later(row, reported);
  const line = row?.line ?? (await firstLine(ctx, job));
  if (row !== null) await ctx.db.delete("meters", row._id);
  if (job.live?.budgets !== undefined) {
    await Reservations.end(ctx, attempt, { at, cost: spent.micros });
  }
  const overshootUsd = dollars(Budget.overshoot(spent.micros, line));
  return { spent, spend: { ...view(spent), ...lineView(line), overshootUsd } };
}

// -- waiting --

/**
 * Where a job waits whose attempt a budget is about to end: at the first budget that has no room for it
 * even when the attempt has given back what it did not need; undefined: it can go on at once.
 */
export async function parking(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  report: AttemptReport,
): Promise<Parking | undefined> {
  const attempt = { jobId: job._id, token: job.token };
  const meterRow = await find(ctx, attempt);
  const { micros: cost } = Budget.later(meterRow ?? Budget.NOTHING, amounts(report));
  const at = Clock.now();
  for (const { budgetId, amount } of await Reservations.of(ctx, attempt)) {
    const row = await ctx.db.get("budgets", budgetId);
    if (row === null) continue;
    const after = Budget.settled(await Budgets.look(ctx, row), { amount, cost, at });
    if (Budget.reserve(after, undefined) !== null) continue;
    const { name, until } = Budgets.closed(row);
    await wakeAtEnd(ctx, Budgets.closed(row));
    return { reason: "budget", gate: name, ...(until === undefined ? {} : { until }) };
  }
  return undefined;
}

/** Makes sure that the end of a budget's period lets in who waits for it. */
export async function wakeAtEnd(ctx: MutationCtx, { name: gate, until }: Gate): Promise<void> {
  const row = await Budgets.ofGate(ctx, gate);
  if (row === null || until === undefined || row.wakeAt === until) return;
  await ctx.db.patch("budgets", row._id, { wakeAt: until });
  await ctx.scheduler.runAt(until, internal.queue.goOnLettingAllIn, { gate });
}

/** Lets in who waits for a budget, because there may be room. */
export async function letIn(ctx: MutationCtx, budgetId: Doc<"budgets">["_id"]): Promise<void> {
  const gate = Budgets.gateName(budgetId);
  await ctx.scheduler.runAfter(0, internal.queue.goOnLettingAllIn, { gate });
}

/** Budgets take note of ended attempts, so many a minute at most, where nobody had to know earlier. */
const SETTLED_PER_MINUTE = 16 * SETTLED_PER_STEP;

/** Each minute: budgets take note of ended attempts; who should have been let in at a period's end is. */
export async function tidy(ctx: MutationCtx): Promise<void> {
  let settled = 0;
  for (const row of await ctx.db.query("budgets").take(BUDGETS_MAX)) {
    if (settled >= SETTLED_PER_MINUTE) break;
    settled += (await Reservations.settle(ctx, row)).count;
    if (row.wakeAt === undefined || row.wakeAt > Clock.now()) continue;
    await ctx.db.patch("budgets", row._id, { wakeAt: undefined });
    await letIn(ctx, row._id);
  }
}

/** Has this done in a transaction of its own, where there are budgets. */
export async function revive(ctx: MutationCtx): Promise<void> {
  if ((await Controls.get(ctx)).budgets !== true) return;
  await ctx.scheduler.runAfter(0, internal.budgets.tidy, {});
}

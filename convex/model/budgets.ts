import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Budget from "../domain/budget.js";
import { nameOf } from "../domain/repository.js";
import { dollars, microsOf } from "../domain/rollup.js";
import type { Gate } from "../domain/waiting.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { BudgetPeriod, BudgetScope, BudgetView } from "../protocol/budget.js";
import {
  BUDGET_WAITING_MAX,
  BUDGETS_MAX,
  BUDGETS_PER_SCOPE_MAX,
  SETTLED_PER_STEP,
} from "../protocol/limits.js";
import * as Controls from "./controls.js";

/**
 * The rows of budgets: what people set, and what they have come to. An attempt that ends writes its own
 * reservations only; the budget's row takes note of them when somebody needs to know (model/reservations).
 * Whoever looks before that counts them in. Nothing here is read while there is no budget: a flag in the
 * row of the controls says so.
 */

export type Row = Doc<"budgets">;
type Reservation = Doc<"reservations">;

const PREFIX = "budget:";
/** Where jobs wait that a budget has no room for. */
export const gateName = (budgetId: Id<"budgets">) => `${PREFIX}${budgetId}`;
export const isGate = (gate: string) => gate.startsWith(PREFIX);

/** What a person says of a budget; checked. */
export type Given = {
  scope: BudgetScope;
  period: BudgetPeriod;
  timeZone: string;
  limitUsd: number;
};

/** Sets the budget of a scope and period. What was spent and set aside under it stays. */
export async function set(ctx: MutationCtx, given: Given): Promise<Id<"budgets">> {
  const { scope, period, timeZone } = given;
  const key = Budget.scopeKey(scope);
  const limit = microsOf(given.limitUsd);
  const old = (await ofScope(ctx, key)).find((row) => row.period === period);
  if (old !== undefined) {
    // Other clocks may end the period at another time: whoever parks next has that scheduled.
    const wake = old.timeZone === timeZone ? {} : { timeZone, wakeAt: undefined };
    await ctx.db.patch("budgets", old._id, { limit, ...wake });
    return old._id;
  }
  const all = await ctx.db.query("budgets").take(BUDGETS_MAX);
  if (all.length === BUDGETS_MAX) {
    throw fail("INVALID_ARGUMENT", `There are ${BUDGETS_MAX} budgets: remove one first.`);
  }
  await Controls.useBudgets(ctx);
  const { start } = Budget.span({ period, timeZone }, Clock.now());
  const empty = { spent: 0, reserved: 0, overshoot: 0 };
  return ctx.db.insert("budgets", { key, scope, period, timeZone, limit, start, ...empty });
}

/** The budget; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, budgetId: Id<"budgets">): Promise<Row> {
  const row = await ctx.db.get("budgets", budgetId);
  if (row === null) throw fail("NOT_FOUND", `There is no budget ${budgetId}.`);
  return row;
}

/** Removes a budget; what attempts have set aside in it bounds them no more. */
export async function remove(ctx: MutationCtx, budgetId: Id<"budgets">): Promise<void> {
  await ctx.db.delete("budgets", budgetId);
}

/** All budgets as people see them, newest first. */
export async function list(ctx: QueryCtx): Promise<BudgetView[]> {
  const rows = await ctx.db.query("budgets").order("desc").take(BUDGETS_MAX);
  return Promise.all(rows.map((row) => view(ctx, row)));
}

async function view(ctx: QueryCtx, row: Row): Promise<BudgetView> {
  const { _id, scope, period, timeZone } = row;
  const { limit, spent, reserved, overshoot } = await look(ctx, row);
  const waiting = await ctx.db
    .query("jobs")
    .withIndex("by_gate", (q) => q.eq("gate", gateName(_id)))
    .take(BUDGET_WAITING_MAX);
  return {
    ...{ budgetId: _id, scope, period, timeZone },
    limitUsd: dollars(limit),
    spentUsd: dollars(spent),
    reservedUsd: dollars(reserved),
    overshootUsd: dollars(overshoot),
    endsAt: endOf(row),
    waiting: waiting.length,
  };
}

/** When the period of a budget ends; null is never. */
export function endOf(row: Row): number | null {
  return Budget.span(row, Clock.now()).endsAt;
}

/** The budgets that bound an attempt of a job with a credential. */
export async function bounding(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  credentialId: Id<"claudeCredentials"> | undefined,
): Promise<Row[]> {
  const scopes: BudgetScope[] = [
    { kind: "all" },
    { kind: "repository", name: nameOf(job.spec.repository) },
    { kind: "user", name: job.submittedBy },
  ];
  if (credentialId !== undefined) scopes.push({ kind: "credential", credentialId });
  const rows: Row[] = [];
  for (const scope of scopes) rows.push(...(await ofScope(ctx, Budget.scopeKey(scope))));
  return rows;
}

async function ofScope(ctx: QueryCtx, key: string): Promise<Row[]> {
  return ctx.db
    .query("budgets")
    .withIndex("by_key", (q) => q.eq("key", key))
    .take(BUDGETS_PER_SCOPE_MAX);
}

/** Ended attempts that a budget has not taken note of, at most SETTLED_PER_STEP. */
export async function ended(ctx: QueryCtx, budgetId: Id<"budgets">): Promise<Reservation[]> {
  return ctx.db
    .query("reservations")
    .withIndex("by_budget", (q) => q.eq("budgetId", budgetId).gt("ended.at", 0))
    .take(SETTLED_PER_STEP);
}

/** A budget as it is now, with the ends of attempts that its row does not know of yet. */
export async function look(ctx: QueryCtx, row: Row): Promise<Row> {
  return counted(row, await ended(ctx, row._id));
}

/** A budget as it is in its present period, with these ends of attempts. */
export function counted(row: Row, reservations: readonly Reservation[]): Row {
  let account = current(row);
  for (const { amount, ended: end } of reservations) {
    if (end !== undefined) account = Budget.settled(account, { amount, ...end });
  }
  return account;
}

/** A budget as it is in its present period. */
export function current(row: Row): Row {
  return Budget.rolled(row, Budget.span(row, Clock.now()).start);
}

// -- waiting --

/** A budget without room, as the gate that jobs wait at. */
export function closed(row: Row): Gate {
  const until = endOf(row);
  return { name: gateName(row._id), reason: "budget", ...(until === null ? {} : { until }) };
}

/** The budget of a gate; null when it was removed. */
export async function ofGate(ctx: QueryCtx, gate: string): Promise<Row | null> {
  const budgetId = ctx.db.normalizeId("budgets", gate.slice(PREFIX.length));
  return budgetId === null ? null : ctx.db.get("budgets", budgetId);
}

/** The gate of a budget as an obstacle; null when it has room for an attempt that costs the usual. */
export async function gate(ctx: QueryCtx, name: string): Promise<Gate | null> {
  const row = await ofGate(ctx, name);
  if (row === null || Budget.reserve(await look(ctx, row), undefined) !== null) return null;
  return closed(row);
}

/** What a budget has, in words. */
export function inWords({ key, period, spent, reserved, limit }: Row): string {
  const amount = (micros: number) => `$${dollars(micros).toFixed(2)}`;
  const name = key === "all" ? "everybody" : key;
  const of =
    period === "total" ? `The budget of ${name}` : `The budget of ${name} for the ${period}`;
  return `${of} has no room: of ${amount(limit)}, ${amount(spent)} are spent and ${amount(reserved)} set aside for what runs.`;
}

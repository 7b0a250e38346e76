import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Budget from "../domain/budget.js";
import type { Gate } from "../domain/waiting.js";
import { BUDGETS_PER_ATTEMPT_MAX, SETTLED_PER_STEP } from "../protocol/limits.js";
import * as Budgets from "./budgets.js";

/**
 * What attempts set aside in budgets. What must hold: `reserved` of a budget is the sum of the rows that
 * name it; one that has not ended is of an attempt under way.
 *
 * A budget's row is written when something is set aside, which the dispatcher's single chain does, and
 * when an attempt needs more, a few times in its life. The end of an attempt only marks its own rows.
 * Before the dispatcher turns a job away it reads the marks, in a way that conflicts with whoever sets
 * one: either it sees the room, or who makes room sees the job at the gate.
 */

/** An attempt, by what all its rows are found by. */
export type Attempt = { jobId: Id<"jobs">; token: number };

/** What an assignment would set aside: in which budgets how much; or the budget without room. */
export type Plan = { holds: { row: Budgets.Row; amount: number }[] } | { blocked: Gate };

/** Steps of taking note of ended attempts before a job is turned away. */
const SETTLES_MAX = 8;

/** Plans what a job's next attempt sets aside, with the credential it would use; `left` is all it may cost. */
export async function plan(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  {
    credentialId,
    left,
  }: { credentialId: Id<"claudeCredentials"> | undefined; left: number | undefined },
): Promise<Plan> {
  const holds: { row: Budgets.Row; amount: number }[] = [];
  for (const found of await Budgets.bounding(ctx, job, credentialId)) {
    let row = Budgets.current(found);
    let amount = Budget.reserve(row, left);
    for (let i = 0; i < SETTLES_MAX && amount === null; i += 1) {
      const settled = await settle(ctx, row);
      row = settled.row;
      amount = Budget.reserve(row, left);
      if (settled.count < SETTLED_PER_STEP) break;
    }
    if (amount === null) return { blocked: Budgets.closed(row) };
    holds.push({ row, amount });
  }
  return { holds };
}

/** Sets aside what was planned. */
export async function hold(
  ctx: MutationCtx,
  attempt: Attempt,
  holds: readonly { row: Budgets.Row; amount: number }[],
): Promise<void> {
  for (const { row, amount } of holds) {
    const { start, spent, overshoot, reserved } = row;
    const next = { start, spent, overshoot, reserved: reserved + amount };
    await ctx.db.patch("budgets", row._id, next);
    await ctx.db.insert("reservations", { budgetId: row._id, ...attempt, amount });
  }
}

/** What an attempt has set aside. */
export async function of(ctx: QueryCtx, attempt: Attempt): Promise<Doc<"reservations">[]> {
  return ctx.db
    .query("reservations")
    .withIndex("by_attempt", (q) => q.eq("jobId", attempt.jobId).eq("token", attempt.token))
    .take(BUDGETS_PER_ATTEMPT_MAX);
}

/** Sets more aside for an attempt that has cost so much, where there is room. Hands out what it may spend now. */
export async function grow(ctx: MutationCtx, attempt: Attempt, cost: number): Promise<number> {
  let line = Infinity;
  for (const { _id, budgetId, amount } of await of(ctx, attempt)) {
    const found = await ctx.db.get("budgets", budgetId);
    // A budget that was removed bounds nobody.
    if (found === null) continue;
    const { row } = await settle(ctx, found);
    const grown = Budget.grown(row, { amount, cost });
    if (grown > amount) {
      await ctx.db.patch("reservations", _id, { amount: grown });
      await ctx.db.patch("budgets", budgetId, { reserved: row.reserved + grown - amount });
    }
    line = Math.min(line, grown);
  }
  return line;
}

/** Marks what an attempt had set aside: it has ended and cost so much. */
export async function end(
  ctx: MutationCtx,
  attempt: Attempt,
  ended: { at: number; cost: number },
): Promise<void> {
  for (const { _id } of await of(ctx, attempt)) await ctx.db.patch("reservations", _id, { ended });
}

/** Deletes reservations of a budget that was removed, a bounded number; hands out whether some are left. */
export async function drop(ctx: MutationCtx, budgetId: Id<"budgets">): Promise<boolean> {
  const rows = await ctx.db
    .query("reservations")
    .withIndex("by_budget", (q) => q.eq("budgetId", budgetId))
    .take(SETTLED_PER_STEP);
  for (const { _id } of rows) await ctx.db.delete("reservations", _id);
  return rows.length === SETTLED_PER_STEP;
}

/** Has a budget take note of attempts that have ended. Hands it out as it is then, and how many they were. */
export async function settle(
  ctx: MutationCtx,
  row: Budgets.Row,
): Promise<{ row: Budgets.Row; count: number }> {
  const ended = await Budgets.ended(ctx, row._id);
  const next = Budgets.counted(row, ended);
  if (ended.length === 0) return { row: next, count: 0 };
  for (const { _id } of ended) await ctx.db.delete("reservations", _id);
  const { start, spent, reserved, overshoot, usual } = next;
  await ctx.db.patch("budgets", row._id, {
    ...{ start, spent, reserved, overshoot },
    ...(usual === undefined ? {} : { usual }),
  });
  return { row: next, count: ended.length };
}

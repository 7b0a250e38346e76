import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation } from "./_generated/server.js";
import { checkAmount, checkTimeZone, scopeKey } from "./domain/budget.js";
import { accept } from "./lib/errors.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Budgets from "./model/budgets.js";
import * as Reservations from "./model/reservations.js";
import * as Spending from "./model/spending.js";
import { budgetPeriod, budgetScope, budgetView } from "./protocol/budget.js";

/** Budgets with what is spent and set aside in their present period, newest first; at most 64. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(budgetView),
  handler: async (ctx) => Budgets.list(ctx),
});

/**
 * Sets the budget of a scope and period, US dollars; it begins empty, or goes on as it was spent. Days and
 * months are those of the time zone, UTC unless told. Throws INVALID_ARGUMENT.
 */
export const set = userMutation("administrator")({
  args: {
    scope: budgetScope,
    period: budgetPeriod,
    limitUsd: v.number(),
    timeZone: v.optional(v.string()),
  },
  returns: v.object({ budgetId: v.id("budgets") }),
  handler: async (ctx, { timeZone: typed = "UTC", ...given }) => {
    accept(checkAmount(given.limitUsd));
    const timeZone = accept(checkTimeZone(typed));
    const budgetId = await Budgets.set(ctx, { ...given, timeZone });
    const target = nameOf(given);
    const detail = `$${given.limitUsd}, ${timeZone}`;
    await Audit.write(ctx, { action: "budget.set", actor: ctx.actor, target, detail });
    await Spending.letIn(ctx, budgetId);
    return { budgetId };
  },
});

/** Removes a budget: it bounds nobody any more. Throws NOT_FOUND. */
export const remove = userMutation("administrator")({
  args: { budgetId: v.id("budgets") },
  returns: v.null(),
  handler: async (ctx, { budgetId }) => {
    const target = nameOf(await Budgets.get(ctx, budgetId));
    await Budgets.remove(ctx, budgetId);
    await Audit.write(ctx, { action: "budget.removed", actor: ctx.actor, target });
    await Spending.letIn(ctx, budgetId);
    await ctx.scheduler.runAfter(0, internal.budgets.drop, { budgetId });
    return null;
  },
});

function nameOf({ scope, period }: Pick<Budgets.Given, "scope" | "period">): string {
  return `${scopeKey(scope)} ${period}`;
}

/** A step of deleting what attempts had set aside in a budget that was removed. */
export const drop = internalMutation({
  args: { budgetId: v.id("budgets") },
  returns: v.null(),
  handler: async (ctx, args) => {
    const isMore = await Reservations.drop(ctx, args.budgetId);
    if (isMore) await ctx.scheduler.runAfter(0, internal.budgets.drop, args);
    return null;
  },
});

/** Budgets take note of the attempts that have ended. */
export const tidy = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Spending.tidy(ctx);
    return null;
  },
});

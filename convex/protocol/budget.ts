import { type Infer, v } from "convex/values";
import { tokens } from "./job.js";

/** Whose spending a budget bounds. What one job may spend is its own limit, `maxBudgetUsd`. */
export const budgetScope = v.union(
  /** Everybody's. */
  v.object({ kind: v.literal("all") }),
  /** As jobs show it: `host/owner/name`, or a local path. */
  v.object({ kind: v.literal("repository"), name: v.string() }),
  /** Who submits, as jobs show it: `user:ada`. */
  v.object({ kind: v.literal("user"), name: v.string() }),
  v.object({ kind: v.literal("credential"), credentialId: v.id("claudeCredentials") }),
);
export type BudgetScope = Infer<typeof budgetScope>;

/** How long a budget lasts, by the clocks of its time zone; `total` never begins anew. */
export const budgetPeriod = v.union(v.literal("day"), v.literal("month"), v.literal("total"));
export type BudgetPeriod = Infer<typeof budgetPeriod>;

/** A budget as people see it, US dollars. */
export const budgetView = v.object({
  budgetId: v.id("budgets"),
  scope: budgetScope,
  period: budgetPeriod,
  /** Of the IANA database. */
  timeZone: v.string(),
  limitUsd: v.number(),
  /** Spent in this period by attempts that have ended. */
  spentUsd: v.number(),
  /** Set aside for attempts under way. */
  reservedUsd: v.number(),
  /** What attempts of this period spent beyond what was set aside for them. */
  overshootUsd: v.number(),
  /** When the period ends, ms since the epoch; null is never. */
  endsAt: v.union(v.null(), v.number()),
  /** Jobs that wait for room in it, counted up to 20. */
  waiting: v.number(),
});
export type BudgetView = Infer<typeof budgetView>;

/** What runs cost: US dollars by the CLI's own account, and tokens, subagents included. */
export const spent = v.object({ costUsd: v.number(), tokens });
export type SpentView = Infer<typeof spent>;

/** What a bounded attempt cost, and where its line was: US dollars. */
export const attemptSpend = v.object({
  ...spent.fields,
  /** Beyond this it was to be stopped; absent until its first word on cost. */
  lineUsd: v.optional(v.number()),
  /** What it cost beyond its line, once it has ended. */
  overshootUsd: v.optional(v.number()),
});
export type AttemptSpend = Infer<typeof attemptSpend>;

/** Whose line an attempt has crossed: that of its job, or of a budget. Also the reason it then ends with. */
export const stop = v.union(v.literal("maxBudget"), v.literal("budget"));
export type Stop = Infer<typeof stop>;

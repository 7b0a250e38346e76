import { defineTable } from "convex/server";
import { v } from "convex/values";
import { budgetPeriod, budgetScope } from "../protocol/budget.js";
import { credentialKind, credentialStatus, usageWindow } from "../protocol/credential.js";
import { tokens } from "../protocol/job.js";

/** Tables of what runs spend: credentials and their limits. Part of convex/schema.ts. */
export const spendTables = {
  /**
   * What runs log in with, without what is secret. Written by model/credentials when a limit is hit,
   * a window changes or a person acts, never for each attempt. Of a deployment's credential the
   * secret is a row of `secrets`; an executor's own login stays with the executor.
   */
  claudeCredentials: defineTable({
    kind: credentialKind,
    label: v.string(),
    /** Exactly one of these two. */
    secretId: v.optional(v.id("secrets")),
    executorId: v.optional(v.id("executors")),
    status: credentialStatus,
    limitedUntil: v.optional(v.number()),
    /** Throttles without a time of reset that followed each other, and when the last one ended. */
    throttles: v.number(),
    throttledUntil: v.optional(v.number()),
    windows: v.array(usageWindow),
    concurrency: v.union(v.null(), v.number()),
    lastFailure: v.optional(v.object({ at: v.number(), reason: v.string(), message: v.string() })),
  })
    .index("by_status", ["status", "limitedUntil"])
    .index("by_owner", ["executorId", "status"])
    .index("by_secret", ["secretId"]),

  /**
   * "This attempt uses that credential", while an executor holds the job. Written by
   * model/credentials: inserted with the assignment, deleted when the attempt ends.
   */
  credentialUses: defineTable({
    credentialId: v.id("claudeCredentials"),
    jobId: v.id("jobs"),
    token: v.number(),
  })
    .index("by_credential", ["credentialId"])
    .index("by_job", ["jobId"]),

  /**
   * What may be spent, in millionths of a dollar. Written by model/budgets and model/reservations: by
   * people; by the dispatcher, whose chain is the only one, when it sets aside; by an attempt that
   * needs more than was set aside, each time twice as much. Never by the end of an attempt.
   */
  budgets: defineTable({
    /** The scope as one text (domain/budget). */
    key: v.string(),
    scope: budgetScope,
    period: budgetPeriod,
    timeZone: v.string(),
    limit: v.number(),
    /** Beginning of the period that the amounts are of. */
    start: v.number(),
    spent: v.number(),
    /** The sum of the rows of `reservations` of this budget. */
    reserved: v.number(),
    overshoot: v.number(),
    /** What an attempt usually costs; absent before the first. */
    usual: v.optional(v.number()),
    /** The period's end for which a wake-up is scheduled. */
    wakeAt: v.optional(v.number()),
  })
    .index("by_key", ["key"])
    .index("by_wake", ["wakeAt"]),

  /**
   * What an attempt has set aside in a budget. Written by model/reservations: inserted with the
   * assignment; told of the attempt's end, which so writes no row that others write; deleted when its
   * budget has taken note of that.
   */
  reservations: defineTable({
    budgetId: v.id("budgets"),
    jobId: v.id("jobs"),
    token: v.number(),
    amount: v.number(),
    ended: v.optional(v.object({ at: v.number(), cost: v.number() })),
  })
    .index("by_budget", ["budgetId", "ended.at"])
    .index("by_attempt", ["jobId", "token"]),

  /**
   * What a bounded attempt under way has cost so far. Written by model/spending, with each word of its
   * executor on that; apart from the job, whose row lists read. Deleted when the attempt ends.
   */
  meters: defineTable({
    jobId: v.id("jobs"),
    token: v.number(),
    micros: v.number(),
    tokens,
    /** What it may spend. */
    line: v.number(),
  }).index("by_attempt", ["jobId", "token"]),
};

import { defineTable } from "convex/server";
import { v } from "convex/values";
import { credentialKind, credentialStatus, usageWindow } from "../protocol/credential.js";

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
};

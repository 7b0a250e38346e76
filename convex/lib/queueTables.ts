import { defineTable } from "convex/server";
import { v } from "convex/values";
import {
  bulkAction,
  bulkFilter,
  cadence,
  catchUp,
  pause,
  queueLimits,
  submissionFields,
  submissionItem,
} from "../protocol/queue.js";

/**
 * The tables of the queue's rules: limits, dependencies, and what submits or changes many jobs. Part of
 * convex/schema.ts.
 */
export const queueTables = {
  /** What operators set for the whole queue, one row. Written by model/controls. Read by each pass. */
  controls: defineTable({
    paused: v.union(v.null(), pause),
    limits: queueLimits,
    /** The deployment keeps Claude credentials: assignments look for one. */
    credentials: v.optional(v.literal(true)),
    /** There are budgets: assignments look for those that bound them. */
    budgets: v.optional(v.literal(true)),
  }),

  /** Limits of single concurrency keys and submitters. Written by model/gates. Deleted when cleared. */
  gateLimits: defineTable({
    gate: v.string(),
    limit: v.number(),
    note: v.optional(v.string()),
  }).index("by_gate", ["gate"]),

  /**
   * "jobId comes after `on`", one row for each prerequisite that had not ended. Written by
   * model/dependencies, deleted when `on` ends.
   */
  dependencies: defineTable({ jobId: v.id("jobs"), on: v.id("jobs") })
    .index("by_on", ["on"])
    .index("by_job", ["jobId"]),

  /** Submissions that repeat. Written by model/schedules; `nextAt` is null while paused or over. */
  schedules: defineTable({
    name: v.string(),
    cadence,
    catchUp,
    submission: submissionFields,
    paused: v.boolean(),
    nextAt: v.union(v.null(), v.number()),
    lastAt: v.optional(v.number()),
    lastJobId: v.optional(v.id("jobs")),
    /** Why the last occurrence submitted nothing. */
    lastError: v.optional(v.string()),
    runs: v.number(),
    createdBy: v.string(),
  })
    .index("by_name", ["name"])
    .index("by_next", ["nextAt"]),

  /**
   * Several jobs submitted as one. Written by model/batches: `created` while its jobs are submitted,
   * `canceled` once. What became of the jobs is read from them.
   */
  batches: defineTable({
    name: v.string(),
    createdBy: v.string(),
    /** The submissions in full; the first `created` of them are jobs. */
    prompt: v.string(),
    items: v.array(submissionItem),
    created: v.number(),
    canceled: v.boolean(),
  }),

  /** Background operations over many jobs. Written by model/bulk, a page at a time. */
  bulkOperations: defineTable({
    action: bulkAction,
    filter: bulkFilter,
    actor: v.string(),
    /** The last job it may touch: jobs submitted after it began are not its concern. */
    until: v.number(),
    status: v.union(
      v.literal("running"),
      v.literal("done"),
      v.literal("canceled"),
      v.literal("failed"),
    ),
    /** Pages done; a page of another number than the next does nothing. */
    pages: v.number(),
    cursor: v.union(v.null(), v.string()),
    looked: v.number(),
    done: v.number(),
    refused: v.number(),
    endedAt: v.optional(v.number()),
  }),

  /** What a bulk operation did to each job. Written by model/bulk with the page. */
  bulkOutcomes: defineTable({
    operationId: v.id("bulkOperations"),
    jobId: v.id("jobs"),
    ok: v.boolean(),
    /** The state afterwards, or why it was refused. */
    detail: v.string(),
  }).index("by_operation", ["operationId"]),

  /** Versions of prompts with parameters; never change. Written by model/templates. */
  templates: defineTable({
    name: v.string(),
    version: v.number(),
    text: v.string(),
    parameters: v.array(v.string()),
    createdBy: v.string(),
  }).index("by_name", ["name", "version"]),
};

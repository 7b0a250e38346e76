import { defineTable } from "convex/server";
import { v } from "convex/values";
import { questionState, steeringKind, steeringState } from "../protocol/steering.js";

/** Tables of what people and runs say to each other. Part of convex/schema.ts. */
export const steeringTables = {
  /**
   * Commands of people to a job, in their order. Written by model/steering: on a person's word, when
   * an executor fetches them, and when the run takes them up or ends. Deleted with the job.
   */
  steering: defineTable({
    jobId: v.id("jobs"),
    /** From 0, without gaps: `steered` of the job counts them. */
    seq: v.number(),
    kind: steeringKind,
    /** A UUID: what the CLI calls it. */
    messageId: v.string(),
    text: v.optional(v.string()),
    by: v.string(),
    at: v.number(),
    state: steeringState,
    stateAt: v.number(),
    attempt: v.optional(v.number()),
    reason: v.optional(v.string()),
  }).index("by_job", ["jobId", "seq"]),

  /**
   * Calls of tools that wait, or waited, for a person. Written by model/questions: when a run asks,
   * with the answer, its deadline or the job's end. Deleted with the job.
   */
  questions: defineTable({
    jobId: v.id("jobs"),
    attempt: v.number(),
    toolUseId: v.string(),
    tool: v.string(),
    input: v.string(),
    askedAt: v.number(),
    deadlineAt: v.number(),
    state: questionState,
    answeredAt: v.optional(v.number()),
    answeredBy: v.optional(v.string()),
    text: v.optional(v.string()),
  })
    .index("by_job", ["jobId", "toolUseId"])
    .index("by_state", ["state", "deadlineAt"]),
};

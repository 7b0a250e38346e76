import { defineTable } from "convex/server";
import { v } from "convex/values";
import { alertRow, alertSettings, deliveryStatus, messageKind } from "../protocol/alerts.js";
import { cursor, part, verdict, violation } from "../protocol/selfAudit.js";
import { retentionDays, retentionKind, retentionRun, rowCounts } from "../protocol/retention.js";
import { bucket, level, sample } from "../protocol/metrics.js";

/** The tables that watch over the others: metrics, alerts, audits of the invariants, retention. Part of convex/schema.ts. */
export const watchTables = {
  /** Counts of each minute, hour, day and of all time. Written by model/metrics. Deleted by prune. */
  metrics: defineTable({ level, start: v.number(), ...bucket.fields }).index("by_start", [
    "level",
    "start",
  ]),

  /** How far the roll-up of metrics has come, one row. Written by model/metrics. */
  rollUp: defineTable({
    generation: v.number(),
    /** Commit timestamp and creation time of the last event that was counted. */
    ts: v.int64(),
    creationTime: v.number(),
    /** Jobs in each state that is not terminal, as of that event. */
    states: v.record(v.string(), v.number()),
    /** When the roll-up last ran, and what the queue looked like then. */
    rolledAt: v.number(),
    sample,
    /** Whether events were left over. */
    isBehind: v.boolean(),
  }),

  /** What operators must know of. Written by model/alerts. Resolved ones are deleted by prune. */
  alerts: defineTable(alertRow).index("by_status", ["status"]).index("by_resolved", ["resolvedAt"]),

  /** What raises alerts, at most one row. Written by model/alerts. */
  alertSettings: defineTable(alertSettings),

  /** Messages to the webhook. Written by model/outbox. Deleted by prune once sent or given up. */
  outbox: defineTable({
    alertId: v.optional(v.id("alerts")),
    kind: messageKind,
    title: v.string(),
    body: v.string(),
    /** The same for each attempt, so that a receiver can tell a repeat. */
    idempotencyKey: v.string(),
    at: v.number(),
    status: deliveryStatus,
    attempts: v.number(),
    /** Next attempt; end of the one under way; when it was given up. */
    dueAt: v.number(),
    sentAt: v.optional(v.number()),
    error: v.optional(v.string()),
  })
    .index("by_status", ["status", "dueAt"])
    .index("by_alert", ["alertId"]),

  /** The round of the self-audit under way, and the last verdict, one row. Written by model/selfAudit. */
  selfAudit: defineTable({
    generation: v.number(),
    /** Where the round stands; null between rounds. */
    part: v.union(part, v.null()),
    cursor,
    steps: v.number(),
    startedAt: v.number(),
    stepAt: v.number(),
    checked: v.number(),
    found: v.array(violation),
    total: v.number(),
    isComplete: v.boolean(),
    unchecked: v.optional(v.array(v.string())),
    verdict: v.union(verdict, v.null()),
  }),

  /** What is deleted when, the run under way and the last one, one row. Written by model/retention. */
  retention: defineTable({
    /** As set; a kind that came later is at its default. */
    days: retentionDays.partial(),
    generation: v.number(),
    run: v.union(
      v.null(),
      v.object({
        kind: retentionKind,
        cursor: v.number(),
        startedAt: v.number(),
        stepAt: v.number(),
        rows: rowCounts,
      }),
    ),
    last: v.union(retentionRun, v.null()),
  }),
};

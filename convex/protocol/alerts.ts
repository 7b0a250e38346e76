import { type Infer, v } from "convex/values";

/** P1: page somebody. P2: within the hour. P3: within half a day. P4: when there is time. */
export const SEVERITIES = ["P1", "P2", "P3", "P4"] as const;
export const severity = v.union(...SEVERITIES.map((s) => v.literal(s)));
export type Severity = Infer<typeof severity>;

export const RULE_NAMES = [
  "noExecutor",
  "queueStuck",
  "errorRate",
  "reclaims",
  "spend",
  "selfAudit",
  "zombie",
  "disk",
  "labelsMissing",
  "credentials",
  "executorUnhealthy",
  "executorLost",
  "slowQueue",
  "setAside",
  "spendNear",
  "rollUpBehind",
  "webhookFailing",
] as const;
export const ruleName = v.union(...RULE_NAMES.map((r) => v.literal(r)));
export type RuleName = Infer<typeof ruleName>;

/**
 * pending: its condition holds, but not yet for as long as its rule demands. open: people were told.
 * resolved: the condition was gone for as long as its rule demands; final.
 */
export const alertStatus = v.union(v.literal("pending"), v.literal("open"), v.literal("resolved"));

/** What an alert says; the same in the table, for people and in messages. */
export const alertFields = {
  /** The rule, and what it is about where it watches several things: never two alive of one key. */
  key: v.string(),
  rule: ruleName,
  severity,
  title: v.string(),
  detail: v.string(),
};

const acknowledgement = v.object({ by: v.string(), at: v.number(), note: v.string() });

export const alertRow = v.object({
  ...alertFields,
  status: alertStatus,
  /** When the condition was first seen. */
  since: v.number(),
  openedAt: v.optional(v.number()),
  /** Since when the condition is gone, while the alert is still open. */
  clearSince: v.optional(v.number()),
  resolvedAt: v.optional(v.number()),
  acknowledged: v.optional(acknowledgement),
});

/** An alert as people see it. */
export const alertView = v.object({
  alertId: v.id("alerts"),
  ...alertRow.fields,
  /** Where the runbook says what to do. */
  runbook: v.string(),
});
export type AlertView = Infer<typeof alertView>;

/** What an administrator may set; all times in ms, shares from 0 to 1. */
export const alertSettings = v.object({
  /** Dollars a day (UTC); null is no limit. */
  spendDailyUsd: v.union(v.number(), v.null()),
  /** Share of failed attempts within a quarter of an hour. */
  errorShare: v.number(),
  /** Reclaimed attempts within a quarter of an hour. */
  reclaims: v.number(),
  /** Age of a pending job from which the queue counts as slow. */
  slowMs: v.number(),
  /** Free share of an executor's disk. */
  diskShare: v.number(),
  /** Rules that raise nothing. */
  muted: v.array(ruleName),
});
export type AlertSettings = Infer<typeof alertSettings>;

export const messageKind = v.union(
  v.literal("opened"),
  v.literal("escalated"),
  v.literal("resolved"),
  v.literal("test"),
);
export type MessageKind = Infer<typeof messageKind>;

/** waiting: for its next attempt. sending: one attempt is under way. failed: given up, see replay. */
export const deliveryStatus = v.union(
  v.literal("waiting"),
  v.literal("sending"),
  v.literal("sent"),
  v.literal("failed"),
);

/** A message to the webhook as people see it. */
export const deliveryView = v.object({
  deliveryId: v.id("outbox"),
  at: v.number(),
  kind: messageKind,
  title: v.string(),
  status: deliveryStatus,
  attempts: v.number(),
  error: v.optional(v.string()),
});
export type DeliveryView = Infer<typeof deliveryView>;

/** Room on the disk that holds an executor's workspaces, bytes. */
export const disk = v.object({
  freeBytes: v.number(),
  totalBytes: v.number(),
  /** Less is free than the executor wants before it begins an attempt. */
  isLow: v.optional(v.boolean()),
});
export type Disk = Infer<typeof disk>;

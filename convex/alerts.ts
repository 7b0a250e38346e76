import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation, internalQuery } from "./_generated/server.js";
import { checkSettings, evaluate as applyRules, step } from "./domain/alerts.js";
import { accept, fail } from "./lib/errors.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Snapshot from "./model/alertSnapshot.js";
import * as Alerts from "./model/alerts.js";
import * as Audit from "./model/audit.js";
import * as Outbox from "./model/outbox.js";
import * as Clock from "./lib/clock.js";
import {
  alertSettings,
  alertView,
  deliveryView,
  disk,
  type AlertSettings,
} from "./protocol/alerts.js";
import { failureReason } from "./protocol/job.js";
import { ACKNOWLEDGEMENT_CHARS_MAX } from "./protocol/limits.js";

// -- people --

/** Open alerts, newest first, then the latest resolved ones. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(alertView),
  handler: async (ctx) => Alerts.list(ctx),
});

/** Says that the caller takes care of an open alert. The first to say so stays. */
export const acknowledge = userMutation("operator")({
  args: { alertId: v.id("alerts"), note: v.optional(v.string()) },
  returns: v.null(),
  handler: async (ctx, { alertId, note = "" }) => {
    if (note.length > ACKNOWLEDGEMENT_CHARS_MAX) {
      throw fail("INVALID_ARGUMENT", `The note is longer than ${ACKNOWLEDGEMENT_CHARS_MAX}.`);
    }
    const row = await Alerts.get(ctx, alertId);
    const by = `user:${ctx.user.username}`;
    await Alerts.acknowledge(ctx, row, { by, note });
    await Audit.write(ctx, { action: "alert.acknowledged", actor: by, target: row.key });
    return null;
  },
});

/** What raises alerts. */
export const settings = userQuery("viewer")({
  args: {},
  returns: alertSettings,
  handler: async (ctx) => Alerts.settings(ctx),
});

/** Changes what raises alerts; what is left out stays. Hands out all settings. */
export const configure = userMutation("administrator")({
  args: alertSettings.partial().fields,
  returns: alertSettings,
  handler: async (ctx, changes) => {
    const next: AlertSettings = { ...(await Alerts.settings(ctx)), ...changes };
    await Alerts.configure(ctx, accept(checkSettings(next)));
    const detail = JSON.stringify(changes);
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "alerts.configured", actor, detail });
    return next;
  },
});

/** The latest messages to the webhook, newest first. */
export const deliveries = userQuery("viewer")({
  args: {},
  returns: v.array(deliveryView),
  handler: async (ctx) => Outbox.list(ctx),
});

/** Sends a test message to the webhook; `alerts:deliveries` shows what became of it. */
export const test = userMutation("administrator")({
  args: {},
  returns: v.object({ deliveryId: v.id("outbox") }),
  handler: async (ctx) => {
    const told = {
      ...{ key: "test", rule: "test", severity: "P4" as const, since: Clock.now() },
      title: "This is a test",
      detail: `${ctx.user.username} asked for it.`,
      runbook: Alerts.runbookOf("webhookFailing"),
    };
    const deliveryId = await Outbox.tell(ctx, { alertId: null, kind: "test", told });
    if (deliveryId === null) {
      throw fail("INVALID_ARGUMENT", "Set the deployment variable ALERT_WEBHOOK_URL first.");
    }
    const actor = `user:${ctx.user.username}`;
    await Audit.write(ctx, { action: "alerts.tested", actor });
    return { deliveryId };
  },
});

// -- the rules --

/** What the rules look at. */
export const snapshot = internalQuery({
  args: {},
  returns: v.object({
    now: v.number(),
    pending: v.number(),
    oldestMs: v.number(),
    hasFreeSlot: v.boolean(),
    hasFit: v.boolean(),
    lanes: v.array(v.string()),
    dispatcher: v.union(v.null(), v.object({ status: v.string(), since: v.number() })),
    executors: v.array(
      v.object({
        id: v.string(),
        name: v.string(),
        presence: v.union(v.literal("online"), v.literal("lost")),
        presenceSince: v.number(),
        takesWork: v.boolean(),
        pool: v.string(),
        unhealthy: v.union(v.null(), v.object({ reason: failureReason, since: v.number() })),
        disk: v.optional(disk),
      }),
    ),
    recent: v.object({ ended: v.number(), failed: v.number(), reclaimed: v.number() }),
    assignedLately: v.number(),
    spentTodayUsd: v.number(),
    budgets: v.array(
      v.object({
        ...{ id: v.string(), name: v.string(), spentUsd: v.number(), limitUsd: v.number() },
        waiting: v.number(),
      }),
    ),
    rollUp: v.union(v.null(), v.object({ rolledAt: v.number(), isBehind: v.boolean() })),
    audit: v.union(v.null(), v.object({ violations: v.number(), first: v.string() })),
    setAside: v.object({ count: v.number(), last: v.string() }),
    zombies: v.object({ count: v.number(), last: v.string() }),
    failedDeliveries: v.number(),
    failingCredentials: v.array(
      v.object({ id: v.string(), label: v.string(), message: v.string() }),
    ),
  }),
  handler: async (ctx) => Snapshot.take(ctx),
});

/** Applies the rules, by cron each minute: opens, updates and resolves alerts, and sends what is late. */
export const evaluate = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    const seen = await ctx.runQuery(internal.alerts.snapshot, {}, { useStaleSnapshot: true });
    const findings = applyRules(seen, await Alerts.settings(ctx));
    const rows = await Alerts.live(ctx);
    const live = rows.map((row) => Alerts.liveOf(row)).filter((alert) => alert !== null);
    await Alerts.write(ctx, rows, step(live, findings, seen.now));
    await Outbox.revive(ctx);
    return null;
  },
});

// -- operators --

/** Sends a message again: one named by its id, or the latest of an alert. */
export const replay = internalMutation({
  args: { deliveryId: v.optional(v.id("outbox")), alertId: v.optional(v.id("alerts")) },
  returns: v.object({ deliveryId: v.id("outbox") }),
  handler: async (ctx, { deliveryId, alertId }) => {
    const latest = alertId === undefined ? null : await Outbox.latestOf(ctx, alertId);
    const found = deliveryId ?? latest?._id;
    if (found === undefined) {
      throw fail("NOT_FOUND", "Name a message (deliveryId), or an alert that has one (alertId).");
    }
    await Outbox.replay(ctx, found);
    return { deliveryId: found };
  },
});

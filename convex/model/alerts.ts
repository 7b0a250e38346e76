import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { type Change, type Live, RULES, SETTINGS_DEFAULT } from "../domain/alerts.js";
import * as Clock from "../lib/clock.js";
import * as Env from "../lib/env.js";
import { fail } from "../lib/errors.js";
import type { AlertSettings, AlertView } from "../protocol/alerts.js";
import { ALERTS_LIVE_MAX, PAGE_SIZE_MAX } from "../protocol/limits.js";
import * as Outbox from "./outbox.js";

/** Alerts that are alive: their condition is being watched, or people were told of it. */
export async function live(ctx: QueryCtx): Promise<Doc<"alerts">[]> {
  const open = await withStatus(ctx, "open");
  return [...open, ...(await withStatus(ctx, "pending"))];
}

async function withStatus(
  ctx: QueryCtx,
  status: Doc<"alerts">["status"],
): Promise<Doc<"alerts">[]> {
  return ctx.db
    .query("alerts")
    .withIndex("by_status", (q) => q.eq("status", status))
    .order("desc")
    .take(ALERTS_LIVE_MAX);
}

/** An alert as the rules know it; null when it is no longer alive. */
export function liveOf(row: Doc<"alerts">): Live | null {
  const { key, rule, severity, title, detail, status, since, openedAt, clearSince } = row;
  if (status === "resolved") return null;
  return {
    ...{ key, rule, severity, title, detail, status, since },
    ...(openedAt === undefined ? {} : { openedAt }),
    ...(clearSince === undefined ? {} : { clearSince }),
  };
}

/**
 * Writes what became of the alerts, each row only if it changed, and puts messages into the outbox in
 * the same transaction: whoever sees an alert open knows that its message is on its way.
 */
export async function write(
  ctx: MutationCtx,
  rows: readonly Doc<"alerts">[],
  changes: readonly Change[],
): Promise<void> {
  const byKey = new Map(rows.map((row) => [row.key, row]));
  for (const change of changes) {
    const row = byKey.get(change.alert.key);
    const alertId = await put(ctx, row, change);
    if (change.kind !== "forget" && change.tell !== undefined) {
      await Outbox.tell(ctx, { alertId, kind: change.tell, told: toldOf(change.alert) });
    }
  }
}

async function put(
  ctx: MutationCtx,
  row: Doc<"alerts"> | undefined,
  change: Change,
): Promise<Id<"alerts"> | null> {
  const { alert } = change;
  if (row === undefined) {
    // Every live alert was read, so a key that is not among them is new; beyond the bound none is begun.
    return change.kind === "forget" ? null : ctx.db.insert("alerts", alert);
  }
  switch (change.kind) {
    case "forget":
      await ctx.db.delete("alerts", row._id);
      break;
    case "resolve":
      await ctx.db.patch("alerts", row._id, { status: "resolved", resolvedAt: Clock.now() });
      break;
    case "begin":
    case "keep": {
      const before = liveOf(row);
      const next = { ...alert, clearSince: alert.clearSince };
      if (!isSame(before, alert)) await ctx.db.patch("alerts", row._id, next);
    }
  }
  return row._id;
}

function isSame(a: Live | null, b: Live): boolean {
  if (a === null) return false;
  return (Object.keys({ ...a, ...b }) as (keyof Live)[]).every((key) => a[key] === b[key]);
}

/** What messages say of an alert. */
export function toldOf({ key, rule, severity, title, detail, since }: Live) {
  return { key, rule, severity, title, detail, since, runbook: runbookOf(rule) };
}

/** Link to what to do. */
export function runbookOf(rule: Live["rule"]): string {
  return `${Env.find("RUNBOOK_URL") ?? "docs/runbook.md"}#${RULES[rule].runbook}`;
}

/** Open alerts, newest first, then the latest resolved ones; at most PAGE_SIZE_MAX of each. */
export async function list(ctx: QueryCtx): Promise<AlertView[]> {
  const open = await withStatus(ctx, "open");
  const resolved = await withStatus(ctx, "resolved");
  return [...open.slice(0, PAGE_SIZE_MAX), ...resolved.slice(0, PAGE_SIZE_MAX)].map(view);
}

function view(row: Doc<"alerts">): AlertView {
  const { key, rule, severity, title, detail, status, since } = row;
  const { openedAt, clearSince, resolvedAt, acknowledged } = row;
  return {
    alertId: row._id,
    ...{ key, rule, severity, title, detail, status, since },
    ...(openedAt === undefined ? {} : { openedAt }),
    ...(clearSince === undefined ? {} : { clearSince }),
    ...(resolvedAt === undefined ? {} : { resolvedAt }),
    ...(acknowledged === undefined ? {} : { acknowledged }),
    runbook: runbookOf(rule),
  };
}

/** The alert; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, alertId: Id<"alerts">): Promise<Doc<"alerts">> {
  const row = await ctx.db.get("alerts", alertId);
  if (row === null) throw fail("NOT_FOUND", `There is no alert ${alertId}.`);
  return row;
}

/** Notes who takes care of an open alert; the first to say so stays. */
export async function acknowledge(
  ctx: MutationCtx,
  row: Doc<"alerts">,
  { by, note }: { by: string; note: string },
): Promise<void> {
  if (row.status !== "open") {
    throw fail(
      "ILLEGAL_TRANSITION",
      `Alert ${row._id} is ${row.status}; only an open one can be acknowledged.`,
    );
  }
  if (row.acknowledged !== undefined) return;
  await ctx.db.patch("alerts", row._id, { acknowledged: { by, at: Clock.now(), note } });
}

/** What is set, or the defaults. */
export async function settings(ctx: QueryCtx): Promise<AlertSettings> {
  const row = await ctx.db.query("alertSettings").first();
  if (row === null) return SETTINGS_DEFAULT;
  const { spendDailyUsd, errorShare, reclaims, slowMs, diskShare, muted } = row;
  return { spendDailyUsd, errorShare, reclaims, slowMs, diskShare, muted };
}

export async function configure(ctx: MutationCtx, next: AlertSettings): Promise<void> {
  const row = await ctx.db.query("alertSettings").first();
  if (row === null) await ctx.db.insert("alertSettings", next);
  else await ctx.db.replace("alertSettings", row._id, next);
}

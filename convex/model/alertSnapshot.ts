import type { Doc } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import type { Snapshot } from "../domain/alerts.js";
import { scopeKey } from "../domain/budget.js";
import { rest } from "../domain/dispatch.js";
import { signature } from "../domain/labels.js";
import * as RollUp from "../domain/rollup.js";
import * as Clock from "../lib/clock.js";
import { ALERT_EXECUTORS_MAX, HEALTH_COUNT_MAX } from "../protocol/limits.js";
import * as Assignments from "./assignments.js";
import * as Audit from "./audit.js";
import * as Budgets from "./budgets.js";
import * as Controls from "./controls.js";
import * as Deadlines from "./deadlines.js";
import * as Credentials from "./credentials.js";
import * as Metrics from "./metrics.js";
import * as Outbox from "./outbox.js";
import * as SelfAudit from "./selfAudit.js";
import * as Lines from "./lines.js";
import * as Slots from "./slots.js";
import * as Zombies from "./zombies.js";

const MINUTE = 60_000;
const RECENT_MINUTES = 15;
const LATELY_MS = 5 * MINUTE;

/**
 * Reads all that the rules look at, each range with a bound: some 500 documents at a hundred executors,
 * however many jobs there are. For a stale query: heartbeats write leases all the time.
 */
export async function take(ctx: QueryCtx): Promise<Snapshot> {
  const now = Clock.now();
  const hourAgo = now - 60 * MINUTE;
  const queue = await Metrics.now(ctx);
  const dispatcher = await ctx.db.query("dispatcher").first();
  const rollUp = await Metrics.progress(ctx);
  const { recent, assignedLately } = await lately(ctx, now);
  const today = await Metrics.since(ctx, { level: "day", start: RollUp.startOf("day", now) }, 1);
  const audit = await SelfAudit.verdict(ctx);
  return {
    now,
    pending: queue.pendingUpTo,
    oldestMs: queue.oldestPendingSince === null ? 0 : Math.max(0, now - queue.oldestPendingSince),
    ...(await line(ctx)),
    dispatcher: dispatcher === null ? null : { status: dispatcher.status, since: dispatcher.since },
    executors: await executors(ctx),
    recent,
    assignedLately,
    spentTodayUsd: RollUp.dollars(today[0]?.micros ?? 0),
    budgets: await budgets(ctx),
    rollUp: rollUp === null ? null : { rolledAt: rollUp.rolledAt, isBehind: rollUp.isBehind },
    audit,
    setAside: await noted(ctx, [Assignments.SET_ASIDE, Deadlines.SWEEP_FAILED], hourAgo),
    zombies: await noted(ctx, [Zombies.ZOMBIE], hourAgo),
    // Of an executor's own login its executor tells.
    failingCredentials: (await Credentials.failing(ctx)).map((row) => ({
      ...{ id: row._id, label: row.label },
      message: row.lastFailure?.message ?? "",
    })),
    failedDeliveries: await Outbox.countFailed(ctx, hourAgo),
  };
}

/** Budgets, where there are any. */
async function budgets(ctx: QueryCtx): Promise<Snapshot["budgets"]> {
  if ((await Controls.get(ctx)).budgets !== true) return [];
  return (await Budgets.list(ctx)).map(
    ({ budgetId, scope, period, spentUsd, limitUsd, waiting }) => ({
      id: budgetId,
      name: `${scope.kind === "all" ? "everybody" : scopeKey(scope)} (${period})`,
      ...{ spentUsd, limitUsd, waiting },
    }),
  );
}

/** What waits, and whether a free slot may have some of it. */
async function line(ctx: QueryCtx): Promise<Pick<Snapshot, "hasFreeSlot" | "hasFit" | "lanes">> {
  const { lanes } = await Lines.lanes(ctx, "");
  const pools = await Lines.pools(ctx);
  const hasFit = rest({ lanes, pools }) === "scheduled";
  return { hasFreeSlot: pools.length > 0, hasFit, lanes };
}

/** What the minutes of the last quarter of an hour counted. */
async function lately(ctx: QueryCtx, now: number) {
  const start = RollUp.startOf("minute", now - RECENT_MINUTES * MINUTE);
  const minutes = await Metrics.since(ctx, { level: "minute", start }, RECENT_MINUTES + 1);
  const recent = { ended: 0, failed: 0, reclaimed: 0 };
  let assignedLately = 0;
  for (const { start: at, attempts, assigned } of minutes) {
    // Canceled and interrupted attempts say nothing about whether jobs can succeed.
    recent.ended += attempts.succeeded + attempts.failed + attempts.expired;
    recent.failed += attempts.failed;
    recent.reclaimed += attempts.expired;
    if (at >= now - LATELY_MS) assignedLately += assigned;
  }
  return { recent, assignedLately };
}

/** Lines of the audit with these actions since then, counted up to a bound. */
async function noted(
  ctx: QueryCtx,
  actions: readonly string[],
  since: number,
): Promise<Snapshot["setAside"]> {
  const lines: Doc<"audit">[] = [];
  for (const action of actions) {
    lines.push(...(await Audit.latest(ctx, { action, since }, HEALTH_COUNT_MAX)));
  }
  const last = lines.reduce<Doc<"audit"> | null>(
    (latest, line) => (latest === null || line.at > latest.at ? line : latest),
    null,
  );
  return { count: lines.length, last: last === null ? "" : `${last.target}: ${last.detail}` };
}

async function executors(ctx: QueryCtx): Promise<Snapshot["executors"]> {
  const seen: Snapshot["executors"] = [];
  for (const presence of ["online", "lost"] as const) {
    const rows = await ctx.db
      .query("executors")
      .withIndex("by_presence", (q) => q.eq("presence", presence))
      .order("desc")
      .take(ALERT_EXECUTORS_MAX);
    for (const row of rows) if (!row.revoked) seen.push(await see(ctx, row, presence));
  }
  return seen;
}

async function see(
  ctx: QueryCtx,
  row: Doc<"executors">,
  presence: "online" | "lost",
): Promise<Snapshot["executors"][number]> {
  const lease = await ctx.db
    .query("leases")
    .withIndex("by_executor", (q) => q.eq("executorId", row._id))
    .first();
  return {
    id: row._id,
    name: row.name,
    presence,
    presenceSince: row.presenceSince,
    // A limit that ends by itself is no fault.
    takesWork: Slots.isOpen({ ...row, isLoginBlocked: undefined }),
    pool: signature(row.labels),
    unhealthy: row.unhealthy,
    ...(lease?.disk === undefined ? {} : { disk: lease.disk }),
  };
}

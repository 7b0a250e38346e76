import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { type Gate, gateReason, keyGate, submitterGate } from "../domain/waiting.js";
import { GATE_LIMIT_MAX, GATE_LIMITS_SHOWN_MAX } from "../protocol/limits.js";
import type { QueueLimits } from "../protocol/queue.js";
import * as Budgets from "./budgets.js";
import * as Controls from "./controls.js";
import * as Credentials from "./credentials.js";

/**
 * Limits on how many jobs of one concurrency key, or of one submitter, run at once. Nothing is counted
 * in a row of its own: the jobs that executors hold are found by index, at most as many as the limit.
 * Who finds no room waits at the gate, out of the queue.
 *
 * What must hold: where a job waits at a gate, another that belongs to the gate is pending or held.
 * When that one leaves, `model/apply` lets the next of each lane in.
 */

/** What of a job its gates depend on. */
export type Passer = Pick<Doc<"jobs">, "submittedBy" | "concurrencyKey" | "live">;

/** The gates a job must pass. */
export function gatesOf(job: Passer): string[] {
  const own = submitterGate(job.submittedBy);
  const gates = job.concurrencyKey === undefined ? [own] : [keyGate(job.concurrencyKey), own];
  const { credentialId, budgets = [] } = job.live ?? {};
  if (credentialId !== undefined) gates.push(Credentials.GATE);
  return [...gates, ...budgets.map(Budgets.gateName)];
}

/**
 * Before a job enters the queue: a gate that is certain to stop it. Only its key is looked at, and
 * the limit only if the key is in use, so that the ordinary submission reads no row for it; what this
 * lets through, the dispatcher checks.
 */
export async function glance(ctx: QueryCtx, job: Passer): Promise<Gate | null> {
  if (job.concurrencyKey === undefined) return null;
  const name = keyGate(job.concurrencyKey);
  if ((await running(ctx, name, 1)) === 0) return null;
  return check(ctx, name, (await Controls.get(ctx)).limits);
}

/** Before a job is assigned: the first gate without room; null lets it go. */
export async function blocking(
  ctx: QueryCtx,
  job: Passer,
  limits: QueueLimits,
): Promise<Gate | null> {
  for (const name of gatesOf(job)) {
    const gate = await check(ctx, name, limits);
    if (gate !== null) return gate;
  }
  return null;
}

/** A gate without room; null when it has some. */
export async function check(
  ctx: QueryCtx,
  name: string,
  limits: QueueLimits,
): Promise<Gate | null> {
  if (name === Credentials.GATE) return Credentials.gate(ctx);
  if (Budgets.isGate(name)) return Budgets.gate(ctx, name);
  const limit = await limitOf(ctx, name, limits);
  if (limit === null) return null;
  const count = limit === 0 ? 0 : await running(ctx, name, limit);
  const reason = gateReason(count, limit);
  return reason === null ? null : { name, reason };
}

/** The next job to let in at a gate: the first of the lane after this one, or of the first lane. */
export async function nextWaiting(
  ctx: QueryCtx,
  gate: string,
  afterLane: string | null,
): Promise<Doc<"jobs"> | null> {
  return ctx.db
    .query("jobs")
    .withIndex("by_gate", (q) =>
      afterLane === null ? q.eq("gate", gate) : q.eq("gate", gate).gt("lane", afterLane),
    )
    .first();
}

/** Jobs that wait at a gate, at most this many. */
export async function waitingAt(
  ctx: QueryCtx,
  gate: string,
  limit: number,
): Promise<Doc<"jobs">[]> {
  return ctx.db
    .query("jobs")
    .withIndex("by_gate", (q) => q.eq("gate", gate))
    .take(limit);
}

/** Jobs of a gate that executors hold, at most this many. */
export async function holders(ctx: QueryCtx, gate: string, limit: number): Promise<Doc<"jobs">[]> {
  const name = gate.slice(gate.indexOf(":") + 1);
  const rows = gate.startsWith("key:")
    ? ctx.db.query("jobs").withIndex("by_key", (q) => q.eq("concurrencyKey", name).eq("held", true))
    : ctx.db
        .query("jobs")
        .withIndex("by_submitter_held", (q) => q.eq("submittedBy", name).eq("held", true));
  return rows.take(Math.min(limit, GATE_LIMIT_MAX));
}

/** The gate after this one, by name, at which somebody waits; null when there is none. */
export async function nextGate(ctx: QueryCtx, after: string): Promise<string | null> {
  const job = await ctx.db
    .query("jobs")
    .withIndex("by_gate", (q) => q.gt("gate", after))
    .first();
  return job?.gate ?? null;
}

/** Rows of one gate's limit that setting it takes away. There is one; a second is a fault it mends. */
const LIMIT_ROWS_MAX = 16;

/** Sets, or with null clears, the limit of one gate. 0 closes it. */
export async function setLimit(
  ctx: MutationCtx,
  gate: string,
  { limit, note }: { limit: number | null; note?: string },
): Promise<void> {
  const rows = await ctx.db
    .query("gateLimits")
    .withIndex("by_gate", (q) => q.eq("gate", gate))
    .take(LIMIT_ROWS_MAX);
  for (const row of rows) await ctx.db.delete("gateLimits", row._id);
  if (limit === null) return;
  await ctx.db.insert("gateLimits", { gate, limit, ...(note === undefined ? {} : { note }) });
}

/** Limits that were set for single gates. */
export async function list(ctx: QueryCtx) {
  const rows = await ctx.db.query("gateLimits").take(GATE_LIMITS_SHOWN_MAX);
  return rows.map(({ gate, limit, note }) => ({
    gate,
    limit,
    ...(note === undefined ? {} : { note }),
  }));
}

async function running(ctx: QueryCtx, gate: string, limit: number): Promise<number> {
  return (await holders(ctx, gate, limit)).length;
}

async function limitOf(ctx: QueryCtx, gate: string, limits: QueueLimits): Promise<number | null> {
  const own = await find(ctx, gate);
  if (own !== null) return own.limit;
  return gate.startsWith("key:") ? limits.perKey : limits.perSubmitter;
}

async function find(ctx: QueryCtx, gate: string): Promise<Doc<"gateLimits"> | null> {
  return ctx.db
    .query("gateLimits")
    .withIndex("by_gate", (q) => q.eq("gate", gate))
    .unique();
}

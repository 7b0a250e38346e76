import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { holderOf } from "../domain/executor.js";
import * as Lease from "../domain/lease.js";
import * as Clock from "../lib/clock.js";
import type { Disk } from "../protocol/alerts.js";
import * as Timer from "./timer.js";

export type Owed = Doc<"leases">["owed"];

/** The lease of an executor; null when it has none. */
export async function find(
  ctx: QueryCtx,
  executorId: Id<"executors">,
): Promise<Doc<"leases"> | null> {
  return ctx.db
    .query("leases")
    .withIndex("by_executor", (q) => q.eq("executorId", executorId))
    .unique();
}

/** Gives an executor a new lease in place of any it had, and arms the timer for its end. */
export async function grant(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  { owed, disk }: { owed: Owed; disk?: Disk | undefined },
): Promise<void> {
  await drop(ctx, executor._id);
  const expiresAt = Lease.expiresAt(Clock.now(), executor.leaseMs);
  await ctx.db.insert("leases", {
    ...{ executorId: executor._id, expiresAt, owed },
    holder: holderOf(executor),
    ...(disk === undefined ? {} : { disk }),
  });
  await Timer.arm(ctx, expiresAt);
}

/** Tells the lease of an executor what has changed in its row; in the transaction that changed it. */
export async function repeat(ctx: MutationCtx, executor: Doc<"executors">): Promise<void> {
  const lease = await find(ctx, executor._id);
  if (lease !== null) await ctx.db.patch("leases", lease._id, { holder: holderOf(executor) });
}

/** Renews a lease: the one write of a heartbeat. The timer stays as it is. */
export async function renew(
  ctx: MutationCtx,
  lease: Doc<"leases">,
  { leaseMs, owed, disk }: { leaseMs: number; owed: Owed; disk: Disk | undefined },
): Promise<void> {
  const expiresAt = Lease.expiresAt(Clock.now(), leaseMs);
  await ctx.db.patch("leases", lease._id, { expiresAt, owed, disk });
}

/** Puts the end of a lease off, for who could not act on it. */
export async function postpone(
  ctx: MutationCtx,
  lease: Doc<"leases">,
  expiresAt: number,
): Promise<void> {
  await ctx.db.patch("leases", lease._id, { expiresAt });
}

/** Notes a slot whose attempt the backend ended while its process may still run. */
export async function owe(
  ctx: MutationCtx,
  executorId: Id<"executors">,
  item: Owed[number],
): Promise<void> {
  const lease = await find(ctx, executorId);
  if (lease !== null) await ctx.db.patch("leases", lease._id, { owed: [...lease.owed, item] });
}

/** Ends the lease of an executor, if it has one. */
export async function drop(ctx: MutationCtx, executorId: Id<"executors">): Promise<void> {
  const lease = await find(ctx, executorId);
  if (lease !== null) await ctx.db.delete("leases", lease._id);
}

/** Leases that ran out by then, the longest overdue first. */
export async function expired(ctx: QueryCtx, now: number, limit: number): Promise<Doc<"leases">[]> {
  return ctx.db
    .query("leases")
    .withIndex("by_expiry", (q) => q.gt("expiresAt", 0).lte("expiresAt", now))
    .take(limit);
}

/** When the next lease runs out; Infinity when there is none. */
export async function nextExpiry(ctx: QueryCtx): Promise<number> {
  const lease = await ctx.db.query("leases").withIndex("by_expiry").first();
  return lease?.expiresAt ?? Infinity;
}

import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { freeOrdinals } from "../domain/dispatch.js";
import { signature } from "../domain/labels.js";
import { SLOTS_MAX } from "../protocol/limits.js";
import * as Dispatcher from "./dispatcher.js";

/**
 * One row for each free slot. What must hold: an executor that may take work has exactly one row for
 * each ordinal that no attempt occupies and no lease owes; any other executor has none.
 */

/** What of an executor decides whether it may be given work. */
type Standing = Pick<Doc<"executors">, "presence" | "revoked" | "draining" | "unhealthy"> & {
  isLoginBlocked?: true | undefined;
  isDiskLow?: true | undefined;
};

/** Whether an executor may be given work at all. */
export function isOpen(executor: Standing): boolean {
  return (
    executor.presence === "online" &&
    !executor.revoked &&
    !executor.draining &&
    executor.unhealthy === null &&
    executor.isLoginBlocked !== true &&
    executor.isDiskLow !== true
  );
}

/** Frees one slot, unless its executor takes no work or no longer offers that ordinal. */
export async function give(
  ctx: MutationCtx,
  executorId: Id<"executors">,
  ordinal: number,
): Promise<void> {
  const executor = await ctx.db.get("executors", executorId);
  if (executor === null || !isOpen(executor) || ordinal >= executor.slots) {
    return Dispatcher.notify(ctx, { kind: "room" });
  }
  await insert(ctx, executor, ordinal);
  await Dispatcher.notify(ctx, { kind: "slot", pool: signature(executor.labels) });
}

/** Takes all free slots of an executor away. */
export async function withdraw(ctx: MutationCtx, executorId: Id<"executors">): Promise<void> {
  for (const slot of await free(ctx, executorId)) await ctx.db.delete("slots", slot._id);
}

/** Makes the free slots of an executor what they must be, given the ordinals in use. */
export async function restore(
  ctx: MutationCtx,
  executor: Doc<"executors">,
  occupied: readonly number[],
): Promise<void> {
  await withdraw(ctx, executor._id);
  if (!isOpen(executor)) return;
  const ordinals = freeOrdinals(executor.slots, occupied);
  for (const ordinal of ordinals) await insert(ctx, executor, ordinal);
  const pool = signature(executor.labels);
  if (ordinals.length > 0) await Dispatcher.notify(ctx, { kind: "slot", pool });
}

/** Free slots of one executor, at most SLOTS_MAX. */
export async function free(ctx: QueryCtx, executorId: Id<"executors">): Promise<Doc<"slots">[]> {
  return ctx.db
    .query("slots")
    .withIndex("by_executor", (q) => q.eq("executorId", executorId))
    .take(SLOTS_MAX);
}

/** The first free slots of all executors, in the order of dispatch. */
export async function first(ctx: QueryCtx, limit: number): Promise<Doc<"slots">[]> {
  return ctx.db.query("slots").withIndex("by_order").take(limit);
}

/** The first free slots of the executors of one pool. */
export async function ofPool(ctx: QueryCtx, pool: string, limit: number): Promise<Doc<"slots">[]> {
  return ctx.db
    .query("slots")
    .withIndex("by_pool", (q) => q.eq("pool", pool))
    .take(limit);
}

/** A free slot of the first pool after this one, or of the first of all. */
export async function firstOfPoolsAfter(
  ctx: QueryCtx,
  pool: string | null,
): Promise<Doc<"slots"> | null> {
  const slots = ctx.db.query("slots");
  return (
    pool === null
      ? slots.withIndex("by_pool")
      : slots.withIndex("by_pool", (q) => q.gt("pool", pool))
  ).first();
}

/** What an assignment needs to know of the slot it used up. */
export type Taken = Pick<Doc<"slots">, "executorId" | "ordinal" | "leaseMs">;

/** Uses a slot up; null when it is gone already. */
export async function take(ctx: MutationCtx, slotId: Id<"slots">): Promise<Taken | null> {
  const slot = await ctx.db.get("slots", slotId);
  if (slot !== null) await ctx.db.delete("slots", slotId);
  return slot;
}

async function insert(ctx: MutationCtx, executor: Doc<"executors">, ordinal: number) {
  await ctx.db.insert("slots", {
    executorId: executor._id,
    ordinal,
    pool: signature(executor.labels),
    leaseMs: executor.leaseMs,
    freedTs: ctx.db.vars.commitTs,
  });
}

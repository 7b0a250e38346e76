import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import { EMERGENCY_EXECUTORS_PER_STEP, EMERGENCY_USERS_PER_STEP } from "../protocol/limits.js";
import * as Audit from "./audit.js";
import * as Executors from "./executors.js";
import * as Jobs from "./jobs.js";
import * as Operations from "./operations.js";

/** What a stop does besides ending dispatch. */
export type Order = Pick<
  Doc<"emergency">,
  "reason" | "running" | "revokeExecutors" | "endSessions"
>;
/** How far a stop has come: creation times of the last user and executor it dealt with. */
export type Progress = { users: number; executors: number };

/** The stop in force; null when there is none. */
export async function current(ctx: QueryCtx): Promise<Doc<"emergency"> | null> {
  return ctx.db.query("emergency").first();
}

/**
 * Stops everything: no dispatch from this commit on, and the rest a step at a time, the first in the
 * same transaction. A stop in force is replaced, so that a harsher one can follow.
 */
export async function stop(ctx: MutationCtx, order: Order, by: string): Promise<void> {
  const before = await current(ctx);
  if (before !== null) await ctx.db.delete("emergency", before._id);
  await Operations.pause(ctx, { kind: "pause", reason: order.reason, by });
  await ctx.db.insert("emergency", { ...order, by, since: Clock.now() });
  const { reason, ...done } = order;
  const detail = `${JSON.stringify(done)} ${reason}`;
  await Audit.write(ctx, { action: "emergency.stopped", actor: by, detail });
  await step(ctx, { users: 0, executors: 0 });
}

/** Goes on with the stop in force; one that was lifted meanwhile goes no further. */
export async function step(ctx: MutationCtx, from: Progress): Promise<void> {
  const order = await current(ctx);
  if (order === null) return;
  const users = order.endSessions ? await endSessions(ctx, from.users) : null;
  const executors = await stopExecutors(ctx, order, from.executors);
  if (users === null && executors === null) return;
  await ctx.scheduler.runAfter(0, internal.emergency.goOn, {
    users: users ?? Infinity,
    executors: executors ?? Infinity,
  });
}

/** Lifts the stop: dispatch goes on. Who was revoked or signed out stays so. */
export async function lift(ctx: MutationCtx, by: string): Promise<void> {
  const order = await current(ctx);
  if (order === null) throw fail("ILLEGAL_TRANSITION", "There is no emergency stop to lift.");
  await ctx.db.delete("emergency", order._id);
  await Audit.write(ctx, { action: "emergency.lifted", actor: by });
  await Operations.resume(ctx, by);
}

/** For who would resume the queue alone: a stop is lifted as a whole, by an administrator. */
export async function requireNone(ctx: QueryCtx): Promise<void> {
  if ((await current(ctx)) === null) return;
  throw fail("ILLEGAL_TRANSITION", "An emergency stop is in force: an administrator lifts it.");
}

/** Ends every session and API key of some users; null when all were dealt with. */
async function endSessions(ctx: MutationCtx, after: number): Promise<number | null> {
  const users = await ctx.db
    .query("users")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", after))
    .take(EMERGENCY_USERS_PER_STEP);
  for (const user of users) await ctx.db.patch("users", user._id, { epoch: user.epoch + 1 });
  return users.length < EMERGENCY_USERS_PER_STEP ? null : (users.at(-1)?._creationTime ?? null);
}

async function stopExecutors(
  ctx: MutationCtx,
  order: Doc<"emergency">,
  after: number,
): Promise<number | null> {
  const executors = await ctx.db
    .query("executors")
    .withIndex("by_creation_time", (q) => q.gt("_creationTime", after))
    .take(EMERGENCY_EXECUTORS_PER_STEP);
  for (const executor of executors.filter((one) => !one.revoked)) {
    if (order.running === "cancel") await cancelAll(ctx, executor, order.by);
    if (order.revokeExecutors) await Executors.revoke(ctx, executor, order.by);
  }
  const isLast = executors.length < EMERGENCY_EXECUTORS_PER_STEP;
  return isLast ? null : (executors.at(-1)?._creationTime ?? null);
}

async function cancelAll(ctx: MutationCtx, executor: Doc<"executors">, by: string): Promise<void> {
  for (const job of await Jobs.heldBy(ctx, executor._id)) {
    if (job.cancelRequestedAt !== undefined) continue;
    await Jobs.apply(ctx, job, { event: { kind: "cancel" }, actor: by });
  }
}

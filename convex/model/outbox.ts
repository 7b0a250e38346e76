import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { bodyOf, delayAfter, type Told } from "../domain/delivery.js";
import * as Clock from "../lib/clock.js";
import { makeUuid } from "../lib/crypto.js";
import * as Env from "../lib/env.js";
import { fail } from "../lib/errors.js";
import type { DeliveryView, MessageKind } from "../protocol/alerts.js";
import {
  DELIVERY_ERROR_CHARS_MAX,
  DELIVERY_MS_MAX,
  HEALTH_COUNT_MAX,
  OUTBOX_BATCH,
  PAGE_SIZE_MAX,
} from "../protocol/limits.js";

/**
 * Messages that must get out, written in the transaction of what they tell. A message is sent by one
 * attempt at a time: claiming it is a mutation, and a claim ends by its answer or by its time.
 */

/** Puts a message into the outbox, if there is a webhook to send it to, and has it sent. */
export async function tell(
  ctx: MutationCtx,
  message: { alertId: Id<"alerts"> | null; kind: MessageKind; told: Told },
): Promise<Id<"outbox"> | null> {
  if (Env.find("ALERT_WEBHOOK_URL") === undefined) return null;
  const { alertId, kind, told } = message;
  const at = Clock.now();
  const outboxId = await ctx.db.insert("outbox", {
    ...(alertId === null ? {} : { alertId }),
    kind,
    title: told.title,
    body: bodyOf(kind, told, at),
    idempotencyKey: makeUuid(),
    at,
    status: "waiting",
    attempts: 0,
    dueAt: at,
  });
  await ctx.scheduler.runAfter(0, internal.deliver.send, { outboxId });
  return outboxId;
}

/** Takes a message for one attempt; null when it is not due, or somebody else is at it. */
export async function claim(
  ctx: MutationCtx,
  outboxId: Id<"outbox">,
): Promise<{ attempt: number; body: string; idempotencyKey: string } | null> {
  const row = await ctx.db.get("outbox", outboxId);
  const now = Clock.now();
  if (row?.status !== "waiting" || row.dueAt > now) return null;
  const attempt = row.attempts + 1;
  const dueAt = now + DELIVERY_MS_MAX;
  await ctx.db.patch("outbox", outboxId, { status: "sending", attempts: attempt, dueAt });
  return { attempt, body: row.body, idempotencyKey: row.idempotencyKey };
}

/** What became of an attempt; an answer that comes after its time, when another has begun, changes nothing. */
export async function settle(
  ctx: MutationCtx,
  answer: { outboxId: Id<"outbox">; attempt: number; error: string | null },
): Promise<void> {
  const row = await ctx.db.get("outbox", answer.outboxId);
  if (row?.status !== "sending" || row.attempts !== answer.attempt) return;
  if (answer.error === null) {
    await ctx.db.patch("outbox", row._id, {
      status: "sent",
      sentAt: Clock.now(),
      error: undefined,
    });
  } else await retry(ctx, row, answer.error);
}

async function retry(ctx: MutationCtx, row: Doc<"outbox">, problem: string): Promise<void> {
  const error = problem.slice(0, DELIVERY_ERROR_CHARS_MAX);
  const delay = delayAfter(row.attempts);
  if (delay === null) {
    await ctx.db.patch("outbox", row._id, { status: "failed", dueAt: Clock.now(), error });
    return;
  }
  await ctx.db.patch("outbox", row._id, {
    status: "waiting",
    dueAt: Clock.now() + delay,
    error,
  });
  await ctx.scheduler.runAfter(delay, internal.deliver.send, { outboxId: row._id });
}

/** Net under the deliveries: goes on with those whose attempt died or was never made. Bounded. */
export async function revive(ctx: MutationCtx): Promise<void> {
  const now = Clock.now();
  for (const row of await late(ctx, "sending", now)) {
    await retry(ctx, row, "The attempt ended without an answer.");
  }
  for (const row of await late(ctx, "waiting", now - DELIVERY_MS_MAX)) {
    await ctx.db.patch("outbox", row._id, { dueAt: now });
    await ctx.scheduler.runAfter(0, internal.deliver.send, { outboxId: row._id });
  }
}

/** Messages of a status whose time was before, the latest first to be late. */
export async function late(
  ctx: QueryCtx,
  status: Doc<"outbox">["status"],
  before: number,
): Promise<Doc<"outbox">[]> {
  return ctx.db
    .query("outbox")
    .withIndex("by_status", (q) => q.eq("status", status).lt("dueAt", before))
    .take(OUTBOX_BATCH);
}

/** Messages given up since, counted up to HEALTH_COUNT_MAX. */
export async function countFailed(ctx: QueryCtx, since: number): Promise<number> {
  const rows = await ctx.db
    .query("outbox")
    .withIndex("by_status", (q) => q.eq("status", "failed").gte("dueAt", since))
    .take(HEALTH_COUNT_MAX);
  return rows.length;
}

/** Sends a message again by hand, under its own key: a receiver that has it already may drop it. */
export async function replay(ctx: MutationCtx, outboxId: Id<"outbox">): Promise<void> {
  const row = await ctx.db.get("outbox", outboxId);
  if (row === null) throw fail("NOT_FOUND", `There is no message ${outboxId}.`);
  if (row.status === "waiting" || row.status === "sending") {
    throw fail("ILLEGAL_TRANSITION", `Message ${outboxId} is still on its way.`);
  }
  const now = Clock.now();
  await ctx.db.patch("outbox", outboxId, { status: "waiting", attempts: 0, dueAt: now, at: now });
  await ctx.scheduler.runAfter(0, internal.deliver.send, { outboxId });
}

/** The latest message of an alert; null when none was written. */
export async function latestOf(
  ctx: QueryCtx,
  alertId: Id<"alerts">,
): Promise<Doc<"outbox"> | null> {
  return ctx.db
    .query("outbox")
    .withIndex("by_alert", (q) => q.eq("alertId", alertId))
    .order("desc")
    .first();
}

/** The latest messages, newest first. */
export async function list(ctx: QueryCtx): Promise<DeliveryView[]> {
  const rows = await ctx.db.query("outbox").order("desc").take(PAGE_SIZE_MAX);
  return rows.map(({ _id, at, kind, title, status, attempts, error }) => ({
    deliveryId: _id,
    ...{ at, kind, title, status, attempts },
    ...(error === undefined ? {} : { error }),
  }));
}

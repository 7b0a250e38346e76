import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalAction, internalMutation } from "./_generated/server.js";
import { checkWebhookUrl, signedText } from "./domain/delivery.js";
import * as Clock from "./lib/clock.js";
import { hmacSha256Hex } from "./lib/crypto.js";
import * as Env from "./lib/env.js";
import * as Outbox from "./model/outbox.js";
import { DELIVERY_TIMEOUT_MS } from "./protocol/limits.js";

const claimed = v.object({ attempt: v.number(), body: v.string(), idempotencyKey: v.string() });

/** Takes a message for one attempt. */
export const claim = internalMutation({
  args: { outboxId: v.id("outbox") },
  returns: v.union(claimed, v.null()),
  handler: async (ctx, { outboxId }) => Outbox.claim(ctx, outboxId),
});

/** Notes what became of an attempt; error null is success. */
export const settle = internalMutation({
  args: {
    outboxId: v.id("outbox"),
    attempt: v.number(),
    error: v.union(v.string(), v.null()),
  },
  returns: v.null(),
  handler: async (ctx, answer) => {
    await Outbox.settle(ctx, answer);
    return null;
  },
});

/** One attempt to deliver a message. An action runs at most once; the net makes good what dies here. */
export const send = internalAction({
  args: { outboxId: v.id("outbox") },
  returns: v.null(),
  handler: async (ctx, { outboxId }) => {
    const message = await ctx.runMutation(internal.deliver.claim, { outboxId });
    if (message === null) return null;
    const error = await post(message);
    await ctx.runMutation(internal.deliver.settle, { outboxId, attempt: message.attempt, error });
    return null;
  },
});

/** Posts a message; hands out what went wrong, or null. Never more than a status of the answer is kept. */
async function post(message: { body: string; idempotencyKey: string }): Promise<string | null> {
  const url = checkWebhookUrl(Env.find("ALERT_WEBHOOK_URL") ?? "");
  if (!url.ok) return url.message;
  const secret = Env.find("ALERT_WEBHOOK_SECRET");
  if (secret === undefined)
    return "ALERT_WEBHOOK_SECRET is not set: messages are sent signed only.";
  const seconds = Math.floor(Clock.now() / 1000);
  const signature = await hmacSha256Hex(secret, signedText(seconds, message.body));
  try {
    const response = await fetch(url.value, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "idempotency-key": message.idempotencyKey,
        "fondation-signature": `t=${seconds},v1=${signature}`,
      },
      body: message.body,
      // A redirect could lead the signed message to where nobody meant it to go.
      redirect: "manual",
      signal: AbortSignal.timeout(DELIVERY_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? null : `The webhook answered ${response.status}.`;
  } catch (error) {
    return `The webhook could not be reached: ${error instanceof Error ? error.message : String(error)}`;
  }
}

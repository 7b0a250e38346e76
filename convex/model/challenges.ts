import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { hashToken, makeToken } from "../lib/crypto.js";
import { CHALLENGE_MS, CHALLENGE_TRIES_MAX, PRUNE_BATCH } from "../protocol/limits.js";

/** Notes that a user's password was right. The token is handed out this once. */
export async function open(ctx: MutationCtx, user: Doc<"users">, label: string): Promise<string> {
  const token = makeToken("fch_");
  await ctx.db.insert("challenges", {
    userId: user._id,
    epoch: user.epoch,
    tokenHash: await hashToken(token),
    label,
    tries: 0,
    expiresAt: Clock.now() + CHALLENGE_MS,
  });
  return token;
}

/** The challenge of this token; null when there is none that is still good. */
export async function find(ctx: MutationCtx, token: string): Promise<Doc<"challenges"> | null> {
  const tokenHash = await hashToken(token);
  const challenge = await ctx.db
    .query("challenges")
    .withIndex("by_token_hash", (q) => q.eq("tokenHash", tokenHash))
    .unique();
  return challenge !== null && challenge.expiresAt > Clock.now() ? challenge : null;
}

/** Counts a wrong code; after too many the challenge is gone. */
export async function countTry(ctx: MutationCtx, challenge: Doc<"challenges">): Promise<void> {
  const tries = challenge.tries + 1;
  if (tries >= CHALLENGE_TRIES_MAX) await close(ctx, challenge);
  else await ctx.db.patch("challenges", challenge._id, { tries });
}

export async function close(ctx: MutationCtx, challenge: Doc<"challenges">): Promise<void> {
  await ctx.db.delete("challenges", challenge._id);
}

/** Deletes challenges that nobody met in time; hands out how many. */
export async function prune(ctx: MutationCtx): Promise<number> {
  const over = await ctx.db
    .query("challenges")
    .withIndex("by_expiry", (q) => q.gt("expiresAt", 0).lte("expiresAt", Clock.now()))
    .take(PRUNE_BATCH);
  for (const challenge of over) await ctx.db.delete("challenges", challenge._id);
  return over.length;
}

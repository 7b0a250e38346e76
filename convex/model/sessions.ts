import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { hashToken, makeToken, signJwt } from "../lib/crypto.js";
import * as Env from "../lib/env.js";
import { AUDIENCE, issuer } from "../lib/functions.js";
import {
  ACCESS_TOKEN_MS,
  PRUNE_BATCH,
  REFRESH_OVERLAP_MS,
  SESSION_MS,
} from "../protocol/limits.js";
import type { SignInReply } from "../protocol/view.js";

/** What a refresh came to; `reused` ends the session, for one of two holders of the token stole it. */
export type Refreshed = { kind: "good"; reply: SignInReply } | { kind: "bad" | "reused" };

/** Opens a session for a user who proved to be him. */
export async function open(
  ctx: MutationCtx,
  user: Doc<"users">,
  label: string,
): Promise<SignInReply> {
  const now = Clock.now();
  const refreshToken = makeToken("frt_");
  const sessionId = await ctx.db.insert("sessions", {
    userId: user._id,
    epoch: user.epoch,
    refreshHash: await hashToken(refreshToken),
    rotatedAt: now,
    expiresAt: now + SESSION_MS,
    label,
  });
  return grant(user._id, sessionId, refreshToken);
}

/** Replaces a refresh token, and hands out an access token with it. */
export async function refresh(ctx: MutationCtx, refreshToken: string): Promise<Refreshed> {
  const hash = await hashToken(refreshToken);
  const now = Clock.now();
  const found = await findByHash(ctx, hash);
  if (found === null) return { kind: "bad" };
  const { session, isPrevious } = found;
  const user = await ctx.db.get("users", session.userId);
  const isOver = session.expiresAt <= now || user === null || user.disabled;
  const isReused = isPrevious && now - session.rotatedAt > REFRESH_OVERLAP_MS;
  if (isOver || isReused || user.epoch !== session.epoch) {
    await ctx.db.delete("sessions", session._id);
    return { kind: isReused ? "reused" : "bad" };
  }
  const next = makeToken("frt_");
  await ctx.db.patch("sessions", session._id, {
    refreshHash: await hashToken(next),
    // In the overlap the first caller's new token is the previous one from now on.
    previousHash: isPrevious ? session.refreshHash : hash,
    rotatedAt: now,
  });
  return { kind: "good", reply: await grant(user._id, session._id, next) };
}

export async function end(ctx: MutationCtx, sessionId: Id<"sessions">): Promise<void> {
  await ctx.db.delete("sessions", sessionId);
}

/** Deletes sessions that are over; hands out how many. */
export async function prune(ctx: MutationCtx): Promise<number> {
  const over = await ctx.db
    .query("sessions")
    .withIndex("by_expiry", (q) => q.gt("expiresAt", 0).lte("expiresAt", Clock.now()))
    .take(PRUNE_BATCH);
  for (const session of over) await ctx.db.delete("sessions", session._id);
  return over.length;
}

async function findByHash(ctx: MutationCtx, hash: string) {
  const current = await ctx.db
    .query("sessions")
    .withIndex("by_refresh_hash", (q) => q.eq("refreshHash", hash))
    .unique();
  if (current !== null) return { session: current, isPrevious: false };
  const previous = await ctx.db
    .query("sessions")
    .withIndex("by_previous_hash", (q) => q.eq("previousHash", hash))
    .unique();
  return previous === null ? null : { session: previous, isPrevious: true };
}

async function grant(
  userId: Id<"users">,
  sessionId: Id<"sessions">,
  refreshToken: string,
): Promise<SignInReply> {
  const iat = Math.floor(Clock.now() / 1000);
  const exp = iat + ACCESS_TOKEN_MS / 1000;
  const claims = { iss: issuer("user"), aud: AUDIENCE, sub: userId, sid: sessionId, iat, exp };
  const accessToken = await signJwt(claims, Env.get("AUTH_USER_PRIVATE_JWK"));
  return { ok: true, accessToken, refreshToken, expiresAt: exp * 1000 };
}

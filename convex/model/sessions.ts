import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { hashToken, makeToken } from "../lib/crypto.js";
import { fail } from "../lib/errors.js";
import type { SessionView } from "../protocol/identity.js";
import {
  PRUNE_BATCH,
  REFRESH_OVERLAP_MS,
  SESSION_MS,
  SESSIONS_PER_USER_MAX,
} from "../protocol/limits.js";
import type { SignInReply } from "../protocol/view.js";
import * as AccessTokens from "./accessTokens.js";
import * as Audit from "./audit.js";
import * as RateLimits from "./rateLimits.js";

/** What a refresh came to; `reused` ends the session, for one of two holders of the token stole it. */
export type Refreshed =
  | { kind: "good"; reply: SignInReply }
  | { kind: "bad" }
  | { kind: "limited" }
  | { kind: "reused"; session: Doc<"sessions"> };

/** Opens a session for a user who proved to be him; of too many the oldest ends. */
export async function open(
  ctx: MutationCtx,
  user: Doc<"users">,
  label: string,
): Promise<SignInReply> {
  const now = Clock.now();
  const others = await rows(ctx, user._id);
  for (const old of others.slice(SESSIONS_PER_USER_MAX - 1)) await end(ctx, old._id);
  const ip = await Audit.addressOf(ctx);
  const refreshToken = makeToken("frt_");
  const sessionId = await ctx.db.insert("sessions", {
    userId: user._id,
    epoch: user.epoch,
    refreshHash: await hashToken(refreshToken),
    rotatedAt: now,
    expiresAt: now + SESSION_MS,
    label,
    ...(ip === null ? {} : { ip }),
  });
  return grant(ctx, sessionId, refreshToken);
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
    return isReused ? { kind: "reused", session } : { kind: "bad" };
  }
  if (!(await RateLimits.useToken(ctx, session._id))) return { kind: "limited" };
  const next = makeToken("frt_");
  await ctx.db.patch("sessions", session._id, {
    refreshHash: await hashToken(next),
    // In the overlap the first caller's new token is the previous one from now on.
    previousHash: isPrevious ? session.refreshHash : hash,
    rotatedAt: now,
  });
  return { kind: "good", reply: await grant(ctx, session._id, next) };
}

/** Ends a session: its tokens are refused from the next call on. */
export async function end(ctx: MutationCtx, sessionId: Id<"sessions">): Promise<void> {
  await ctx.db.delete("sessions", sessionId);
}

/** A session by its id; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, sessionId: Id<"sessions">): Promise<Doc<"sessions">> {
  const session = await ctx.db.get("sessions", sessionId);
  if (session === null) throw fail("NOT_FOUND", `There is no session ${sessionId}.`);
  return session;
}

export async function rename(ctx: MutationCtx, id: Id<"sessions">, label: string): Promise<void> {
  await ctx.db.patch("sessions", id, { label });
}

/** The sessions of a user, newest first. */
export async function list(
  ctx: QueryCtx,
  userId: Id<"users">,
  currentId: Id<"sessions"> | null,
): Promise<SessionView[]> {
  return (await rows(ctx, userId)).map((row) => ({
    sessionId: row._id,
    label: row.label,
    ip: row.ip ?? null,
    openedAt: row._creationTime,
    refreshedAt: row.rotatedAt,
    expiresAt: row.expiresAt,
    current: row._id === currentId,
  }));
}

/** Ends all sessions of a user, or all but one; hands out how many. */
export async function endAllOf(
  ctx: MutationCtx,
  userId: Id<"users">,
  except: Id<"sessions"> | null = null,
): Promise<number> {
  const ended = (await rows(ctx, userId)).filter((row) => row._id !== except);
  for (const row of ended) await end(ctx, row._id);
  return ended.length;
}

/** Ends sessions of everybody, a bounded number at a time; hands out how many. */
export async function endSome(ctx: MutationCtx): Promise<number> {
  const some = await ctx.db.query("sessions").take(PRUNE_BATCH);
  for (const row of some) await end(ctx, row._id);
  return some.length;
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

async function rows(ctx: QueryCtx, userId: Id<"users">): Promise<Doc<"sessions">[]> {
  return ctx.db
    .query("sessions")
    .withIndex("by_user", (q) => q.eq("userId", userId))
    .order("desc")
    .take(SESSIONS_PER_USER_MAX);
}

async function grant(
  ctx: MutationCtx,
  sessionId: Id<"sessions">,
  refreshToken: string,
): Promise<SignInReply> {
  const sid = await get(ctx, sessionId);
  return { ok: true, ...(await AccessTokens.grant({ sid })), refreshToken };
}

/** Sessions: a person's own, and for administrators everybody's. */
import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, type QueryCtx } from "./_generated/server.js";
import { fail } from "./lib/errors.js";
import { type Caller, userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Sessions from "./model/sessions.js";
import * as Users from "./model/users.js";
import { sessionView } from "./protocol/identity.js";
import { PRUNE_BATCH, SESSION_LABEL_CHARS_MAX } from "./protocol/limits.js";

/** The sessions of the caller, newest first; those of another user for administrators. */
export const list = userQuery("viewer")({
  args: { userId: v.optional(v.id("users")) },
  returns: v.array(sessionView),
  handler: async (ctx, { userId = ctx.user._id }) => {
    requireOwn(ctx, userId);
    return Sessions.list(ctx, userId, ctx.sessionId);
  },
});

/** Gives one of the caller's sessions a name to know it by. */
export const rename = userMutation("viewer")({
  args: { sessionId: v.id("sessions"), label: v.string() },
  returns: v.null(),
  handler: async (ctx, { sessionId, label }) => {
    const session = await Sessions.get(ctx, sessionId);
    if (session.userId !== ctx.user._id) throw fail("NOT_FOUND", "That is no session of yours.");
    await Sessions.rename(ctx, sessionId, label.slice(0, SESSION_LABEL_CHARS_MAX));
    await audit(ctx, "session.renamed", session.userId);
    return null;
  },
});

/** Ends one session at once: one's own, or for administrators anybody's. */
export const revoke = userMutation("viewer")({
  args: { sessionId: v.id("sessions") },
  returns: v.null(),
  handler: async (ctx, { sessionId }) => {
    const session = await Sessions.get(ctx, sessionId);
    requireOwn(ctx, session.userId);
    await Sessions.end(ctx, sessionId);
    await audit(ctx, "session.revoked", session.userId);
    return null;
  },
});

/** Ends all sessions of a user at once: one's own but the one that asks, or for administrators anybody's. */
export const revokeAll = userMutation("viewer")({
  args: { userId: v.optional(v.id("users")) },
  returns: v.object({ ended: v.number() }),
  handler: async (ctx, { userId = ctx.user._id }) => {
    requireOwn(ctx, userId);
    const ended = await Sessions.endAllOf(ctx, userId, ctx.sessionId);
    await audit(ctx, "sessions.revoked", userId);
    return { ended };
  },
});

/**
 * Ends the sessions of everybody: `npx convex run sessions:endAll`, the second half of a hard rotation
 * of the signing key. Goes on by itself until none is left.
 */
export const endAll = internalMutation({
  args: {},
  returns: v.object({ ended: v.number(), more: v.boolean() }),
  handler: async (ctx): Promise<{ ended: number; more: boolean }> => {
    const ended = await Sessions.endSome(ctx);
    const more = ended === PRUNE_BATCH;
    if (more) await ctx.scheduler.runAfter(0, internal.sessions.endAll, {});
    await Audit.write(ctx, { action: "sessions.ended", actor: "operator", detail: `${ended}` });
    return { ended, more };
  },
});

/** For one's own rows, or those of anybody for administrators; others learn nothing of them. */
function requireOwn(ctx: QueryCtx & Caller, userId: Id<"users">): void {
  if (userId === ctx.user._id || ctx.user.role === "administrator") return;
  throw fail("NOT_FOUND", "That is no session of yours.");
}

async function audit(
  ctx: Parameters<typeof Audit.write>[0] & Caller,
  action: string,
  userId: Id<"users">,
): Promise<void> {
  const { user } = await Users.get(ctx, userId);
  await Audit.write(ctx, { action, actor: ctx.actor, target: `user:${user.username}` });
}

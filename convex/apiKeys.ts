/** Keys with which programs act for a person: the command line, CI. */
import { v } from "convex/values";
import type { Id } from "./_generated/dataModel.js";
import { fail } from "./lib/errors.js";
import { type Caller, lesser, userMutation, userQuery } from "./lib/functions.js";
import * as ApiKeys from "./model/apiKeys.js";
import * as Audit from "./model/audit.js";
import { apiKeyView } from "./protocol/identity.js";
import { API_KEY_MS_MAX, API_KEY_NAME_CHARS_MAX } from "./protocol/limits.js";
import { role } from "./protocol/view.js";

/** The keys of the caller, newest first; those of another user for administrators. */
export const list = userQuery("viewer")({
  args: { userId: v.optional(v.id("users")) },
  returns: v.array(apiKeyView),
  handler: async (ctx, { userId = ctx.user._id }) => {
    requireOwn(ctx, userId);
    return ApiKeys.list(ctx, userId);
  },
});

/** Makes a key that may do at most what its role may, for `lifeMs`. It is shown this once. */
export const create = userMutation("viewer")({
  args: { name: v.string(), role, lifeMs: v.number() },
  returns: v.object({ apiKeyId: v.id("apiKeys"), key: v.string(), expiresAt: v.number() }),
  handler: async (ctx, made) => {
    if (ctx.sessionId === null) {
      throw fail("FORBIDDEN", "An API key may not make another: sign in with name and password.");
    }
    if (lesser(made.role, ctx.user.role) !== made.role) {
      throw fail("INVALID_ARGUMENT", `A key may do at most what you may: ${ctx.user.role}.`);
    }
    if (!new RegExp(`^[\\x20-\\x7e]{1,${API_KEY_NAME_CHARS_MAX}}$`).test(made.name)) {
      const most = API_KEY_NAME_CHARS_MAX;
      throw fail("INVALID_ARGUMENT", `A key's name is 1 to ${most} printable ASCII characters.`);
    }
    if (!(made.lifeMs >= 1 && made.lifeMs <= API_KEY_MS_MAX)) {
      throw fail("INVALID_ARGUMENT", `lifeMs is ${made.lifeMs}; at most ${API_KEY_MS_MAX}.`);
    }
    const created = await ApiKeys.create(ctx, ctx.user, made);
    await Audit.write(ctx, {
      action: "apiKey.created",
      actor: ctx.actor,
      target: made.name,
      detail: made.role,
    });
    return created;
  },
});

/** Ends a key at once: one's own, or for administrators anybody's. */
export const revoke = userMutation("viewer")({
  args: { apiKeyId: v.id("apiKeys") },
  returns: v.null(),
  handler: async (ctx, { apiKeyId }) => {
    const row = await ApiKeys.get(ctx, apiKeyId);
    requireOwn(ctx, row.userId);
    await ApiKeys.revoke(ctx, apiKeyId);
    await Audit.write(ctx, { action: "apiKey.revoked", actor: ctx.actor, target: row.name });
    return null;
  },
});

/** For one's own rows, or those of anybody for administrators; others learn nothing of them. */
function requireOwn(ctx: Caller, userId: Id<"users">): void {
  if (userId === ctx.user._id || ctx.user.role === "administrator") return;
  throw fail("NOT_FOUND", "That is no API key of yours.");
}

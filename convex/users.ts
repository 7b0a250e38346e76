/** People, as administrators make and keep them. */
import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalAction, internalMutation } from "./_generated/server.js";
import { checkPassword, checkUsername, normalizeUsername } from "./domain/account.js";
import { hashPassword } from "./lib/crypto.js";
import { accept, fail } from "./lib/errors.js";
import { userAction, userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as RateLimits from "./model/rateLimits.js";
import * as Users from "./model/users.js";
import { role } from "./protocol/view.js";

/** For `npx convex run`: who holds the deployment key acts as this. */
const OPERATOR = "operator";

/** A page of users, oldest first. */
export const list = userQuery("administrator")({
  args: { paginationOpts: paginationOptsValidator },
  handler: async (ctx, { paginationOpts }) => Users.list(ctx, paginationOpts),
});

/** Makes a user, who signs in with this password and changes it. */
export const create = userAction("administrator")({
  args: { username: v.string(), password: v.string(), role },
  returns: v.object({ userId: v.id("users") }),
  handler: async (ctx, args): Promise<{ userId: Id<"users"> }> => {
    const username = accept(checkUsername(args.username));
    const password = accept(checkPassword(args.password));
    await RateLimits.demand(ctx, "passwordsOfAdministrator", { key: ctx.user._id });
    const passwordHash = await hashPassword(password);
    const added = { username, passwordHash, role: args.role, actor: ctx.actor };
    return ctx.runMutation(internal.users.add, added);
  },
});

/** Gives a user another role, from the next call on. The last administrator keeps his. */
export const setRole = userMutation("administrator")({
  args: { userId: v.id("users"), role },
  returns: v.null(),
  handler: async (ctx, args) => {
    const { user } = await Users.get(ctx, args.userId);
    await Users.setRole(ctx, user, args.role);
    const detail = `${user.role} to ${args.role}`;
    await Audit.write(ctx, {
      action: "user.role",
      actor: ctx.actor,
      target: `user:${user.username}`,
      detail,
    });
    return null;
  },
});

/** Ends all that a user could do, or lets him sign in again. Not for the last administrator. */
export const setDisabled = userMutation("administrator")({
  args: { userId: v.id("users"), disabled: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { userId, disabled }) => {
    const { user } = await Users.get(ctx, userId);
    if (user.disabled === disabled) return null;
    await Users.setDisabled(ctx, user, disabled);
    const action = disabled ? "user.disabled" : "user.enabled";
    await Audit.write(ctx, { action, actor: ctx.actor, target: `user:${user.username}` });
    return null;
  },
});

/**
 * Helps a user who cannot sign in: a new password, or no one-time codes, or both. Ends his lock, his
 * sessions and his API keys.
 */
export const reset = userAction("administrator")({
  args: {
    userId: v.id("users"),
    password: v.optional(v.string()),
    clearTotp: v.optional(v.boolean()),
  },
  returns: v.null(),
  handler: async (ctx, { userId, password, clearTotp = false }): Promise<null> => {
    await RateLimits.demand(ctx, "passwordsOfAdministrator", { key: ctx.user._id });
    const passwordHash = await hashIfGiven(password);
    const changes = { ...passwordHash, clearTotp, actor: ctx.actor };
    return ctx.runMutation(internal.users.applyReset, { userId, ...changes });
  },
});

/**
 * The same as `reset`, by name, for whoever holds the deployment key:
 * `npx convex run users:emergencyReset '{"username": "…", "password": "…", "clearTotp": true}'`.
 * With `administrator` it also enables the user and gives him that role.
 */
export const emergencyReset = internalAction({
  args: {
    username: v.string(),
    password: v.optional(v.string()),
    clearTotp: v.optional(v.boolean()),
    administrator: v.optional(v.boolean()),
  },
  returns: v.null(),
  handler: async (ctx, { username, password, clearTotp = false, administrator }): Promise<null> => {
    const passwordHash = await hashIfGiven(password);
    const changes = { ...passwordHash, clearTotp, actor: OPERATOR };
    const name = normalizeUsername(username);
    const promote = administrator ?? false;
    return ctx.runMutation(internal.users.applyReset, { username: name, promote, ...changes });
  },
});

export const add = internalMutation({
  args: { username: v.string(), passwordHash: v.string(), role, actor: v.string() },
  returns: v.object({ userId: v.id("users") }),
  handler: async (ctx, { actor, ...added }) => {
    const userId = await Users.add(ctx, added);
    await Audit.write(ctx, {
      action: "user.created",
      actor,
      target: `user:${added.username}`,
      detail: added.role,
    });
    return { userId };
  },
});

export const applyReset = internalMutation({
  args: {
    userId: v.optional(v.id("users")),
    username: v.optional(v.string()),
    passwordHash: v.optional(v.string()),
    clearTotp: v.boolean(),
    promote: v.optional(v.boolean()),
    actor: v.string(),
  },
  returns: v.null(),
  handler: async (ctx, args) => {
    const { userId, username = "", passwordHash, clearTotp, promote, actor } = args;
    const account =
      userId === undefined ? await Users.find(ctx, username) : await Users.get(ctx, userId);
    if (account === null) throw fail("NOT_FOUND", `There is no user ${username}.`);
    const password = passwordHash === undefined ? {} : { passwordHash };
    await Users.reset(ctx, account, { ...password, clearTotp });
    if (promote === true) await Users.promote(ctx, account.user);
    const done = [
      ...(passwordHash === undefined ? [] : ["password"]),
      ...(clearTotp ? ["one-time codes"] : []),
      ...(promote === true ? ["administrator"] : []),
    ];
    await Audit.write(ctx, {
      action: "user.reset",
      actor,
      target: `user:${account.user.username}`,
      detail: done.join(", ") || "sessions",
    });
    return null;
  },
});

async function hashIfGiven(password: string | undefined): Promise<{ passwordHash?: string }> {
  if (password === undefined) return {};
  return { passwordHash: await hashPassword(accept(checkPassword(password))) };
}

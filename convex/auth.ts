import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation, internalQuery } from "./_generated/server.js";
import { checkPassword, checkUsername, normalizeUsername } from "./domain/account.js";
import { equalInConstantTime, hashPassword, hashToken, rehashPassword } from "./lib/crypto.js";
import * as Env from "./lib/env.js";
import { publicAction, publicMutation, userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Sessions from "./model/sessions.js";
import * as Settings from "./model/settings.js";
import * as Users from "./model/users.js";
import { PASSWORD_CHARS_MAX, TOKEN_CHARS_MAX } from "./protocol/limits.js";
import {
  role,
  type SetUpReply,
  setUpReply,
  type SignInReply,
  signInReply,
} from "./protocol/view.js";

const LABEL_CHARS_MAX = 120;
/** One answer for each way a sign-in can fail: it tells nobody which names exist. */
const REFUSED: SignInReply = { ok: false, code: "UNAUTHENTICATED" };
/** What the password of an unknown user is compared with, so that both take the same time. */
const NOBODY = `pbkdf2-sha512$210000$${"A".repeat(22)}$${"A".repeat(86)}`;

/** Makes the first administrator; for who holds the deployment's SETUP_TOKEN, and only once. */
export const setUp = publicAction({
  args: { setupToken: v.string(), username: v.string(), password: v.string() },
  returns: setUpReply,
  handler: async (ctx, args): Promise<SetUpReply> => {
    const expected = Env.find("SETUP_TOKEN");
    if (expected === undefined || !(await isSameToken(args.setupToken, expected))) {
      await ctx.runMutation(internal.auth.noteRefusedSetUp, {});
      return {
        ok: false,
        code: "FORBIDDEN",
        message: "The set-up token is not that of SETUP_TOKEN.",
      };
    }
    const username = checkUsername(args.username);
    if (!username.ok) return { ...username, code: "INVALID_ARGUMENT" };
    const password = checkPassword(args.password);
    if (!password.ok) return { ...password, code: "INVALID_ARGUMENT" };
    const passwordHash = await hashPassword(password.value);
    return ctx.runMutation(internal.auth.addFirst, { username: username.value, passwordHash });
  },
});

/** Opens a session. The password is hashed here, in an action: it takes longer than a mutation may. */
export const signIn = publicAction({
  args: { username: v.string(), password: v.string(), label: v.optional(v.string()) },
  returns: signInReply,
  handler: async (ctx, args): Promise<SignInReply> => {
    if (args.password.length > PASSWORD_CHARS_MAX) return REFUSED;
    const username = normalizeUsername(args.username);
    const stored: string = await ctx.runQuery(internal.auth.passwordHashOf, { username });
    const passwordHash = await rehashPassword(args.password, stored);
    const label = (args.label ?? "").slice(0, LABEL_CHARS_MAX);
    return ctx.runMutation(internal.auth.finishSignIn, { username, passwordHash, label });
  },
});

/** Replaces a refresh token; the reply is that of signIn. */
export const refresh = publicMutation({
  args: { refreshToken: v.string() },
  returns: signInReply,
  handler: async (ctx, { refreshToken }): Promise<SignInReply> => {
    if (refreshToken.length > TOKEN_CHARS_MAX) return REFUSED;
    const refreshed = await Sessions.refresh(ctx, refreshToken);
    if (refreshed.kind === "good") return refreshed.reply;
    if (refreshed.kind === "reused") {
      await Audit.write(ctx, { action: "session.reused", actor: "anonymous" });
    }
    return REFUSED;
  },
});

/** Ends the session of the caller. */
export const signOut = userMutation("viewer")({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Sessions.end(ctx, ctx.sessionId);
    await Audit.write(ctx, { action: "session.ended", actor: `user:${ctx.user.username}` });
    return null;
  },
});

/** Who the caller is. */
export const me = userQuery("viewer")({
  args: {},
  returns: v.object({ username: v.string(), role }),
  handler: (ctx) => ({ username: ctx.user.username, role: ctx.user.role }),
});

export const noteRefusedSetUp = internalMutation({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Audit.write(ctx, { action: "setUp.refused", actor: "anonymous" });
    return null;
  },
});

export const addFirst = internalMutation({
  args: { username: v.string(), passwordHash: v.string() },
  returns: setUpReply,
  handler: async (ctx, { username, passwordHash }): Promise<SetUpReply> => {
    if (await Settings.isSetUp(ctx)) {
      await Audit.write(ctx, { action: "setUp.refused", actor: "anonymous", detail: "again" });
      const message = "The deployment is set up already: sign in with the administrator's name.";
      return { ok: false, code: "ALREADY_SET_UP", message };
    }
    await Settings.markSetUp(ctx);
    await Users.add(ctx, { username, passwordHash, role: "administrator" });
    await Audit.write(ctx, { action: "setUp.done", actor: `user:${username}` });
    return { ok: true };
  },
});

export const passwordHashOf = internalQuery({
  args: { username: v.string() },
  returns: v.string(),
  handler: async (ctx, { username }) =>
    (await Users.find(ctx, username))?.credential.passwordHash ?? NOBODY,
});

/** Compares, counts a failure or opens a session, and audits: one transaction, which never throws. */
export const finishSignIn = internalMutation({
  args: { username: v.string(), passwordHash: v.string(), label: v.string() },
  returns: signInReply,
  handler: async (ctx, { username, passwordHash, label }): Promise<SignInReply> => {
    const actor = `user:${username}`;
    const account = await Users.find(ctx, username);
    if (account === null || account.user.disabled || Users.isLocked(account)) {
      await Audit.write(ctx, { action: "signIn.refused", actor });
      return REFUSED;
    }
    if (!equalInConstantTime(passwordHash, account.credential.passwordHash)) {
      await Users.countFailure(ctx, account);
      await Audit.write(ctx, { action: "signIn.refused", actor, detail: "password" });
      return REFUSED;
    }
    await Users.clearFailures(ctx, account);
    await Audit.write(ctx, { action: "signIn.done", actor });
    return Sessions.open(ctx, account.user, label);
  },
});

async function isSameToken(given: string, expected: string): Promise<boolean> {
  return equalInConstantTime(await hashToken(given), await hashToken(expected));
}

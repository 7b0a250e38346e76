/** Signing in and out, and what a person signs in with. */
import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, type MutationCtx } from "./_generated/server.js";
import { checkPassword, checkUsername, normalizeUsername } from "./domain/account.js";
import { equalInConstantTime, hashPassword, hashToken, rehashPassword } from "./lib/crypto.js";
import * as Env from "./lib/env.js";
import { fail } from "./lib/errors.js";
import {
  publicAction,
  publicMutation,
  userAction,
  userMutation,
  userQuery,
} from "./lib/functions.js";
import * as AccessTokens from "./model/accessTokens.js";
import * as ApiKeys from "./model/apiKeys.js";
import * as Audit from "./model/audit.js";
import * as Challenges from "./model/challenges.js";
import * as RateLimits from "./model/rateLimits.js";
import * as SecondFactors from "./model/secondFactors.js";
import * as Sessions from "./model/sessions.js";
import * as Settings from "./model/settings.js";
import * as Users from "./model/users.js";
import {
  type ChangeReply,
  changeReply,
  type ExchangeReply,
  exchangeReply,
  type TotpReply,
  totpReply,
} from "./protocol/identity.js";
import { SESSION_LABEL_CHARS_MAX, TOKEN_CHARS_MAX } from "./protocol/limits.js";
import {
  role,
  type SetUpReply,
  setUpReply,
  type SignInReply,
  signInReply,
} from "./protocol/view.js";

/** One answer for each way a sign-in can fail: it tells nobody which names exist. */
const REFUSED = { ok: false as const, code: "UNAUTHENTICATED" };
const LIMITED = { ok: false as const, code: "RATE_LIMITED" };
const TOO_MANY = "Too many calls at once: come back in a minute.";
const WRONG = {
  ok: false as const,
  code: "UNAUTHENTICATED",
  message: "That is wrong, or the account is locked for a while after too many failures.",
};
/** What the password of an unknown user is compared with, so that both take the same time. */
const NOBODY = `pbkdf2-sha512$210000$${"A".repeat(22)}$${"A".repeat(86)}`;

/** Makes the first administrator; for who holds the deployment's SETUP_TOKEN, and only once. */
export const setUp = publicAction({
  args: { setupToken: v.string(), username: v.string(), password: v.string() },
  returns: setUpReply,
  handler: async (ctx, args): Promise<SetUpReply> => {
    const expected = Env.find("SETUP_TOKEN");
    if (expected === undefined || !(await isSameToken(args.setupToken, expected))) {
      const isNoted: boolean = await ctx.runMutation(internal.auth.noteRefusedSetUp, {});
      if (!isNoted) return { ...LIMITED, message: TOO_MANY };
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
    if (!(await RateLimits.use(ctx, "passwordsOfAll")).ok) return { ...LIMITED, message: TOO_MANY };
    const passwordHash = await hashPassword(password.value);
    return ctx.runMutation(internal.auth.addFirst, { username: username.value, passwordHash });
  },
});

/**
 * Opens a session, or, for an account with one-time codes, a challenge. The password is hashed here,
 * in an action: it takes longer than a mutation may.
 */
export const signIn = publicAction({
  args: { username: v.string(), password: v.string(), label: v.optional(v.string()) },
  returns: signInReply,
  handler: async (ctx, args): Promise<SignInReply> => {
    const username = normalizeUsername(args.username);
    // What can be nobody's password is not worth the work; that it is not says nothing about a name.
    if (!checkUsername(username).ok || !checkPassword(args.password).ok) {
      return ctx.runMutation(internal.auth.refuseSignIn, { username });
    }
    const stored: string | null = await ctx.runMutation(internal.auth.beginSignIn, { username });
    if (stored === null) return LIMITED;
    const passwordHash = await rehashPassword(args.password, stored);
    const label = (args.label ?? "").slice(0, SESSION_LABEL_CHARS_MAX);
    return ctx.runMutation(internal.auth.finishSignIn, { username, passwordHash, label });
  },
});

/** Opens the session of a challenge; `code` is a one-time code or a recovery code. Each is used once. */
export const signInTotp = publicMutation({
  args: { challenge: v.string(), code: v.string() },
  returns: signInReply,
  handler: async (ctx, args): Promise<SignInReply> => {
    const isShort = args.challenge.length <= TOKEN_CHARS_MAX;
    // Beyond it, tries of one challenge and failures of one account are what is limited.
    const challenge = isShort ? await Challenges.find(ctx, args.challenge) : null;
    if (challenge === null) {
      const line = { action: "signIn.refused", actor: "anonymous", detail: "challenge" };
      return refuse(ctx, line);
    }
    const account = await Users.get(ctx, challenge.userId);
    const { user } = account;
    const actor = `user:${user.username}`;
    if (user.disabled || user.epoch !== challenge.epoch || Users.isLocked(account)) {
      await Audit.write(ctx, { action: "signIn.refused", actor });
      return REFUSED;
    }
    const used = await SecondFactors.use(ctx, account, args.code);
    if (used === null) {
      await Challenges.countTry(ctx, challenge);
      await Users.countFailure(ctx, account);
      await Audit.write(ctx, { action: "signIn.refused", actor, detail: "code" });
      return REFUSED;
    }
    await Challenges.close(ctx, challenge);
    await Users.clearFailures(ctx, account);
    await Audit.write(ctx, { action: "signIn.done", actor, detail: used });
    return Sessions.open(ctx, user, challenge.label);
  },
});

/** Exchanges an API key for an access token. */
export const exchangeKey = publicMutation({
  args: { key: v.string() },
  returns: exchangeReply,
  handler: async (ctx, { key }): Promise<ExchangeReply> => {
    const row = key.length > TOKEN_CHARS_MAX ? null : await ApiKeys.find(ctx, key);
    const user = row === null ? null : (await Users.get(ctx, row.userId)).user;
    if (row === null || user === null || user.disabled || user.epoch !== row.epoch) {
      const actor = user === null ? "anonymous" : `user:${user.username}`;
      return refuse(ctx, { action: "apiKey.refused", actor });
    }
    if (!(await RateLimits.useToken(ctx, row._id))) return LIMITED;
    await Audit.write(ctx, {
      action: "apiKey.used",
      actor: `user:${user.username}`,
      target: row.name,
    });
    return { ok: true, ...(await AccessTokens.grant({ key: row })) };
  },
});

/** Replaces a refresh token; the reply is that of signIn. */
export const refresh = publicMutation({
  args: { refreshToken: v.string() },
  returns: signInReply,
  handler: async (ctx, { refreshToken }): Promise<SignInReply> => {
    const refreshed: Sessions.Refreshed =
      refreshToken.length > TOKEN_CHARS_MAX
        ? { kind: "bad" }
        : await Sessions.refresh(ctx, refreshToken);
    switch (refreshed.kind) {
      case "good":
        return refreshed.reply;
      case "limited":
        return LIMITED;
      case "bad":
        return refuse(ctx, { action: "session.refused", actor: "anonymous" });
      case "reused": {
        const { user } = await Users.get(ctx, refreshed.session.userId);
        await Audit.write(ctx, { action: "session.reused", actor: `user:${user.username}` });
        return REFUSED;
      }
    }
  },
});

/** Ends the session of the caller. */
export const signOut = userMutation("viewer")({
  args: {},
  returns: v.null(),
  handler: async (ctx) => {
    await Sessions.end(ctx, requireSession(ctx));
    await Audit.write(ctx, { action: "session.ended", actor: ctx.actor });
    return null;
  },
});

/** Sets another password for the caller, who shows the old one. His other sessions end. */
export const changePassword = userAction("viewer")({
  args: { oldPassword: v.string(), newPassword: v.string() },
  returns: changeReply,
  handler: async (ctx, args): Promise<ChangeReply> => {
    const sessionId = requireSession(ctx);
    const { _id: userId, username } = ctx.user;
    const checked = checkPassword(args.newPassword);
    if (!checked.ok) return { ...checked, code: "INVALID_ARGUMENT" };
    if (!checkPassword(args.oldPassword).ok) return WRONG;
    const stored: string | null = await ctx.runMutation(internal.auth.beginSignIn, { username });
    if (stored === null) return { ...LIMITED, message: TOO_MANY };
    const oldHash = await rehashPassword(args.oldPassword, stored);
    const newHash = await hashPassword(checked.value);
    const change = { userId, sessionId, oldHash, newHash };
    return ctx.runMutation(internal.auth.finishChange, change);
  },
});

/** Makes the seed for an authenticator app, shown this once; `auth:totpConfirm` turns it on. */
export const totpBegin = userMutation("viewer")({
  args: {},
  returns: v.object({ seed: v.string(), uri: v.string() }),
  handler: async (ctx) => {
    requireSession(ctx);
    const account = await Users.get(ctx, ctx.user._id);
    if (SecondFactors.isOn(account)) {
      const message = "One-time codes are on already: turn them off first, with a code.";
      throw fail("ILLEGAL_TRANSITION", message);
    }
    await Audit.write(ctx, { action: "totp.begun", actor: ctx.actor });
    return SecondFactors.begin(ctx, account);
  },
});

/** Turns one-time codes on with a first code, which is used with that. */
export const totpConfirm = userMutation("viewer")({
  args: { code: v.string() },
  returns: totpReply,
  handler: async (ctx, { code }): Promise<TotpReply> => {
    requireSession(ctx);
    const account = await Users.get(ctx, ctx.user._id);
    const recoveryCodes = await SecondFactors.confirm(ctx, account, code);
    const action = recoveryCodes === null ? "totp.refused" : "totp.on";
    await Audit.write(ctx, { action, actor: ctx.actor });
    if (recoveryCodes !== null) return { ok: true, recoveryCodes };
    return { ...WRONG, message: "That is no code of the seed that was made last." };
  },
});

/** Asks the caller for one-time codes no more; he shows one, or a recovery code. */
export const totpOff = userMutation("viewer")({
  args: { code: v.string() },
  returns: changeReply,
  handler: async (ctx, { code }): Promise<ChangeReply> => {
    requireSession(ctx);
    const account = await Users.get(ctx, ctx.user._id);
    if (Users.isLocked(account) || (await SecondFactors.use(ctx, account, code)) === null) {
      if (!Users.isLocked(account)) await Users.countFailure(ctx, account);
      await Audit.write(ctx, { action: "totp.refused", actor: ctx.actor });
      return WRONG;
    }
    await SecondFactors.turnOff(ctx, account);
    await Audit.write(ctx, { action: "totp.off", actor: ctx.actor });
    return { ok: true };
  },
});

/** Whether sign-ins of the caller need a one-time code, and how many recovery codes are left. */
export const secondFactor = userQuery("viewer")({
  args: {},
  returns: v.object({ isOn: v.boolean(), recoveryCodesLeft: v.number() }),
  handler: async (ctx) => SecondFactors.standing(await Users.get(ctx, ctx.user._id)),
});

/** Who the caller is. */
export const me = userQuery("viewer")({
  args: {},
  returns: v.object({ username: v.string(), role }),
  handler: (ctx) => ({ username: ctx.user.username, role: ctx.user.role }),
});

/** False when there were too many to note. */
export const noteRefusedSetUp = internalMutation({
  args: {},
  returns: v.boolean(),
  handler: async (ctx) => {
    const line = { action: "setUp.refused", actor: "anonymous" };
    return (await refuse(ctx, line)).code !== "RATE_LIMITED";
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

/** The stored hash to compare with, that of nobody for an unknown name; null when it is too much. */
export const beginSignIn = internalMutation({
  args: { username: v.string() },
  returns: v.union(v.null(), v.string()),
  handler: async (ctx, { username }) => {
    if (!(await RateLimits.use(ctx, "passwordsOfAll")).ok) return null;
    if (!(await RateLimits.use(ctx, "passwordsOfAccount", { key: username })).ok) return null;
    return (await Users.find(ctx, username))?.credential.passwordHash ?? NOBODY;
  },
});

/** Refuses a sign-in whose password nobody can have. */
export const refuseSignIn = internalMutation({
  args: { username: v.string() },
  returns: signInReply,
  handler: async (ctx, { username }): Promise<SignInReply> => {
    return refuse(ctx, { action: "signIn.refused", actor: `user:${username}` });
  },
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
    if (SecondFactors.isOn(account)) {
      // Failures stay counted: a known password must not buy more guesses at the code.
      const challenge = await Challenges.open(ctx, account.user, label);
      await Audit.write(ctx, { action: "signIn.challenged", actor });
      return { ok: false, code: "TOTP_REQUIRED", challenge };
    }
    await Users.clearFailures(ctx, account);
    await Audit.write(ctx, { action: "signIn.done", actor });
    return Sessions.open(ctx, account.user, label);
  },
});

/** Compares the old password, and keeps the new one or counts a failure. */
export const finishChange = internalMutation({
  args: {
    userId: v.id("users"),
    sessionId: v.id("sessions"),
    oldHash: v.string(),
    newHash: v.string(),
  },
  returns: changeReply,
  handler: async (ctx, { userId, sessionId, oldHash, newHash }): Promise<ChangeReply> => {
    const account = await Users.get(ctx, userId);
    const actor = `user:${account.user.username}`;
    const isLocked = Users.isLocked(account);
    if (isLocked || !equalInConstantTime(oldHash, account.credential.passwordHash)) {
      if (!isLocked) await Users.countFailure(ctx, account);
      await Audit.write(ctx, { action: "password.refused", actor });
      return WRONG;
    }
    await Users.setPassword(ctx, account, newHash);
    await Sessions.endAllOf(ctx, userId, sessionId);
    await Audit.write(ctx, { action: "password.changed", actor });
    return { ok: true };
  },
});

/** What a person signs in with is changed by a person who signed in, not by a program with a key. */
function requireSession({ sessionId }: { sessionId: Id<"sessions"> | null }): Id<"sessions"> {
  if (sessionId !== null) return sessionId;
  throw fail("FORBIDDEN", "An API key may not do this: sign in with name and password.");
}

/** Refuses what is no credential, with a line in the audit as long as there are not too many. */
async function refuse(
  ctx: MutationCtx,
  line: { action: string; actor: string; detail?: string },
): Promise<typeof REFUSED | typeof LIMITED> {
  if (!(await RateLimits.use(ctx, "refusalsOfAll")).ok) return LIMITED;
  await Audit.write(ctx, line);
  return REFUSED;
}

async function isSameToken(given: string, expected: string): Promise<boolean> {
  return equalInConstantTime(await hashToken(given), await hashToken(expected));
}

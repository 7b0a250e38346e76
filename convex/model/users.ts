import type { PaginationOptions } from "convex/server";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { fail } from "../lib/errors.js";
import type { UserView } from "../protocol/identity.js";
import { PAGE_SIZE_MAX, SIGN_IN_FAILURES_MAX, SIGN_IN_LOCK_MS } from "../protocol/limits.js";
import type { Role } from "../protocol/view.js";

/** A user with what proves that it is him. */
export type Account = { user: Doc<"users">; credential: Doc<"credentials"> };

/** Adds a user; throws INVALID_ARGUMENT when the name is taken. */
export async function add(
  ctx: MutationCtx,
  added: { username: string; role: Role; passwordHash: string },
): Promise<Id<"users">> {
  const { username, role, passwordHash } = added;
  if ((await find(ctx, username)) !== null) {
    throw fail("INVALID_ARGUMENT", `There is a user ${username} already: choose another name.`);
  }
  const userId = await ctx.db.insert("users", { username, role, disabled: false, epoch: 0 });
  await ctx.db.insert("credentials", { userId, passwordHash, failures: 0, lockedUntil: 0 });
  return userId;
}

/** The account of this name; null when there is none. */
export async function find(ctx: QueryCtx, username: string): Promise<Account | null> {
  const user = await ctx.db
    .query("users")
    .withIndex("by_username", (q) => q.eq("username", username))
    .unique();
  return user === null ? null : { user, credential: await credentialOf(ctx, user._id) };
}

/** The account of this id; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, userId: Id<"users">): Promise<Account> {
  const user = await ctx.db.get("users", userId);
  if (user === null) throw fail("NOT_FOUND", `There is no user ${userId}.`);
  return { user, credential: await credentialOf(ctx, userId) };
}

async function credentialOf(ctx: QueryCtx, userId: Id<"users">): Promise<Doc<"credentials">> {
  const credential = await ctx.db
    .query("credentials")
    .withIndex("by_user", (q) => q.eq("userId", userId))
    .unique();
  if (credential === null) throw new Error(`User ${userId} has no credential`);
  return credential;
}

/** A page of users, oldest first. */
export async function list(ctx: QueryCtx, options: PaginationOptions) {
  const numItems = Math.min(options.numItems, PAGE_SIZE_MAX);
  const found = await ctx.db.query("users").paginate({ ...options, numItems });
  const page: UserView[] = [];
  for (const user of found.page) {
    page.push(view({ user, credential: await credentialOf(ctx, user._id) }));
  }
  return { page, isDone: found.isDone, continueCursor: found.continueCursor };
}

function view({ user, credential }: Account): UserView {
  const { totp, recovery, lockedUntil } = credential;
  return {
    userId: user._id,
    username: user.username,
    role: user.role,
    disabled: user.disabled,
    hasTotp: totp?.confirmed === true,
    recoveryCodesLeft: recovery?.length ?? 0,
    lockedUntil: lockedUntil === 0 ? null : lockedUntil,
    createdAt: user._creationTime,
  };
}

/** Gives a user another role; the last administrator keeps his. */
export async function setRole(ctx: MutationCtx, user: Doc<"users">, role: Role): Promise<void> {
  if (role !== "administrator") await requireAnother(ctx, user);
  await ctx.db.patch("users", user._id, { role });
}

/** Makes an administrator of a user, enabled. */
export async function promote(ctx: MutationCtx, user: Doc<"users">): Promise<void> {
  await ctx.db.patch("users", user._id, { role: "administrator", disabled: false });
}

/** Lets nobody in by this name any more, or lets them in again, with new sessions and keys alone. */
export async function setDisabled(
  ctx: MutationCtx,
  user: Doc<"users">,
  disabled: boolean,
): Promise<void> {
  if (disabled) await requireAnother(ctx, user);
  await ctx.db.patch("users", user._id, { disabled, epoch: user.epoch + 1 });
}

/** Throws ILLEGAL_TRANSITION when nobody but this user could administer. */
async function requireAnother(ctx: QueryCtx, user: Doc<"users">): Promise<void> {
  if (user.role !== "administrator" || user.disabled) return;
  const two = await ctx.db
    .query("users")
    .withIndex("by_role", (q) => q.eq("role", "administrator").eq("disabled", false))
    .take(2);
  if (two.length < 2) {
    const message = `${user.username} is the last administrator: make another one first.`;
    throw fail("ILLEGAL_TRANSITION", message);
  }
}

/** Sets what a user signs in with anew. All sessions and API keys end, a lock too. */
export async function reset(
  ctx: MutationCtx,
  { user, credential }: Account,
  to: { passwordHash?: string; clearTotp: boolean },
): Promise<void> {
  const { passwordHash, clearTotp } = to;
  await ctx.db.patch("users", user._id, { epoch: user.epoch + 1 });
  await ctx.db.patch("credentials", credential._id, {
    failures: 0,
    lockedUntil: 0,
    ...(passwordHash === undefined ? {} : { passwordHash }),
    ...(clearTotp ? { totp: undefined, recovery: undefined } : {}),
  });
}

/** Keeps another password. */
export async function setPassword(
  ctx: MutationCtx,
  account: Account,
  passwordHash: string,
): Promise<void> {
  await ctx.db.patch("credentials", account.credential._id, { passwordHash });
}

/** Whether the account may be tried at all. */
export function isLocked(account: Account): boolean {
  return account.credential.lockedUntil > Clock.now();
}

/** Counts a wrong password or code; after too many the account is locked for a while. */
export async function countFailure(ctx: MutationCtx, account: Account): Promise<void> {
  const failures = account.credential.failures + 1;
  const isTooMany = failures >= SIGN_IN_FAILURES_MAX;
  await ctx.db.patch("credentials", account.credential._id, {
    failures: isTooMany ? 0 : failures,
    lockedUntil: isTooMany ? Clock.now() + SIGN_IN_LOCK_MS : 0,
  });
}

/** Forgets failures after a sign-in that succeeded whole. */
export async function clearFailures(ctx: MutationCtx, account: Account): Promise<void> {
  const { failures, lockedUntil } = account.credential;
  if (failures === 0 && lockedUntil === 0) return;
  await ctx.db.patch("credentials", account.credential._id, { failures: 0, lockedUntil: 0 });
}

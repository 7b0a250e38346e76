import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { SIGN_IN_FAILURES_MAX, SIGN_IN_LOCK_MS } from "../protocol/limits.js";
import type { Role } from "../protocol/view.js";

/** A user with what proves that it is him. */
export type Account = { user: Doc<"users">; credential: Doc<"credentials"> };

/** Adds a user; the caller has checked that the name is free. */
export async function add(
  ctx: MutationCtx,
  added: { username: string; role: Role; passwordHash: string },
): Promise<Id<"users">> {
  const { username, role, passwordHash } = added;
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
  if (user === null) return null;
  const credential = await ctx.db
    .query("credentials")
    .withIndex("by_user", (q) => q.eq("userId", user._id))
    .unique();
  return credential === null ? null : { user, credential };
}

/** Whether the account may be tried at all. */
export function isLocked(account: Account): boolean {
  return account.credential.lockedUntil > Clock.now();
}

/** Counts a wrong password; after too many the account is locked for a while. */
export async function countFailure(ctx: MutationCtx, account: Account): Promise<void> {
  const failures = account.credential.failures + 1;
  const isTooMany = failures >= SIGN_IN_FAILURES_MAX;
  await ctx.db.patch("credentials", account.credential._id, {
    failures: isTooMany ? 0 : failures,
    lockedUntil: isTooMany ? Clock.now() + SIGN_IN_LOCK_MS : 0,
  });
}

/** Forgets wrong passwords after a right one. */
export async function clearFailures(ctx: MutationCtx, account: Account): Promise<void> {
  if (account.credential.failures === 0) return;
  await ctx.db.patch("credentials", account.credential._id, { failures: 0, lockedUntil: 0 });
}

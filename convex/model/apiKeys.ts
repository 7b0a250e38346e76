import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import * as Clock from "../lib/clock.js";
import { hashToken, makeToken } from "../lib/crypto.js";
import { fail } from "../lib/errors.js";
import type { ApiKeyView } from "../protocol/identity.js";
import { API_KEYS_PER_USER_MAX, PRUNE_BATCH } from "../protocol/limits.js";
import type { Role } from "../protocol/view.js";

/** Makes a key. It is handed out this once; only its hash and last four characters are kept. */
export async function create(
  ctx: MutationCtx,
  user: Doc<"users">,
  made: { name: string; role: Role; lifeMs: number },
): Promise<{ apiKeyId: Id<"apiKeys">; key: string; expiresAt: number }> {
  if ((await rows(ctx, user._id)).length >= API_KEYS_PER_USER_MAX) {
    const message = `${user.username} has ${API_KEYS_PER_USER_MAX} API keys: revoke one first.`;
    throw fail("INVALID_ARGUMENT", message);
  }
  const key = makeToken("fak_");
  const { name, role, lifeMs } = made;
  const expiresAt = Clock.now() + lifeMs;
  const apiKeyId = await ctx.db.insert("apiKeys", {
    userId: user._id,
    epoch: user.epoch,
    name,
    role,
    keyHash: await hashToken(key),
    lastFour: key.slice(-4),
    expiresAt,
  });
  return { apiKeyId, key, expiresAt };
}

/** The key's row; null when it is unknown or over. */
export async function find(ctx: MutationCtx, key: string): Promise<Doc<"apiKeys"> | null> {
  const keyHash = await hashToken(key);
  const row = await ctx.db
    .query("apiKeys")
    .withIndex("by_key_hash", (q) => q.eq("keyHash", keyHash))
    .unique();
  return row !== null && row.expiresAt > Clock.now() ? row : null;
}

/** A key by its id; throws NOT_FOUND. */
export async function get(ctx: QueryCtx, apiKeyId: Id<"apiKeys">): Promise<Doc<"apiKeys">> {
  const row = await ctx.db.get("apiKeys", apiKeyId);
  if (row === null) throw fail("NOT_FOUND", `There is no API key ${apiKeyId}.`);
  return row;
}

/** Ends a key: access tokens made from it are refused from the next call on. */
export async function revoke(ctx: MutationCtx, apiKeyId: Id<"apiKeys">): Promise<void> {
  await ctx.db.delete("apiKeys", apiKeyId);
}

/** The keys of a user, newest first. */
export async function list(ctx: QueryCtx, userId: Id<"users">): Promise<ApiKeyView[]> {
  return (await rows(ctx, userId)).map((row) => ({
    apiKeyId: row._id,
    name: row.name,
    role: row.role,
    lastFour: row.lastFour,
    createdAt: row._creationTime,
    expiresAt: row.expiresAt,
  }));
}

/** Deletes keys that are over; hands out how many. */
export async function prune(ctx: MutationCtx): Promise<number> {
  const over = await ctx.db
    .query("apiKeys")
    .withIndex("by_expiry", (q) => q.gt("expiresAt", 0).lte("expiresAt", Clock.now()))
    .take(PRUNE_BATCH);
  for (const row of over) await ctx.db.delete("apiKeys", row._id);
  return over.length;
}

async function rows(ctx: QueryCtx, userId: Id<"users">): Promise<Doc<"apiKeys">[]> {
  return ctx.db
    .query("apiKeys")
    .withIndex("by_user", (q) => q.eq("userId", userId))
    .order("desc")
    .take(API_KEYS_PER_USER_MAX);
}

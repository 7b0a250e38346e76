import { defineTable } from "convex/server";
import { v } from "convex/values";
import { role } from "../protocol/view.js";

/** Tables of people and of what they sign in with; schema.ts takes them in. */
export const identityTables = {
  /** People. Written by model/users. Read by the wrappers on each call. */
  users: defineTable({
    username: v.string(),
    role,
    disabled: v.boolean(),
    /** Grows to end all sessions and API keys of the user at once. */
    epoch: v.number(),
  })
    .index("by_username", ["username"])
    .index("by_role", ["role", "disabled"]),

  /** Secrets of users, apart so that no query of users can show them. Written by model/users. */
  credentials: defineTable({
    userId: v.id("users"),
    passwordHash: v.string(),
    failures: v.number(),
    lockedUntil: v.number(),
    /** Seed of one-time codes, sealed; asked for at sign-in once it is confirmed. */
    totp: v.optional(
      v.object({
        box: v.string(),
        confirmed: v.boolean(),
        /** Time step of the last code used: only a later one is taken. */
        lastStep: v.number(),
      }),
    ),
    /** Hashes of the recovery codes not used yet. */
    recovery: v.optional(v.array(v.string())),
  }).index("by_user", ["userId"]),

  /**
   * Signed-in sessions. Written by model/sessions. Read by the wrappers on each call. Deleted by
   * signOut, revocation and prune.
   */
  sessions: defineTable({
    userId: v.id("users"),
    epoch: v.number(),
    refreshHash: v.string(),
    /** The token before the last rotation; its use ends the session unless it comes at once. */
    previousHash: v.optional(v.string()),
    rotatedAt: v.number(),
    expiresAt: v.number(),
    label: v.string(),
    /** Where it was opened from, as far as that can be trusted (docs/permissions.md). */
    ip: v.optional(v.string()),
  })
    .index("by_refresh_hash", ["refreshHash"])
    .index("by_previous_hash", ["previousHash"])
    .index("by_user", ["userId"])
    .index("by_expiry", ["expiresAt"]),

  /**
   * Sign-ins whose password was right and whose one-time code is awaited. Written by
   * model/challenges. Deleted when used, when tried too often, and by prune.
   */
  challenges: defineTable({
    userId: v.id("users"),
    epoch: v.number(),
    tokenHash: v.string(),
    label: v.string(),
    tries: v.number(),
    expiresAt: v.number(),
  })
    .index("by_token_hash", ["tokenHash"])
    .index("by_expiry", ["expiresAt"]),

  /**
   * Keys with which programs act for a user. Written by model/apiKeys. Read by the wrappers on each
   * call of such a program. Deleted by revocation and prune.
   */
  apiKeys: defineTable({
    userId: v.id("users"),
    epoch: v.number(),
    name: v.string(),
    /** The most it may do; its user's role bounds it too. */
    role,
    keyHash: v.string(),
    lastFour: v.string(),
    expiresAt: v.number(),
  })
    .index("by_key_hash", ["keyHash"])
    .index("by_user", ["userId"])
    .index("by_expiry", ["expiresAt"]),

  /**
   * Append-only record of what people and executors did to identities, secrets and the queue. Written
   * by model/audit. Deleted by retention alone.
   */
  audit: defineTable({
    at: v.number(),
    action: v.string(),
    actor: v.string(),
    target: v.optional(v.string()),
    detail: v.optional(v.string()),
    /** Where the call came from, as far as that can be trusted (docs/permissions.md). */
    ip: v.optional(v.string()),
  })
    .index("by_time", ["at"])
    .index("by_action", ["action", "at"])
    .index("by_actor", ["actor", "at"])
    .index("by_target", ["target", "at"]),
};

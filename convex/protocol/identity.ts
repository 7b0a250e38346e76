/** People, their sessions and keys as people see them, and what the audit says. */
import { type Infer, v } from "convex/values";
import { role } from "./view.js";

/** A user as administrators see one. */
export const userView = v.object({
  userId: v.id("users"),
  username: v.string(),
  role,
  disabled: v.boolean(),
  /** Whether a one-time code is asked for at sign-in. */
  hasTotp: v.boolean(),
  recoveryCodesLeft: v.number(),
  /** Sign-in is refused until then, ms; null when it is not. */
  lockedUntil: v.union(v.null(), v.number()),
  createdAt: v.number(),
});
export type UserView = Infer<typeof userView>;

/** A session as its user and administrators see it. */
export const sessionView = v.object({
  sessionId: v.id("sessions"),
  label: v.string(),
  ip: v.union(v.null(), v.string()),
  openedAt: v.number(),
  refreshedAt: v.number(),
  expiresAt: v.number(),
  /** The session that asks. */
  current: v.boolean(),
});
export type SessionView = Infer<typeof sessionView>;

/** An API key as its user and administrators see it: never the key. */
export const apiKeyView = v.object({
  apiKeyId: v.id("apiKeys"),
  name: v.string(),
  role,
  lastFour: v.string(),
  createdAt: v.number(),
  expiresAt: v.number(),
});
export type ApiKeyView = Infer<typeof apiKeyView>;

/** Answer of `auth:exchangeKey`. expiresAt is of the access token, ms. */
export const exchangeReply = v.union(
  v.object({ ok: v.literal(true), accessToken: v.string(), expiresAt: v.number() }),
  v.object({ ok: v.literal(false), code: v.string() }),
);
export type ExchangeReply = Infer<typeof exchangeReply>;

/** Answer of changes that a wrong password or code refuses: counted, so returned and not thrown. */
export const changeReply = v.union(
  v.object({ ok: v.literal(true) }),
  v.object({ ok: v.literal(false), code: v.string(), message: v.string() }),
);
export type ChangeReply = Infer<typeof changeReply>;

/** Answer of `auth:totpConfirm`: the codes that stand in for a lost device, shown this once. */
export const totpReply = v.union(
  v.object({ ok: v.literal(true), recoveryCodes: v.array(v.string()) }),
  v.object({ ok: v.literal(false), code: v.string(), message: v.string() }),
);
export type TotpReply = Infer<typeof totpReply>;

/** One line of the audit. */
export const auditView = v.object({
  at: v.number(),
  action: v.string(),
  actor: v.string(),
  target: v.optional(v.string()),
  detail: v.optional(v.string()),
  ip: v.optional(v.string()),
});
export type AuditView = Infer<typeof auditView>;

/** Which lines of the audit: all given must hold; times in ms, `from` included, `to` not. */
export const auditFilter = v.object({
  action: v.optional(v.string()),
  actor: v.optional(v.string()),
  target: v.optional(v.string()),
  from: v.optional(v.number()),
  to: v.optional(v.number()),
});
export type AuditFilter = Infer<typeof auditFilter>;

import { type Infer, v } from "convex/values";

/** What a secret is for. There is at most one of each kind and name. */
export const SECRET_KINDS = [
  /** Clones of one repository, whoever asks for them. Name: `<host>/<owner>/<repository>`. */
  "repositoryToken",
  /** Clones for the jobs of one user. Name: `<user name>@<host>`. */
  "userToken",
  /** What a host signs its webhooks with. Name: a label; each active one is accepted. */
  "webhook",
  /** What the CLI logs in with where an executor has no login of its own. Name: a label. */
  "claude",
] as const;
export const secretKind = v.union(...SECRET_KINDS.map((kind) => v.literal(kind)));
export type SecretKind = Infer<typeof secretKind>;

/** How the CLI takes a Claude credential. */
export const claudeForm = v.union(v.literal("apiKey"), v.literal("oauthToken"));
export type ClaudeForm = Infer<typeof claudeForm>;

/** A disabled secret is kept and given to nobody. */
export const secretStatus = v.union(v.literal("active"), v.literal("disabled"));
export type SecretStatus = Infer<typeof secretStatus>;

/** A secret to be kept: all but its box is for people to see. */
export const sealedSecret = v.object({
  kind: secretKind,
  name: v.string(),
  form: v.optional(claudeForm),
  expiresAt: v.optional(v.number()),
  box: v.string(),
  lastFour: v.string(),
  setBy: v.string(),
});
export type SealedSecret = Infer<typeof sealedSecret>;

/** What people may know of a secret. */
export const secretView = v.object({
  secretId: v.id("secrets"),
  kind: secretKind,
  name: v.string(),
  form: v.optional(claudeForm),
  status: secretStatus,
  /** Its last four characters. */
  lastFour: v.string(),
  expiresAt: v.optional(v.number()),
  setBy: v.string(),
  setAt: v.number(),
});
export type SecretView = Infer<typeof secretView>;

/** What an attempt needs a secret for. */
export const secretUse = v.union(v.literal("clone"), v.literal("claude"));
export type SecretUse = Infer<typeof secretUse>;

/** What `secrets:issue` hands to the holder of a live lease. */
export const issuedSecret = v.object({
  /** User name of HTTP Basic, for a clone. */
  username: v.optional(v.string()),
  form: v.optional(claudeForm),
  secret: v.string(),
});
export type IssuedSecret = Infer<typeof issuedSecret>;

import { type Infer, v } from "convex/values";

/** What the CLI logs in with: an account with usage windows, or a key that is paid by use. */
export const credentialKind = v.union(v.literal("subscription"), v.literal("apiKey"));
export type CredentialKind = Infer<typeof credentialKind>;

/** How an executor's own CLI logs in; none asks the deployment for a credential. */
export const executorLogin = v.union(credentialKind, v.literal("none"));
export type ExecutorLogin = Infer<typeof executorLogin>;

export const credentialStatus = v.union(
  v.literal("ok"),
  /** Its limit is used up until `limitedUntil`. */
  v.literal("limited"),
  /** The API refused it: a person must set it anew or enable it. */
  v.literal("failing"),
  /** A person keeps it from being used. */
  v.literal("disabled"),
);
export type CredentialStatus = Infer<typeof credentialStatus>;

/** A window of usage as the API last told of it. */
export const usageWindow = v.object({
  /** five_hour, seven_day and others, as the CLI names them. */
  window: v.string(),
  /** allowed, allowed_warning or rejected. */
  status: v.string(),
  /** When it begins anew, ms since the epoch; the API tells whole seconds. */
  resetsAt: v.optional(v.number()),
});
export type UsageWindow = Infer<typeof usageWindow>;

/** A use of the API that was refused for its amount; without `resetsAt` it is a passing throttle. */
export const usageLimit = v.object({
  window: v.optional(v.string()),
  resetsAt: v.optional(v.number()),
});
export type UsageLimit = Infer<typeof usageLimit>;

/** A credential as people see it; what is secret of it is in no query. */
export const credentialView = v.object({
  credentialId: v.id("claudeCredentials"),
  kind: credentialKind,
  label: v.string(),
  /** The executor whose own login it is; absent: the deployment's, for executors without a login. */
  executorId: v.optional(v.id("executors")),
  status: credentialStatus,
  limitedUntil: v.optional(v.number()),
  windows: v.array(usageWindow),
  /** Attempts that use it now; of an executor's own login, which is not counted, null. */
  inFlight: v.union(v.null(), v.number()),
  /** At most so many attempts use it at once; null is no limit. */
  concurrency: v.union(v.null(), v.number()),
  lastFailure: v.optional(v.object({ at: v.number(), reason: v.string(), message: v.string() })),
});
export type CredentialView = Infer<typeof credentialView>;

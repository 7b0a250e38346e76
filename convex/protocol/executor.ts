import { type Infer, v } from "convex/values";
import { stop } from "./budget.js";
import { resume } from "./checkpoint.js";
import { executorLogin } from "./credential.js";
import { jobLimits, repository } from "./job.js";

/** Public half of the key an executor makes for itself (RFC 8037). */
export const publicJwk = v.object({
  kty: v.literal("OKP"),
  crv: v.literal("Ed25519"),
  x: v.string(),
});
export type PublicJwk = Infer<typeof publicJwk>;

/** How well an executor keeps its runs apart from its machine (docs/operations.md). */
export const jailLevel = v.union(v.literal("jail"), v.literal("uid"), v.literal("none"));
export type JailLevel = Infer<typeof jailLevel>;

/** What an executor says of itself each time it starts. */
export const registration = v.object({
  slots: v.number(),
  leaseMs: v.number(),
  version: v.string(),
  cliVersion: v.string(),
  labels: v.array(v.string()),
  /** How its CLI logs in; left out, it has a login of its own. */
  login: v.optional(executorLogin),
  jail: v.optional(jailLevel),
});
export type Registration = Infer<typeof registration>;

/** "This job, this attempt, this token, for you": one row of the executor's subscription. */
export const assignment = v.object({
  jobId: v.id("jobs"),
  attempt: v.number(),
  /** Fencing token: every write of this attempt carries it. */
  token: v.number(),
  /** False until `executors:start` was accepted. */
  started: v.boolean(),
  /** The job was asked to cancel: stop it, then finish with outcome canceled. */
  cancelRequested: v.boolean(),
  /** Commands that people gave the job so far; one more than known: `steering:take` has it. */
  steered: v.optional(v.number()),
  /** It has crossed a line of spending: stop it, then finish with that as the reason it failed. */
  stop: v.optional(stop),
});
export type Assignment = Infer<typeof assignment>;

/** What `executors:start` hands over: all that is needed to run the attempt. */
export const work = v.object({
  repository,
  ref: v.string(),
  prompt: v.string(),
  limits: jobLimits,
  /** The CLI's session id for this attempt. */
  sessionId: v.string(),
  /** What to check out instead of what `ref` names now: the commit of an earlier attempt. */
  commit: v.optional(v.string()),
  /** Where an earlier attempt was; absent: begin at the beginning. */
  resume: v.optional(resume),
  /** Files of the tree to keep. */
  artifacts: v.optional(v.array(v.string())),
  /** What the run must hand out besides its result: JSON Schema as text. */
  outputSchema: v.optional(v.string()),
  /** Calls of tools that wait for a person; `isExhausted`: they are refused instead, it asked too often. */
  approval: v.optional(v.object({ tools: v.array(v.string()), isExhausted: v.boolean() })),
  /** Somebody must know what it costs while it runs: tell with `executors:meter`. */
  isMetered: v.optional(v.boolean()),
});
export type Work = Infer<typeof work>;

/** One attempt as the executor believes it to be running. */
export const heldAttempt = v.object({ jobId: v.id("jobs"), token: v.number() });
export type HeldAttempt = Infer<typeof heldAttempt>;

export const directive = v.union(
  v.literal("continue"),
  v.literal("cancel"),
  /** The token is stale: kill the process tree, report nothing. */
  v.literal("stop"),
);
export type Directive = Infer<typeof directive>;

export const heartbeatReply = v.object({
  /** Milliseconds from this answer for which the lease holds. */
  leaseMs: v.number(),
  /** Finish what runs, take nothing new. */
  drain: v.boolean(),
  /** Replace the executor's key (`executors:rotateKey`); absent is no. */
  rotateKey: v.optional(v.boolean()),
  /** One for each held attempt, in order. */
  directives: v.array(directive),
});
export type HeartbeatReply = Infer<typeof heartbeatReply>;

export const tokenReply = v.union(
  v.object({ ok: v.literal(true), accessToken: v.string(), expiresAt: v.number() }),
  v.object({ ok: v.literal(false), code: v.string() }),
);
export type TokenReply = Infer<typeof tokenReply>;

export const enrolReply = v.union(
  v.object({ ok: v.literal(true), executorId: v.id("executors") }),
  v.object({ ok: v.literal(false), code: v.string() }),
);
export type EnrolReply = Infer<typeof enrolReply>;

export { ASSERTION_AUDIENCE } from "./limits.js";

/** What a heartbeat needs to know of its executor: who may call, and what its answer says. */
export const leaseHolder = v.object({
  boot: v.string(),
  epoch: v.number(),
  leaseMs: v.number(),
  draining: v.boolean(),
  isRotationDue: v.boolean(),
});
export type LeaseHolder = Infer<typeof leaseHolder>;

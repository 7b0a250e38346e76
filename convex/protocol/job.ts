import { type Infer, v } from "convex/values";
import { usageLimit, usageWindow } from "./credential.js";
import { approval, askedCall } from "./steering.js";

/** Where a job's code comes from. `local` is allowed only where the deployment says so. */
export const repository = v.union(
  v.object({
    kind: v.literal("remote"),
    host: v.string(),
    owner: v.string(),
    name: v.string(),
  }),
  v.object({ kind: v.literal("local"), path: v.string() }),
);
export type Repository = Infer<typeof repository>;

/** Bounds a person may set on a job; what is left out takes the default of limits.ts or of the CLI. */
export const jobLimits = v.object({
  model: v.optional(v.string()),
  maxTurns: v.optional(v.number()),
  maxBudgetUsd: v.optional(v.number()),
  timeoutMs: v.optional(v.number()),
  attemptsMax: v.optional(v.number()),
});
export type JobLimits = Infer<typeof jobLimits>;

/** The immutable part of a job. The prompt is a document of its own: lists do not read it. */
export const jobSpec = v.object({
  repository,
  /** Branch, tag or commit; "HEAD" is the default branch. */
  ref: v.string(),
  limits: jobLimits,
  /** Files of the tree to keep when an attempt ends: paths with `*`, `?` and `**`. */
  artifacts: v.optional(v.array(v.string())),
  /** JSON Schema of what the run must hand out besides its result, as text. */
  outputSchema: v.optional(v.string()),
  /** Calls of tools that wait for a person; absent: none does. */
  approval: v.optional(approval),
});
export type JobSpec = Infer<typeof jobSpec>;

/** Why an attempt did not succeed. Each reason's policy is one row of domain/retry.ts. */
export const FAILURE_REASONS = [
  "repositoryNotFound",
  "refNotFound",
  "cloneDenied",
  "cloneFailed",
  "diskFull",
  "cliAuth",
  "cliMissing",
  "usageLimit",
  "apiError",
  "apiRejected",
  "cliKilled",
  /** It said nothing and answered nothing. */
  "stalled",
  "cliError",
  "timedOut",
  "maxTurns",
  "maxBudget",
  /** A budget of the deployment had no more room for it. */
  "budget",
  "noResult",
  /** The job asks for structured output, and the run ended without it. */
  "noStructuredOutput",
  "outputTooLarge",
  /** The run wrote more files than its workspace may hold. */
  "workspaceTooLarge",
  "leaseExpired",
  "notStarted",
  "shutdown",
  "superseded",
  "revoked",
  /** A person took the attempt back. */
  "requeued",
  "tooManyInterruptions",
  "internal",
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];
export const failureReason = v.union(...FAILURE_REASONS.map((r) => v.literal(r)));

/** Steps of an attempt, in order. */
export const PHASES = ["cloning", "running", "collecting"] as const;
export type Phase = (typeof PHASES)[number];
export const phase = v.union(...PHASES.map((p) => v.literal(p)));

/** Why a job may not be dispatched now, although nothing failed. */
export const WAIT_REASONS = [
  /** Its time has not come: `runAt`, or snoozed by a person. */
  "schedule",
  /** A job it comes after has not ended. */
  "dependency",
  /** As many jobs of its concurrency key, or of its submitter, run as may. */
  "concurrency",
  /** The credential it needs may not be used now. */
  "credential",
  /** A budget is used up. */
  "budget",
  /** A person holds it, or it must be approved: only a release lets it go. */
  "approval",
  /** Its concurrency key or its submitter was paused. */
  "paused",
  /** Its run asks whether a tool may be called: a person's answer, or the deadline, lets it go on. */
  "answer",
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];
export const waitReason = v.union(...WAIT_REASONS.map((r) => v.literal(r)));

/** What becomes of a job when one that it comes after ends without success. */
export const DEPENDENCY_POLICIES = [
  /** It is canceled too. */
  "cancel",
  /** It is held for a person to decide. */
  "hold",
  /** It runs all the same. */
  "run",
] as const;
export type DependencyPolicy = (typeof DEPENDENCY_POLICIES)[number];
export const dependencyPolicy = v.union(...DEPENDENCY_POLICIES.map((p) => v.literal(p)));

/** Where a job is. What only means something in one state lives inside that state. */
export const jobState = v.union(
  /** Waits for a slot, and for nothing else. */
  v.object({ kind: v.literal("pending") }),
  /** A rule keeps it out of the queue; `until` is when the rule lets go, where that is known. */
  v.object({
    kind: v.literal("waiting"),
    reason: waitReason,
    since: v.number(),
    until: v.optional(v.number()),
  }),
  v.object({
    kind: v.literal("assigned"),
    executorId: v.id("executors"),
    assignedAt: v.number(),
  }),
  v.object({
    kind: v.literal("running"),
    executorId: v.id("executors"),
    assignedAt: v.number(),
    startedAt: v.number(),
    phase,
  }),
  /** Waits before the next attempt. */
  v.object({ kind: v.literal("backoff"), runAt: v.number(), reason: failureReason }),
  v.object({ kind: v.literal("succeeded"), endedAt: v.number() }),
  v.object({ kind: v.literal("failed"), endedAt: v.number(), reason: failureReason }),
  v.object({ kind: v.literal("canceled"), endedAt: v.number() }),
);
export type JobState = Infer<typeof jobState>;
export type JobStateKind = JobState["kind"];
export const JOB_STATE_KINDS = jobState.members.map((m) => m.fields.kind.value);

export const tokens = v.object({
  input: v.number(),
  output: v.number(),
  cacheRead: v.number(),
  cacheCreation: v.number(),
});
export type Tokens = Infer<typeof tokens>;

/** What became of one file. */
export const changedFile = v.object({
  path: v.string(),
  status: v.union(v.literal("added"), v.literal("changed"), v.literal("removed")),
  /** Lines; 0 where the file is no text. */
  insertions: v.number(),
  deletions: v.number(),
  binary: v.optional(v.literal(true)),
  /** Too large: the patch does not hold it. */
  omitted: v.optional(v.literal(true)),
});
export type ChangedFile = Infer<typeof changedFile>;

/** What the run did to the tree: counts, and the patch as far as it fits. The whole is an artifact. */
export const changes = v.object({
  files: v.number(),
  insertions: v.number(),
  deletions: v.number(),
  patch: v.string(),
  patchTruncated: v.boolean(),
  /** The first of the files, by name; absent in reports of before. */
  byFile: v.optional(v.array(changedFile)),
});
export type Changes = Infer<typeof changes>;

/** What became of the files that a run left behind, its patch among them. */
export const artifactsReport = v.object({
  kept: v.number(),
  bytes: v.number(),
  leftOut: v.number(),
  /** Which were left out, and why. */
  why: v.optional(v.string()),
});
export type ArtifactsReport = Infer<typeof artifactsReport>;

/** What an executor knows of an attempt when it ends, whatever the outcome. */
export const attemptReport = v.object({
  /** Text of the CLI's result. */
  result: v.optional(v.string()),
  costUsd: v.number(),
  tokens,
  turns: v.number(),
  model: v.optional(v.string()),
  sessionId: v.optional(v.string()),
  exitCode: v.optional(v.number()),
  signal: v.optional(v.string()),
  /** What the job's outputSchema asks for, as JSON. */
  structuredOutput: v.optional(v.string()),
  permissionDenials: v.number(),
  /** The calls of tools that were denied, each in a line; at most DENIALS_SHOWN_MAX. */
  denied: v.optional(v.array(v.string())),
  /** The call of a tool that the run ended with, put off, in a line. */
  deferred: v.optional(v.string()),
  /** The commit that was checked out. */
  commit: v.optional(v.string()),
  changes: v.optional(changes),
  artifacts: v.optional(artifactsReport),
  /** Windows of usage that the API told of, the last word on each. */
  windows: v.optional(v.array(usageWindow)),
  /** How far it got was kept so often, or could not be; bytes uploaded and time for all of them. */
  checkpoints: v.optional(
    v.object({ taken: v.number(), skipped: v.number(), bytes: v.number(), ms: v.number() }),
  ),
  cloneMs: v.optional(v.number()),
  cliMs: v.optional(v.number()),
});
export type AttemptReport = Infer<typeof attemptReport>;

/** How an attempt ended, as its executor saw it. */
export const outcome = v.union(
  v.object({ kind: v.literal("succeeded") }),
  v.object({
    kind: v.literal("failed"),
    reason: failureReason,
    message: v.string(),
    /** With usageLimit: which limit, and until when, as far as the API told. */
    limit: v.optional(usageLimit),
  }),
  v.object({ kind: v.literal("canceled") }),
  /** Ended by the executor's own shutdown: not counted against the job. */
  v.object({ kind: v.literal("interrupted"), reason: v.literal("shutdown") }),
  /** A person had the run end early: what it did until then is kept. */
  v.object({ kind: v.literal("stopped") }),
  /** The run put a call off until a person answers. */
  v.object({ kind: v.literal("asked"), call: askedCall }),
);
export type Outcome = Infer<typeof outcome>;

import { type Infer, v } from "convex/values";
import { approval } from "./steering.js";
import { dependencyPolicy, jobLimits, jobState, waitReason } from "./job.js";

// -- submissions --

/** All that may be said of a job besides its prompt; see docs/protocol.md for the defaults. */
const options = {
  limits: v.optional(jobLimits),
  /** 0, the most urgent, to 9. */
  priority: v.optional(v.number()),
  /** Labels an executor must carry, all of them. */
  labels: v.optional(v.array(v.string())),
  /** Jobs of one key run one at a time. Left out: repository and ref. null: no such limit. */
  concurrencyKey: v.optional(v.union(v.null(), v.string())),
  /** Nobody runs it before a person releases it. */
  hold: v.optional(v.boolean()),
  /** Files of the tree to keep: paths with `*`, `?` and `**`; at most 20. */
  artifacts: v.optional(v.array(v.string())),
  /** JSON Schema, as text, of what the run must hand out: without that it is no success. */
  outputSchema: v.optional(v.string()),
  /** Calls of tools that wait for a person; left out, none does. */
  approval: v.optional(approval),
};

/** A submission without what belongs to one occasion (time, dependencies, idempotency key). */
export const submissionFields = v.object({
  repository: v.string(),
  ref: v.optional(v.string()),
  prompt: v.string(),
  ...options,
});
export type SubmissionFields = Infer<typeof submissionFields>;

/** Arguments of `jobs:submit`. */
export const submissionArgs = {
  repository: v.string(),
  ref: v.optional(v.string()),
  /** The text; or a template and its parameters, of which one must be given. */
  prompt: v.optional(v.string()),
  template: v.optional(
    v.object({
      name: v.string(),
      version: v.optional(v.number()),
      parameters: v.optional(v.record(v.string(), v.string())),
    }),
  ),
  ...options,
  /** Not before this time, ms since the epoch. */
  runAt: v.optional(v.number()),
  /** Jobs that must end first. */
  after: v.optional(v.array(v.string())),
  /** What to do when one of `after` ends without success; default cancel. */
  onDependencyFailure: v.optional(dependencyPolicy),
  idempotencyKey: v.optional(v.string()),
  /** How long the key finds the same job, ms. */
  idempotencyWindowMs: v.optional(v.number()),
};

/** One job of a batch. */
export const submissionItem = v.object({
  repository: v.string(),
  ref: v.optional(v.string()),
  ...options,
});
export type SubmissionItem = Infer<typeof submissionItem>;

export const submitReply = v.object({ jobId: v.id("jobs"), deduplicated: v.boolean() });

// -- the queue as a whole --

/** Why and since when nothing is dispatched; submissions are taken all the same. */
export const pause = v.object({
  kind: v.union(v.literal("pause"), v.literal("maintenance")),
  reason: v.string(),
  since: v.number(),
  by: v.string(),
});
export type Pause = Infer<typeof pause>;

/** Jobs that may run at once; null is no limit. */
export const queueLimits = v.object({
  /** In all. */
  running: v.union(v.null(), v.number()),
  /** Of one submitter. */
  perSubmitter: v.union(v.null(), v.number()),
  /** Of one concurrency key. */
  perKey: v.number(),
});
export type QueueLimits = Infer<typeof queueLimits>;

export const gateLimitView = v.object({
  gate: v.string(),
  limit: v.number(),
  note: v.optional(v.string()),
});

export const queueView = v.object({
  paused: v.union(v.null(), pause),
  limits: queueLimits,
  /** Limits of single keys (`key:…`) and submitters (`submitter:…`), at most 100. */
  gates: v.array(gateLimitView),
  dispatcher: v.string(),
});

/** Answer of `jobs:waiting`. */
export const waitingView = v.object({
  state: jobState,
  /** The rule that keeps it from running; null when none does: it only waits for its turn. */
  rule: v.union(
    v.null(),
    waitReason,
    /** No executor with its labels is online and takes work. */
    v.literal("executor"),
    /** All slots that fit are taken. */
    v.literal("slots"),
    /** As many jobs run as may in all. */
    v.literal("limit"),
    v.literal("backoff"),
  ),
  /** One sentence for people. */
  message: v.string(),
  /** When the rule lets go, where that is known. */
  until: v.union(v.null(), v.number()),
  /** The jobs in its way: what it comes after, or what holds its key; at most 10. */
  blockedBy: v.array(v.id("jobs")),
  /** Jobs ahead of it in its line, counted up to 100; null when it stands in none. */
  ahead: v.union(v.null(), v.number()),
  /** True when there are more than were counted. */
  aheadIsMore: v.boolean(),
  /** How long until it starts, ms, at a guess from the attempts that ended last; null when unknown. */
  estimatedWaitMs: v.union(v.null(), v.number()),
  /** What the estimate rests on, or why there is none. */
  estimateNote: v.string(),
});
export type WaitingView = Infer<typeof waitingView>;

// -- schedules --

/** When a schedule fires. */
export const cadence = v.union(
  v.object({ kind: v.literal("cron"), expression: v.string(), timeZone: v.string() }),
  /** Every so many ms, counted from `anchorAt`. */
  v.object({ kind: v.literal("interval"), everyMs: v.number(), anchorAt: v.number() }),
);
export type Cadence = Infer<typeof cadence>;

/** What becomes of occurrences that were missed: none is made up for, or one for all of them. */
export const catchUp = v.union(v.literal("skip"), v.literal("runOnce"));
export type CatchUp = Infer<typeof catchUp>;

export const scheduleView = v.object({
  scheduleId: v.id("schedules"),
  name: v.string(),
  cadence,
  catchUp,
  submission: submissionFields,
  paused: v.boolean(),
  nextAt: v.union(v.null(), v.number()),
  lastAt: v.optional(v.number()),
  lastJobId: v.optional(v.id("jobs")),
  lastError: v.optional(v.string()),
  runs: v.number(),
  createdBy: v.string(),
});

// -- batches --

export const batchView = v.object({
  batchId: v.id("batches"),
  name: v.string(),
  createdBy: v.string(),
  createdAt: v.number(),
  /** Jobs it is to have, and how many were submitted. */
  size: v.number(),
  created: v.number(),
  canceled: v.boolean(),
});

/** What became of a batch: its jobs by state, read from them. */
export const batchSummary = v.object({
  ...batchView.fields,
  states: v.record(v.string(), v.number()),
  /** Every job was submitted and has ended. */
  ended: v.boolean(),
});

// -- bulk operations --

export const bulkAction = v.union(
  v.literal("retry"),
  v.literal("cancel"),
  v.literal("hold"),
  v.literal("release"),
  v.literal("requeue"),
);
export type BulkAction = Infer<typeof bulkAction>;

/** Which jobs: all that is given must hold. */
export const bulkFilter = v.object({
  state: v.optional(v.string()),
  /** As jobs show it: `host/owner/name`, or a local path. */
  repository: v.optional(v.string()),
  label: v.optional(v.string()),
  submittedBy: v.optional(v.string()),
  /** Submitted at or after, and before; ms since the epoch. */
  from: v.optional(v.number()),
  to: v.optional(v.number()),
  /** Jobs of one batch. */
  batchId: v.optional(v.id("batches")),
  /** Stands in the title, the repository, the ref or the id, in whatever case. */
  text: v.optional(v.string()),
});
export type BulkFilter = Infer<typeof bulkFilter>;

export const bulkView = v.object({
  operationId: v.id("bulkOperations"),
  action: bulkAction,
  filter: bulkFilter,
  actor: v.string(),
  startedAt: v.number(),
  status: v.string(),
  /** Jobs looked at, acted on, refused by the state they were in. */
  looked: v.number(),
  done: v.number(),
  refused: v.number(),
  endedAt: v.optional(v.number()),
});

// -- templates --

export const templateView = v.object({
  name: v.string(),
  version: v.number(),
  text: v.string(),
  parameters: v.array(v.string()),
  createdBy: v.string(),
});

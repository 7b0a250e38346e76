import { type Infer, v } from "convex/values";

/** What is deleted by age, in the order of a run: logs before the jobs they belong to. */
export const AGED_KINDS = [
  "logs",
  "jobs",
  "batches",
  "operations",
  "minutes",
  "hours",
  "days",
  "audit",
  "alerts",
  "deliveries",
  "executors",
] as const;
/**
 * `expired` is what has an end of its own and goes as soon as it is over, whatever is set: sessions, API
 * keys, sign-ins under way, invitations, used assertions, allowances that are whole again.
 */
export const RETENTION_KINDS = ["expired", ...AGED_KINDS] as const;
export const retentionKind = v.union(...RETENTION_KINDS.map((kind) => v.literal(kind)));
export type RetentionKind = Infer<typeof retentionKind>;

/** After how many days each kind is deleted. */
export const retentionDays = v.object({
  /** Logs of attempts, counted from the attempt's end. */
  logs: v.number(),
  /** Ended jobs with prompt, attempts, events and logs, counted from the job's end. */
  jobs: v.number(),
  /** Batches none of whose jobs is left. */
  batches: v.number(),
  /** Bulk operations with their outcomes, counted from their end. */
  operations: v.number(),
  /** Buckets of metrics. */
  minutes: v.number(),
  hours: v.number(),
  days: v.number(),
  audit: v.number(),
  /** Resolved alerts, counted from their end. */
  alerts: v.number(),
  /** Messages that were sent or given up. */
  deliveries: v.number(),
  /** Revoked executors that no attempt names any more, counted from their revocation. */
  executors: v.number(),
});
export type RetentionDays = Infer<typeof retentionDays>;

/** Rows by table: deleted, or (dry run) what would be. */
export const rowCounts = v.record(v.string(), v.number());
export type RowCounts = Infer<typeof rowCounts>;

/** What a prune by hand is asked for; `days` stands in for what is set. */
export const pruneArgs = {
  dryRun: v.optional(v.boolean()),
  kinds: v.optional(v.array(retentionKind)),
  days: v.optional(retentionDays.partial()),
};
/** `isComplete` is false when there was more than one call handles: call again. */
export const pruneReply = v.object({ rows: rowCounts, isComplete: v.boolean() });

/** What one step did; `cursor` is where the next one goes on. */
export const retentionStep = v.object({ rows: rowCounts, cursor: v.number(), isDone: v.boolean() });
export type RetentionStep = Infer<typeof retentionStep>;

/** The last run that came to its end. */
export const retentionRun = v.object({
  startedAt: v.number(),
  endedAt: v.number(),
  rows: rowCounts,
});

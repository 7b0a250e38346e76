import { type Infer, v } from "convex/values";
import { failureReason, tokens } from "./job.js";
import { attemptEnd } from "./view.js";

/** Upper ends of the classes of a histogram, ms; times above the last fall into one class more. */
export const BOUNDARIES_MS = [
  50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  1_200_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000,
] as const;

/** How often each class of times was met; counts has one item more than BOUNDARIES_MS. */
export const histogram = v.object({ counts: v.array(v.number()), sumMs: v.number() });
export type Histogram = Infer<typeof histogram>;

/** Money in millionths of a dollar, so that sums are exact whatever their order. */
export const spent = v.object({ micros: v.number(), tokens: v.number(), attempts: v.number() });
export type Spent = Infer<typeof spent>;

/** The keys on which most was spent, and all others together. */
export const ranking = v.object({
  top: v.array(v.object({ key: v.string(), ...spent.fields })),
  other: spent,
});
export type Ranking = Infer<typeof ranking>;

export const ATTEMPT_ENDS = attemptEnd.fields.kind.members.map((member) => member.value);

/** What a look at the queue showed, summed over the looks of a bucket. */
export const gauges = v.object({
  samples: v.number(),
  pendingSum: v.number(),
  pendingMax: v.number(),
  oldestMsMax: v.number(),
  heldSum: v.number(),
  executorsSum: v.number(),
  slotsSum: v.number(),
});
export type Gauges = Infer<typeof gauges>;

/** All that is counted of a stretch of time. */
export const bucket = v.object({
  submitted: v.number(),
  assigned: v.number(),
  /** Jobs that came to an end in each terminal state; a job that is retried by hand counts again. */
  jobs: v.object({ succeeded: v.number(), failed: v.number(), canceled: v.number() }),
  attempts: v.object({
    succeeded: v.number(),
    failed: v.number(),
    canceled: v.number(),
    interrupted: v.number(),
    expired: v.number(),
  }),
  /** Ended attempts by their reason; at most one item a reason. */
  reasons: v.array(v.object({ reason: failureReason, count: v.number() })),
  /** Ended attempts after which the job goes on. */
  retries: v.number(),
  wait: histogram,
  run: histogram,
  micros: v.number(),
  /** What bounded attempts cost beyond their lines; absent in buckets of before. */
  overshoot: v.optional(v.number()),
  tokens,
  repositories: ranking,
  users: ranking,
  models: ranking,
  gauges,
});
export type Bucket = Infer<typeof bucket>;

/** Length of the buckets of each level, ms; `all` is one bucket for all time. */
export const LEVEL_MS = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  all: Infinity,
} as const;
export type Level = keyof typeof LEVEL_MS;
export const level = v.union(
  v.literal("minute"),
  v.literal("hour"),
  v.literal("day"),
  v.literal("all"),
);

/** Ranges that people read: which buckets, and how many of them. */
export const RANGES = {
  hour: { level: "minute", buckets: 60 },
  day: { level: "hour", buckets: 24 },
  week: { level: "hour", buckets: 168 },
  month: { level: "day", buckets: 30 },
  quarter: { level: "day", buckets: 90 },
} as const;
export type Range = keyof typeof RANGES;
export const range = v.union(
  v.literal("hour"),
  v.literal("day"),
  v.literal("week"),
  v.literal("month"),
  v.literal("quarter"),
);

/** What one event of a job adds to the counts. `at` is the event's time. */
export const fact = v.union(
  v.object({ kind: v.literal("submitted"), at: v.number() }),
  v.object({ kind: v.literal("assigned"), at: v.number(), waitMs: v.number() }),
  v.object({
    kind: v.literal("attempt"),
    at: v.number(),
    end: attemptEnd.fields.kind,
    reason: v.optional(failureReason),
    /** Whether the job goes on. */
    isRetried: v.boolean(),
    /** Left out when the attempt never started. */
    runMs: v.optional(v.number()),
    micros: v.number(),
    overshoot: v.number(),
    tokens,
    repository: v.string(),
    user: v.string(),
    model: v.string(),
  }),
  v.object({
    kind: v.literal("job"),
    at: v.number(),
    state: v.union(v.literal("succeeded"), v.literal("failed"), v.literal("canceled")),
  }),
);
export type Fact = Infer<typeof fact>;

/** A look at the queue. `oldestMs` is how long the first job in the queue has been pending. */
export const sample = v.object({
  pending: v.number(),
  held: v.number(),
  oldestMs: v.number(),
  executors: v.number(),
  slots: v.number(),
});
export type Sample = Infer<typeof sample>;

const percentiles = v.object({
  count: v.number(),
  meanMs: v.union(v.number(), v.null()),
  p50Ms: v.union(v.number(), v.null()),
  p95Ms: v.union(v.number(), v.null()),
  p99Ms: v.union(v.number(), v.null()),
});
export type Percentiles = Infer<typeof percentiles>;

/** What people read of a bucket, or of several added up. Means over no sample are null. */
export const figures = v.object({
  submitted: v.number(),
  assigned: v.number(),
  jobs: bucket.fields.jobs,
  attempts: bucket.fields.attempts,
  reasons: bucket.fields.reasons,
  retries: v.number(),
  wait: percentiles,
  run: percentiles,
  costUsd: v.number(),
  /** What bounded attempts cost beyond their lines. */
  overshootUsd: v.number(),
  tokens,
  queue: v.object({
    samples: v.number(),
    pendingMean: v.union(v.number(), v.null()),
    pendingMax: v.number(),
    oldestMsMax: v.number(),
    heldMean: v.union(v.number(), v.null()),
    executorsMean: v.union(v.number(), v.null()),
    slotsMean: v.union(v.number(), v.null()),
  }),
});
export type Figures = Infer<typeof figures>;

/** Buckets of a range, oldest first and without gaps; the last one is still in progress. */
export const series = v.object({
  level,
  bucketMs: v.number(),
  /** When the roll-up last ran, ms; null before its first run: then there are no points. */
  rolledAt: v.union(v.number(), v.null()),
  points: v.array(v.object({ start: v.number(), ...figures.fields })),
});
export type Series = Infer<typeof series>;

const spentRow = v.object({
  key: v.string(),
  costUsd: v.number(),
  tokens: v.number(),
  attempts: v.number(),
});
const spentList = v.object({
  top: v.array(spentRow),
  other: v.object({ costUsd: v.number(), tokens: v.number(), attempts: v.number() }),
});
/** Cost and tokens of a range, by what they were spent on, and over time. */
export const spend = v.object({
  costUsd: v.number(),
  tokens,
  repositories: spentList,
  users: spentList,
  models: spentList,
  points: v.array(v.object({ start: v.number(), costUsd: v.number(), tokens: v.number() })),
});
export type Spend = Infer<typeof spend>;

/** The queue as it is. Counts of states are exact as of the roll-up; the others are read now, up to a bound. */
export const queueNow = v.object({
  rolledAt: v.union(v.number(), v.null()),
  states: v.record(v.string(), v.number()),
  pendingUpTo: v.number(),
  oldestPendingSince: v.union(v.number(), v.null()),
  executorsOnline: v.number(),
  slots: v.number(),
});
export type QueueNow = Infer<typeof queueNow>;

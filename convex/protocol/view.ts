import { type Infer, v } from "convex/values";
import { disk } from "./alerts.js";
import { attemptSpend, spent, stop } from "./budget.js";
import { resumption } from "./checkpoint.js";
import { jailLevel } from "./executor.js";
import { attemptReport, failureReason, jobSpec, jobState, phase } from "./job.js";

/** Rights of a person; each includes the one before. */
export const ROLES = ["viewer", "operator", "administrator"] as const;
export type Role = (typeof ROLES)[number];
export const role = v.union(...ROLES.map((r) => v.literal(r)));

/** How an attempt ended, as the queue recorded it. */
export const attemptEnd = v.object({
  at: v.number(),
  kind: v.union(
    v.literal("succeeded"),
    v.literal("failed"),
    v.literal("canceled"),
    v.literal("interrupted"),
    /** The backend took it back. */
    v.literal("expired"),
  ),
  reason: v.optional(failureReason),
  message: v.optional(v.string()),
  /** Whether it counts against the job's attemptsMax. */
  charged: v.boolean(),
});
export type AttemptEnd = Infer<typeof attemptEnd>;

/** What an attempt has come to know while it runs; its job's row holds it. */
export const liveAttempt = v.object({
  /** The CLI's session. */
  sessionId: v.string(),
  spawnedAt: v.optional(v.number()),
  /** The deployment's credential it was given, if it was given one. */
  credentialId: v.optional(v.id("claudeCredentials")),
  /** The budgets in which an amount is set aside for it. */
  budgets: v.optional(v.array(v.id("budgets"))),
  /** It has crossed a line, and its executor is to stop it. */
  stop: v.optional(stop),
  commit: v.optional(v.string()),
  /** When each phase began; at most one item a phase. */
  phases: v.array(v.object({ phase, at: v.number() })),
  /** What became of the checkpoint it was offered; absent: there was none, or it is not known yet. */
  resumption: v.optional(resumption),
});
export type LiveAttempt = Infer<typeof liveAttempt>;

/** An attempt as people see it. */
export const attemptView = v.object({
  attempt: v.number(),
  token: v.number(),
  executorId: v.id("executors"),
  assignedAt: v.number(),
  startedAt: v.optional(v.number()),
  ...liveAttempt.fields,
  end: v.optional(attemptEnd),
  report: v.optional(attemptReport),
  /** What it cost, if its job or a budget bounds it; of one under way, so far. */
  spend: v.optional(attemptSpend),
});
export type AttemptView = Infer<typeof attemptView>;

/** A job as lists show it: without prompt, report and log. */
export const jobView = v.object({
  jobId: v.id("jobs"),
  submittedAt: v.number(),
  submittedBy: v.string(),
  /** First line of the prompt, cut at 120 characters. */
  title: v.string(),
  spec: jobSpec,
  priority: v.number(),
  labels: v.array(v.string()),
  concurrencyKey: v.optional(v.string()),
  /** The batch or schedule that submitted it, as `batch:<id>` or `schedule:<id>`. */
  origin: v.optional(v.string()),
  state: jobState,
  cancelRequested: v.boolean(),
  /** Number of the latest attempt; 0 before the first. */
  attempt: v.number(),
  attemptsMax: v.number(),
  charged: v.number(),
  interruptions: v.number(),
  /** Commit that its attempts run on, once one has looked it up. */
  commit: v.optional(v.string()),
  /** Attempts that went on where an earlier one was; and those that should have and could not. */
  resumed: v.optional(v.number()),
  startedOver: v.optional(v.number()),
  /** What its attempts that have ended cost together; absent before the first. */
  spent: v.optional(spent),
});
export type JobView = Infer<typeof jobView>;

/**
 * Answer of `jobs:get`: the job with its latest attempt, null before the first. Here `spent` counts what
 * a bounded attempt under way has cost so far.
 */
export const jobDetail = v.object({
  ...jobView.fields,
  latest: v.union(attemptView, v.null()),
  /** Whether `jobs:followUp` can go on with its session; absent before it has ended. */
  isSessionKept: v.optional(v.boolean()),
});
export type JobDetail = Infer<typeof jobDetail>;

/** Answer of `jobs:lease`: until when the executor may keep the job, and how long a heartbeat renews it for. */
export const leaseView = v.object({ expiresAt: v.number(), leaseMs: v.number() });
export type LeaseView = Infer<typeof leaseView>;

/** One line of a job's timeline. */
export const eventView = v.object({
  seq: v.number(),
  at: v.number(),
  cause: v.string(),
  from: v.string(),
  to: v.string(),
  actor: v.string(),
  attempt: v.number(),
  token: v.number(),
  executorId: v.optional(v.id("executors")),
  reason: v.optional(failureReason),
  detail: v.optional(v.string()),
});
export type EventView = Infer<typeof eventView>;

/** An executor as people see it. */
export const executorView = v.object({
  executorId: v.id("executors"),
  name: v.string(),
  presence: v.union(
    v.literal("enrolled"),
    v.literal("online"),
    v.literal("lost"),
    v.literal("offline"),
  ),
  presenceSince: v.number(),
  revoked: v.boolean(),
  draining: v.boolean(),
  unhealthy: v.union(v.null(), v.object({ reason: failureReason, since: v.number() })),
  /** Its own login may not be used now: `credentials:list` says why. */
  isLoginBlocked: v.optional(v.boolean()),
  /** It is given no work because its disk has too little room. */
  isDiskLow: v.optional(v.boolean()),
  slots: v.number(),
  freeSlots: v.number(),
  version: v.string(),
  cliVersion: v.string(),
  labels: v.array(v.string()),
  /** What its runs are kept in; absent: it did not say. */
  jail: v.optional(jailLevel),
});
export type ExecutorView = Infer<typeof executorView>;

/** The lease of an online executor: what a heartbeat writes. Times in ms. */
export const executorLeaseView = v.object({
  executorId: v.id("executors"),
  /** Of the last heartbeat; after an outage of the backend, of its end. */
  renewedAt: v.number(),
  /** What it runs is taken back then, unless a heartbeat comes first. */
  expiresAt: v.number(),
  /** As the last heartbeat told of it. */
  disk: v.optional(disk),
});
export type ExecutorLeaseView = Infer<typeof executorLeaseView>;

/**
 * Answer of `auth:signIn`, `auth:signInTotp` and `auth:refresh`. expiresAt is of the access token, ms.
 * With the code TOTP_REQUIRED comes a challenge: send it to `auth:signInTotp` with the one-time code.
 */
export const signInReply = v.union(
  v.object({
    ok: v.literal(true),
    accessToken: v.string(),
    refreshToken: v.string(),
    expiresAt: v.number(),
  }),
  v.object({ ok: v.literal(false), code: v.string(), challenge: v.optional(v.string()) }),
);
export type SignInReply = Infer<typeof signInReply>;

/** Answer of `auth:setUp`; message says what to do about the code. */
export const setUpReply = v.union(
  v.object({ ok: v.literal(true) }),
  v.object({ ok: v.literal(false), code: v.string(), message: v.string() }),
);
export type SetUpReply = Infer<typeof setUpReply>;

import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import {
  attemptReport,
  dependencyPolicy,
  failureReason,
  jobSpec,
  jobState,
  tokens,
} from "./protocol/job.js";
import { attemptSpend } from "./protocol/budget.js";
import { logEntry } from "./protocol/log.js";
import { jailLevel, leaseHolder, publicJwk } from "./protocol/executor.js";
import { disk } from "./protocol/alerts.js";
import { fileTables } from "./lib/fileTables.js";
import { identityTables } from "./lib/identityTables.js";
import { queueTables } from "./lib/queueTables.js";
import { spendTables } from "./lib/spendTables.js";
import { steeringTables } from "./lib/steeringTables.js";
import { watchTables } from "./lib/watchTables.js";
import { executorLogin } from "./protocol/credential.js";
import { claudeForm, secretKind, secretStatus } from "./protocol/secret.js";
import { attemptEnd, liveAttempt } from "./protocol/view.js";

/**
 * Two rules shape the tables. What changes periodically never shares a row with what people
 * subscribe to; and each range read is bounded on both sides, because a missing field sorts before
 * every value.
 */
export default defineSchema({
  ...queueTables,

  ...spendTables,

  ...steeringTables,

  /**
   * One job; lean, for lists read it. Written by model/jobs (state: by `apply` alone). Read by
   * everybody. Deleted by model/retention.
   */
  jobs: defineTable({
    spec: jobSpec,
    promptId: v.id("prompts"),
    /** First line of the prompt, for lists, which do not read it; absent on jobs of before. */
    title: v.optional(v.string()),
    submittedBy: v.string(),
    idempotencyKey: v.optional(v.string()),
    priority: v.number(),
    /** Labels an executor must carry, as one text (domain/labels): jobs alike in them form a lane. */
    lane: v.string(),
    /** Not before this time: as submitted, or as snoozed. */
    runAt: v.optional(v.number()),
    /** At most as many jobs of one key run at once as its limit says; absent: no such limit. */
    concurrencyKey: v.optional(v.string()),
    /** Jobs it comes after that have not ended; absent is 0. */
    unmet: v.optional(v.number()),
    onDependencyFailure: v.optional(dependencyPolicy),
    /** The batch or schedule that submitted it. */
    origin: v.optional(v.string()),
    state: jobState,
    /** While an executor holds it: what limits count. */
    held: v.optional(v.literal(true)),
    /** Place in the fair order of submitters, given at each entry to the queue. */
    rank: v.number(),
    /** The limit it waits at, while it waits at one. */
    gate: v.optional(v.string()),
    /** Commit timestamp of its entry to the line it stands in: the queue, or a gate's. */
    readyTs: v.optional(v.commitTs()),
    /**
     * What the timer chain must act on: start deadline, time-out, cancel deadline, end of a backoff,
     * runAt.
     */
    deadlineAt: v.optional(v.number()),
    /** Set when a running attempt was asked to cancel; cleared by retry. */
    cancelRequestedAt: v.optional(v.number()),
    /** Number of the latest attempt; 0 before the first. */
    attempt: v.number(),
    /** Fencing token; grows with each assignment and whenever an attempt is taken from its executor. */
    token: v.number(),
    /** Ordinal of the slot that the current attempt occupies. */
    slot: v.optional(v.number()),
    /** While an executor holds it: the attempt under way, which becomes a row of `attempts` at its end. */
    live: v.optional(liveAttempt),
    attemptsMax: v.number(),
    /** Ended attempts that count against attemptsMax. */
    charged: v.number(),
    /** Ended attempts that do not. */
    interruptions: v.number(),
    /** How often each reason ended an attempt since submit or retry; at most one item a reason. */
    failures: v.array(v.object({ reason: failureReason, count: v.number() })),
    /** Number of event rows. */
    events: v.number(),
    /** The commit its ref was at when first looked up: later attempts run on the same. */
    commit: v.optional(v.string()),
    /** Attempts that went on where an earlier one was, and those that could not. */
    resumed: v.optional(v.number()),
    startedOver: v.optional(v.number()),
    /** What its ended attempts cost, and how much of that was before it was retried by a person. */
    spent: v.optional(v.object({ micros: v.number(), tokens })),
    spentBefore: v.optional(v.number()),
    /** Commands that people gave it, and questions that its runs asked; absent is none. */
    steered: v.optional(v.number()),
    asked: v.optional(v.number()),
  })
    .index("by_ready", ["state.kind", "lane", "priority", "rank", "readyTs"])
    .index("by_age", ["state.kind", "lane", "readyTs"])
    .index("by_gate", ["gate", "lane", "priority", "readyTs"])
    .index("by_key", ["concurrencyKey", "held"])
    .index("by_submitter", ["submittedBy", "state.kind", "priority", "rank"])
    .index("by_submitter_held", ["submittedBy", "held"])
    .index("by_origin", ["origin"])
    // Beside by_ready for its order: lists are by creation.
    // eslint-disable-next-line @convex-dev/no-duplicate-indexes
    .index("by_state", ["state.kind"])
    .index("by_executor", ["state.executorId"])
    .index("by_deadline", ["deadlineAt"])
    .index("by_ended", ["state.endedAt"])
    .index("by_idempotency_key", ["submittedBy", "idempotencyKey"]),

  /** A job's prompt. Written once by model/jobs. Read by start and admin. */
  prompts: defineTable({ text: v.string() }),

  /**
   * One try at a job, from its end on; until then it is `live` of the job, so that an attempt costs one
   * row. Written by model/attempts, once. Read by job details.
   */
  attempts: defineTable({
    jobId: v.id("jobs"),
    attempt: v.number(),
    token: v.number(),
    executorId: v.id("executors"),
    assignedAt: v.number(),
    startedAt: v.optional(v.number()),
    ...liveAttempt.fields,
    end: attemptEnd,
    /** The executor's own `finish` ended the attempt: a repeat of it gets the same answer. */
    finishedByExecutor: v.boolean(),
    report: v.optional(attemptReport),
    spend: v.optional(attemptSpend),
  })
    .index("by_job", ["jobId", "attempt"])
    .index("by_token", ["jobId", "token"])
    .index("by_executor", ["executorId"]),

  /** A job's timeline, append-only. Written by model/jobs.apply in the transaction of the change. */
  events: defineTable({
    jobId: v.id("jobs"),
    seq: v.number(),
    at: v.number(),
    /** Commit timestamp: the order in which the roll-up of metrics reads all events. */
    ts: v.commitTs(),
    cause: v.string(),
    from: v.string(),
    to: v.string(),
    actor: v.string(),
    attempt: v.number(),
    token: v.number(),
    executorId: v.optional(v.id("executors")),
    reason: v.optional(failureReason),
    detail: v.optional(v.string()),
  })
    .index("by_job", ["jobId", "seq"])
    .index("by_commit", ["ts"]),

  /** One machine's identity and what lists show of it. Written on transitions by model/executors. */
  executors: defineTable({
    name: v.string(),
    publicJwk,
    revoked: v.boolean(),
    /** Grows with revocation and with each new key: tokens of an older epoch are refused. */
    epoch: v.number(),
    /** Since when a person waits for it to replace its key. */
    rotationRequestedAt: v.optional(v.number()),
    /** How often a process took the identity from one that was alive, since when. */
    takeovers: v.optional(v.object({ count: v.number(), since: v.number() })),
    /** Process that registered last, and when it started. */
    boot: v.optional(v.string()),
    bootAt: v.optional(v.number()),
    /** enrolled: never registered. lost: its lease ran out. offline: it ended by itself. */
    presence: v.union(
      v.literal("enrolled"),
      v.literal("online"),
      v.literal("lost"),
      v.literal("offline"),
    ),
    /** Why it gets no work until it registers again or is resumed; null is healthy. */
    unhealthy: v.union(v.null(), v.object({ reason: failureReason, since: v.number() })),
    draining: v.boolean(),
    /** How its CLI logs in; absent: it did not say, and has a login of its own. */
    login: v.optional(executorLogin),
    /** What its runs are kept in; absent: it did not say. */
    jail: v.optional(jailLevel),
    /** Its own login may not be used now (model/credentials). */
    isLoginBlocked: v.optional(v.literal(true)),
    /** Its disk has too little room for another attempt; lifted by a heartbeat, or by its next process. */
    isDiskLow: v.optional(v.literal(true)),
    slots: v.number(),
    leaseMs: v.number(),
    version: v.string(),
    cliVersion: v.string(),
    labels: v.array(v.string()),
    presenceSince: v.number(),
  })
    .index("by_name", ["name"])
    .index("by_presence", ["presence"]),

  /**
   * One row for each online executor: all that a heartbeat writes. Written by model/leases. Read by
   * heartbeat and the timer chain. Deleted when it runs out, at revocation and by goOffline.
   */
  leases: defineTable({
    executorId: v.id("executors"),
    expiresAt: v.number(),
    /**
     * Of the executor's row, all that a heartbeat needs, so that it reads no other: copied in each
     * transaction that changes it there. Absent on leases of before.
     */
    holder: v.optional(leaseHolder),
    /**
     * Slots of attempts the backend ended itself while their process may still run: given back when
     * a heartbeat no longer names the attempt. At most one item a slot.
     */
    owed: v.array(v.object({ jobId: v.id("jobs"), token: v.number(), ordinal: v.number() })),
    /** As the last heartbeat reported it; here, because heartbeats write no other row. */
    disk: v.optional(disk),
  })
    .index("by_executor", ["executorId"])
    .index("by_expiry", ["expiresAt"]),

  /** One row for each free slot. Inserted and deleted by model/slots alone. */
  slots: defineTable({
    executorId: v.id("executors"),
    ordinal: v.number(),
    /** The executor's labels as one text (domain/labels): executors alike in them form a pool. */
    pool: v.string(),
    /** How long the executor's lease is, for the deadline of the assignment. */
    leaseMs: v.number(),
    freedTs: v.commitTs(),
  })
    .index("by_order", ["ordinal", "freedTs"])
    .index("by_pool", ["pool", "ordinal", "freedTs"])
    .index("by_executor", ["executorId"]),

  /** The one dispatcher's status. Written by model/dispatcher when it falls asleep or is woken. */
  dispatcher: defineTable({
    status: v.union(
      v.literal("scheduled"),
      v.literal("needsJobs"),
      v.literal("needsSlots"),
      v.literal("needsMatch"),
      v.literal("needsRoom"),
      v.literal("paused"),
    ),
    generation: v.number(),
    since: v.number(),
    /** While it sleeps for want of a fit: pools whose free slots fit none of the jobs that wait. */
    unfit: v.optional(v.array(v.string())),
    /** Picks made, modulo what the share of the oldest job is counted by. */
    picks: v.optional(v.number()),
    /** Lane after which the next pass goes on, when there were more than one pass looks at. */
    laneCursor: v.optional(v.string()),
  }),

  /** The one timer chain: when it fires next; null is never. Written by model/timer. */
  timer: defineTable({ nextAt: v.union(v.number(), v.null()), generation: v.number() }),

  /** Live end of an attempt's log. Written by model/logs. Read by logs:tail. */
  logTails: defineTable({
    jobId: v.id("jobs"),
    attempt: v.number(),
    nextSeq: v.number(),
    sealedChunks: v.number(),
    tailSeq: v.number(),
    tail: v.array(logEntry),
    dropped: v.number(),
  }).index("by_attempt", ["jobId", "attempt"]),

  /** Sealed pieces of a log; never change. Written by model/logs. */
  logChunks: defineTable({
    jobId: v.id("jobs"),
    attempt: v.number(),
    index: v.number(),
    firstSeq: v.number(),
    entries: v.array(logEntry),
  }).index("by_attempt", ["jobId", "attempt", "index"]),

  ...identityTables,
  ...fileTables,

  /** One-time invitations for executors. Written by model/enrolments. Deleted by use and prune. */
  enrolments: defineTable({
    tokenHash: v.string(),
    label: v.string(),
    createdBy: v.string(),
    expiresAt: v.number(),
  })
    .index("by_token_hash", ["tokenHash"])
    .index("by_expiry", ["expiresAt"]),

  /** Assertions already used. Written by model/assertions. Deleted by prune. */
  assertionJtis: defineTable({
    executorId: v.id("executors"),
    jti: v.string(),
    expiresAt: v.number(),
  })
    .index("by_jti", ["executorId", "jti"])
    .index("by_expiry", ["expiresAt"]),

  /** The emergency stop in force, at most one row. Written by model/emergency, deleted when lifted. */
  emergency: defineTable({
    reason: v.string(),
    running: v.union(v.literal("cancel"), v.literal("drain")),
    revokeExecutors: v.boolean(),
    endSessions: v.boolean(),
    by: v.string(),
    since: v.number(),
  }),

  /** What people may know of each secret. Written by model/secrets, on a person's word. */
  secrets: defineTable({
    kind: secretKind,
    name: v.string(),
    form: v.optional(claudeForm),
    status: secretStatus,
    lastFour: v.string(),
    expiresAt: v.optional(v.number()),
    setBy: v.string(),
    setAt: v.number(),
  }).index("by_name", ["kind", "name"]),

  /**
   * The secrets themselves, sealed, apart so that no list of them can show one. Written by
   * model/secrets. Read by the issue to a lease's holder and by re-sealing.
   */
  secretBoxes: defineTable({ secretId: v.id("secrets"), box: v.string() }).index("by_secret", [
    "secretId",
  ]),

  ...watchTables,

  /** Facts of the deployment, one row. Written by model/settings. */
  settings: defineTable({ setUpAt: v.number() }),
});

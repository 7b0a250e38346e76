import { type Infer, v } from "convex/values";

/** What must hold at every moment, each in one sentence. */
export const INVARIANTS = {
  oneLiveAttempt: "A job has a live attempt while an executor holds it, and at no other time.",
  attemptsDense: "The records of a job's attempts are numbered without gaps, up to its own number.",
  tokensGrow: "Tokens only grow, from attempt to attempt and up to the job's own.",
  leaseBehindAttempt: "An executor that holds a job is online and has a lease.",
  restHoldsNothing:
    "A job that no executor holds has no slot; a terminal one has no deadline or place.",
  stateHasItsFields:
    "What waits in the queue has a place in it; what must end by a time has a deadline.",
  countsAdd: "No job counts more charged attempts and interruptions than it had attempts.",
  prerequisitesCounted: "A live job counts exactly the prerequisites it still has to wait for.",
  timelineDense: "A job's events are numbered without gaps, and the last one leads to its state.",
  slotsConserved: "Free, used and owed slots of an executor are those it offers, each once.",
  leaseOfOnline: "Online executors have one lease that knows them as they are; no others have any.",
  strays: "Each free slot and each lease belongs to an executor that is there.",
  logDense: "The chunks and the tail of a log follow each other without gaps.",
  countersRight: "The counters of jobs by state equal a recount.",
  dispatcherAwake: "The dispatcher does not sleep beside work, and its scheduled pass runs.",
  timerArmed: "The timer fires no later than the first deadline, and has not missed it.",
  deadlineKept: "No deadline or lease is long overdue.",
  outboxMoves: "No message waits in the outbox longer than its limit.",
  questionsOpen:
    "A job waits for an answer while one question of it is open, and at no other time.",
  commandsSettled: "What people said to a job that has ended came to its end with it.",
  referencesHold: "What a job refers to is there.",
  reservationsInFlight:
    "What a budget has set aside is the sum of its reservations, each of an attempt under way.",
} as const;
export type Invariant = keyof typeof INVARIANTS;
export const INVARIANT_NAMES = Object.keys(INVARIANTS) as Invariant[];
export const invariant = v.union(...INVARIANT_NAMES.map((name) => v.literal(name)));

/** One place where an invariant does not hold; `id` is of the row it was found at. */
export const violation = v.object({ invariant, id: v.string(), detail: v.string() });
export type Violation = Infer<typeof violation>;

/** Pieces of a round, in order. */
export const PARTS = [
  "system",
  "counters",
  "outbox",
  "budgets",
  "executors",
  "slots",
  "leases",
  "live",
  "ended",
] as const;
/** `everything` is for tests and operators: all jobs with their whole logs. */
export const part = v.union(...PARTS.map((p) => v.literal(p)), v.literal("everything"));
export type Part = Infer<typeof part>;

/** How far a recount of live jobs is: see model/recount. */
export const recount = v.object({
  /** Place in the stream of events up to which both are right. */
  ts: v.int64(),
  creationTime: v.number(),
  /** Jobs by state: as the roll-up counts them, and as they were counted again so far. */
  counters: v.record(v.string(), v.number()),
  counts: v.record(v.string(), v.number()),
  /** State that is being counted, by its number, and the creation time of its last counted job. */
  kind: v.number(),
  after: v.number(),
});
export type Recount = Infer<typeof recount>;

/** Where a page begins: a time of creation or ending, or how far the recount is; 0 is a part's beginning. */
export const cursor = v.union(v.number(), recount);
export type Cursor = Infer<typeof cursor>;

/** What looking at one page of rows showed; `cursor` is where the next one begins. */
export const page = v.object({
  checked: v.number(),
  violations: v.array(violation),
  cursor,
  isDone: v.boolean(),
  /** What could not be checked, and why: a sentence. */
  unchecked: v.optional(v.string()),
});
export type Page = Infer<typeof page>;

/** What the last round found. Green: complete and without violations. */
export const verdict = v.object({
  startedAt: v.number(),
  endedAt: v.number(),
  checked: v.number(),
  /** At most AUDIT_VIOLATIONS_MAX; `total` counts them all. */
  violations: v.array(violation),
  total: v.number(),
  /** False when a part had more rows than a round looks at, or something could not be checked. */
  isComplete: v.boolean(),
  /** What was left out and why, a sentence each. */
  unchecked: v.optional(v.array(v.string())),
});
export type Verdict = Infer<typeof verdict>;

import { describe, expect, test } from "vitest";
import {
  checkBudget,
  checkCounters,
  checkExecutor,
  checkJob,
  checkLog,
  checkStray,
  type SeenExecutor,
  type SeenJob,
  type SeenLog,
} from "../../convex/domain/invariants.js";
import type { JobState } from "../../convex/protocol/job.js";
import type { Violation } from "../../convex/protocol/selfAudit.js";

const NOW = 1_000_000_000;
/** What a deadline may be late before it counts. */
const LATE_MS = 180_000;
const said = (violations: readonly Violation[]) =>
  violations.map(({ invariant, id, detail }) => `${id} ${invariant}: ${detail}`);

const EXECUTOR = "e1" as Extract<JobState, { kind: "assigned" }>["executorId"];
const RUNNING: JobState = {
  ...{ kind: "running", executorId: EXECUTOR, assignedAt: 1, startedAt: 2, phase: "running" },
};
const ASSIGNED: JobState = { kind: "assigned", executorId: EXECUTOR, assignedAt: 1 };

/** A job that runs its second attempt. */
const running: SeenJob = {
  ...{ id: "j", state: RUNNING, attempt: 2, token: 3, slot: 0, isMarkedHeld: true },
  ...{ unmet: 0, prerequisites: 0, isReady: false, deadlineAt: NOW, isCancelRequested: false },
  ...{ charged: 1, interruptions: 1, events: 5, hasPrompt: true, hasLaterEvent: false },
  openQuestions: 0,
  openCommands: 0,
  attempts: [
    { attempt: 2, token: 3, isLive: true },
    { attempt: 1, token: 1, isLive: false },
  ],
  lastEvent: { to: "running" },
  executor: { presence: "online", hasLease: true },
};
/** One that has ended after it. */
const ended: SeenJob = {
  ...running,
  ...{ state: { kind: "succeeded", endedAt: 1 }, token: 4, slot: undefined, isMarkedHeld: false },
  ...{ deadlineAt: undefined, executor: null, lastEvent: { to: "succeeded" } },
  attempts: [
    { attempt: 2, token: 3, isLive: false },
    { attempt: 1, token: 1, isLive: false },
  ],
};
const pending: SeenJob = {
  ...ended,
  ...{ state: { kind: "pending" }, attempt: 0, token: 0, charged: 0, interruptions: 0 },
  ...{ attempts: [], isReady: true, lastEvent: { to: "pending" } },
};
const backoff: SeenJob = {
  ...ended,
  ...{ state: { kind: "backoff", runAt: NOW, reason: "apiError" }, deadlineAt: NOW },
  lastEvent: { to: "backoff" },
};
const live = (count: number) => [
  ...Array.from({ length: count }, (_, i) => ({ attempt: 2 - i, token: 3 - i, isLive: true })),
];

describe("a job", () => {
  test.each<[string, SeenJob]>([
    ["that runs", running],
    ["that is assigned", { ...running, state: ASSIGNED, lastEvent: { to: "assigned" } }],
    ["asked to cancel", { ...running, isCancelRequested: true, lastEvent: { to: "canceling" } }],
    ["that has ended", ended],
    ["that was never tried", pending],
    ["that waits for its next attempt", backoff],
    ["whose token grew after its attempt", { ...ended, token: 9 }],
    ["whose deadline is as late as it may be", { ...running, deadlineAt: NOW - LATE_MS }],
    ["that waits for as many as it counts", { ...pending, unmet: 2, prerequisites: 2 }],
    ["that ended, whatever it counted", { ...ended, unmet: 2 }],
    [
      "of which only the latest attempts are read",
      { ...ended, attempts: ended.attempts.slice(0, 1) },
    ],
  ])("%s is well", (_, job) => {
    expect(said(checkJob(job, NOW))).toEqual([]);
  });

  test.each<[SeenJob, string[]]>([
    [
      { ...ended, attempts: running.attempts, token: 4 },
      ["j oneLiveAttempt: It is succeeded and has a live attempt."],
    ],
    [
      { ...running, attempts: live(2) },
      ["j oneLiveAttempt: It is running and has 2 live attempts."],
    ],
    [
      { ...running, attempts: ended.attempts },
      ["j oneLiveAttempt: It is running and has 0 live attempts."],
    ],
    [
      { ...running, executor: { presence: "lost", hasLease: true } },
      ["j leaseBehindAttempt: Executor e1 is not online with a lease."],
    ],
    [
      { ...running, executor: { presence: "online", hasLease: false } },
      ["j leaseBehindAttempt: Executor e1 is not online with a lease."],
    ],
    [
      { ...running, executor: null },
      ["j leaseBehindAttempt: Executor e1 is not online with a lease."],
    ],
    [
      { ...ended, attempt: 1, charged: 0, attempts: [] },
      ["j attemptsDense: It is at attempt 1; there are records of ."],
    ],
    [{ ...ended, attempts: [] }, ["j attemptsDense: It is at attempt 2; there are records of ."]],
    [
      {
        ...ended,
        attempts: [
          { attempt: 2, token: 3, isLive: false },
          { attempt: 0, token: 1, isLive: false },
        ],
      },
      ["j attemptsDense: It is at attempt 2; there are records of 2, 0."],
    ],
    [{ ...running, token: 2 }, ["j tokensGrow: The tokens, newest first, are 2, 3, 1."]],
    [{ ...ended, token: 3 }, ["j tokensGrow: The tokens, newest first, are 3, 3, 1."]],
    [
      {
        ...running,
        attempts: [
          { attempt: 2, token: 3, isLive: true },
          { attempt: 1, token: 3, isLive: false },
        ],
      },
      ["j tokensGrow: The tokens, newest first, are 3, 3, 3."],
    ],
    [{ ...running, slot: undefined }, ["j stateHasItsFields: It is running with no slot."]],
    [{ ...ended, slot: 0 }, ["j restHoldsNothing: It is succeeded with slot 0."]],
    [
      { ...running, isMarkedHeld: false },
      ["j stateHasItsFields: It is running and not counted by limits."],
    ],
    [
      { ...ended, isMarkedHeld: true },
      ["j restHoldsNothing: It is succeeded and counted by limits."],
    ],
    [{ ...pending, unmet: 1 }, ["j prerequisitesCounted: It counts 1 prerequisites and has 0."]],
    ...[{ isReady: true }, { deadlineAt: NOW }].map((wrong): [SeenJob, string[]] => [
      { ...ended, ...wrong },
      ["j restHoldsNothing: It is succeeded with a place, a deadline or a request to cancel."],
    ]),
    [
      { ...ended, isCancelRequested: true },
      ["j restHoldsNothing: It is succeeded with a place, a deadline or a request to cancel."],
    ],
    [
      { ...pending, isReady: false },
      ["j stateHasItsFields: It is pending without a place in the queue."],
    ],
    [
      { ...running, deadlineAt: undefined },
      ["j stateHasItsFields: It is running without a deadline."],
    ],
    [
      { ...backoff, deadlineAt: undefined },
      ["j stateHasItsFields: It is backoff without a deadline."],
    ],
    [
      { ...running, lastEvent: null },
      ["j timelineDense: It counts 5 events, and others are there."],
    ],
    [
      { ...running, hasLaterEvent: true },
      ["j timelineDense: It counts 5 events, and others are there."],
    ],
    [
      { ...running, lastEvent: { to: "assigned" } },
      ["j timelineDense: Its last event leads to assigned; it is running."],
    ],
    [
      { ...running, isCancelRequested: true },
      ["j timelineDense: Its last event leads to running; it is canceling."],
    ],
    [{ ...running, hasPrompt: false }, ["j referencesHold: Its prompt is gone."]],
    [{ ...running, charged: 2 }, ["j countsAdd: 2 charged and 1 interrupted of 2 attempts."]],
    [
      { ...running, deadlineAt: NOW - LATE_MS - 1 },
      [`j deadlineKept: Its deadline passed ${LATE_MS + 1} ms ago.`],
    ],
  ])("case %#: it says what is wrong", (job, expected) => {
    expect(said(checkJob(job, NOW))).toEqual(expected);
  });
});

const executor: SeenExecutor = {
  ...{ id: "e", presence: "online", isOpen: true, isKnownToLease: true, slots: 3 },
  ...{ free: [0], used: [1], owed: [2], leases: [NOW] },
};
const closed: SeenExecutor = { ...executor, isOpen: false, free: [], owed: [] };

describe("an executor", () => {
  test.each<[string, SeenExecutor]>([
    ["that takes work", executor],
    ["that takes none", closed],
    ["that is gone", { ...closed, presence: "lost", leases: [], used: [] }],
    ["whose lease is as late as it may be", { ...executor, leases: [NOW - LATE_MS] }],
    ["that offers fewer slots than it uses", { ...executor, slots: 1, free: [0] }],
  ])("%s is well", (_, seen) => {
    expect(said(checkExecutor(seen, NOW))).toEqual([]);
  });

  test.each<[SeenExecutor, string[]]>([
    [{ ...executor, leases: [] }, ["e leaseOfOnline: It is online and has 0 leases."]],
    [{ ...executor, leases: [NOW, NOW] }, ["e leaseOfOnline: It is online and has 2 leases."]],
    [{ ...closed, presence: "lost" }, ["e leaseOfOnline: It is lost and has 1 leases."]],
    [
      { ...executor, isKnownToLease: false },
      ["e leaseOfOnline: Its lease says other than its row does."],
    ],
    [
      { ...executor, leases: [NOW - LATE_MS - 1] },
      [`e deadlineKept: Its lease ran out ${LATE_MS + 1} ms ago.`],
    ],
    [
      { ...executor, owed: [1, 2] },
      ["e slotsConserved: A slot comes twice: free 0; used 1; owed 1,2."],
    ],
    [{ ...executor, owed: [] }, ["e slotsConserved: Of 3 slots 2 are nowhere."]],
    [{ ...executor, free: [], owed: [] }, ["e slotsConserved: Of 3 slots 0,2 are nowhere."]],
    [{ ...executor, free: [0, 3] }, ["e slotsConserved: More slots are free than 3."]],
    [{ ...closed, free: [0] }, ["e slotsConserved: It takes no work and has 1 free slots."]],
  ])("case %#: it says what is wrong", (seen, expected) => {
    expect(said(checkExecutor(seen, NOW))).toEqual(expected);
  });

  test("a slot or a lease of nobody is a stray", () => {
    expect(said(checkStray("s", true))).toEqual([]);
    expect(said(checkStray("s", false))).toEqual(["s strays: Its executor is gone."]);
  });
});

const log: SeenLog = {
  ...{ id: "l", nextSeq: 12, sealedChunks: 2, tailSeq: 9, tailLength: 2, dropped: 1 },
  isWhole: true,
  chunks: [
    { index: 0, firstSeq: 0, length: 4 },
    { index: 1, firstSeq: 4, length: 5 },
  ],
};

describe("a log", () => {
  test.each<[string, SeenLog]>([
    ["read whole", log],
    ["read from its last chunk on", { ...log, chunks: log.chunks.slice(1), isWhole: false }],
    ["of which only the tail is read", { ...log, chunks: [], isWhole: false }],
    ["without chunks", { ...log, chunks: [], sealedChunks: 0, tailSeq: 0, nextSeq: 3 }],
  ])("%s is well", (_, seen) => {
    expect(said(checkLog(seen))).toEqual([]);
  });

  test.each<[SeenLog, string[]]>([
    [
      { ...log, chunks: log.chunks.slice(1) },
      ["l logDense: Chunk 1 begins at 4; chunk 0 at 0 was due."],
    ],
    [
      {
        ...log,
        chunks: [
          { index: 0, firstSeq: 0, length: 3 },
          { index: 1, firstSeq: 4, length: 5 },
        ],
      },
      ["l logDense: Chunk 1 begins at 4; chunk 1 at 3 was due."],
    ],
    [
      {
        ...log,
        chunks: [
          { index: 0, firstSeq: 0, length: 4 },
          { index: 2, firstSeq: 4, length: 5 },
        ],
      },
      [
        "l logDense: Chunk 2 begins at 4; chunk 1 at 4 was due.",
        "l logDense: The chunks end at 9 (3), the tail begins at 9 (2).",
      ],
    ],
    [
      { ...log, tailSeq: 10, tailLength: 1 },
      ["l logDense: The chunks end at 9 (2), the tail begins at 10 (2)."],
    ],
    [
      { ...log, sealedChunks: 3 },
      ["l logDense: The chunks end at 9 (2), the tail begins at 9 (3)."],
    ],
    [{ ...log, nextSeq: 11 }, ["l logDense: The tail ends at 11, 1 were dropped, 11 is next."]],
  ])("case %#: it says where it breaks", (seen, expected) => {
    expect(said(checkLog(seen))).toEqual(expected);
  });
});

test("counters that do not agree with a recount are named, and none that do", () => {
  expect(said(checkCounters({ pending: 2, running: 1 }, { running: 1, pending: 2 }))).toEqual([]);
  expect(said(checkCounters({ pending: 2, gone: 0 }, { waiting: 1 }))).toEqual([
    "pending countersRight: 2 jobs are counted as pending; 0 are.",
    "waiting countersRight: 0 jobs are counted as waiting; 1 are.",
  ]);
});

test("a budget whose reservations are not what it has set aside, or of nobody, is named", () => {
  const hold = (amount: number, isAccountedFor = true) => ({ amount, isAccountedFor });
  const budget = { id: "b", reserved: 5, holds: [hold(2), hold(3)] };
  expect(said(checkBudget(budget))).toEqual([]);
  expect(said(checkBudget({ ...budget, reserved: 6 }))).toEqual([
    "b reservationsInFlight: It has 6 set aside; its rows make 5.",
  ]);
  expect(said(checkBudget({ ...budget, holds: [hold(2), hold(3, false)] }))).toEqual([
    "b reservationsInFlight: 1 reservations are of no attempt under way.",
  ]);
});

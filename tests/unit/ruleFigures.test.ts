/** The figures of the rules, each written down a second time: who changes one says so here. */
import { describe, expect, test } from "vitest";
import {
  formOf,
  kindOf,
  leastUsed,
  limitedUntil,
  mergeWindows,
} from "../../convex/domain/credential.js";
import {
  choose,
  isFitting,
  oldestPicks,
  picks,
  PICKS_PER_OLDEST,
} from "../../convex/domain/dispatch.js";
import { estimate } from "../../convex/domain/estimate.js";
import { isBeyondLease } from "../../convex/domain/lease.js";
import { isHeld, rowOf } from "../../convex/domain/lifecycle.js";
import { clipOutcome, clipReport } from "../../convex/domain/report.js";
import { count, decide, POLICIES } from "../../convex/domain/retry.js";
import { admit, gateReason, isInPlay } from "../../convex/domain/waiting.js";
import type { FailureReason, JobState } from "../../convex/protocol/job.js";
import * as Limits from "../../convex/protocol/limits.js";

const x = (length: number) => "x".repeat(length);

describe("retry", () => {
  /** First and longest backoff in seconds, how often at most, and whether it goes on from a checkpoint. */
  const BACKOFFS: Partial<Record<FailureReason, [number, number, number | null, boolean]>> = {
    cloneFailed: [2, 30, 3, true],
    apiError: [5, 300, 6, true],
    cliKilled: [1, 30, 2, true],
    stalled: [1, 30, 2, true],
    cliError: [5, 60, null, false],
    timedOut: [5, 60, 2, true],
    noResult: [5, 60, 2, false],
    noStructuredOutput: [5, 60, 2, false],
    internal: [5, 60, 3, false],
  };
  test("the reasons with a backoff, and no others", () => {
    for (const [reason, policy] of Object.entries(POLICIES)) {
      const [base, cap, most, resumes] = BACKOFFS[reason as FailureReason] ?? [0, 0, null, true];
      const { baseMs, capMs } = policy;
      expect([reason, baseMs, capMs, policy.resumes]).toEqual([
        reason,
        base * 1_000,
        cap * 1_000,
        resumes,
      ]);
      if (base > 0) expect([reason, policy.occurrencesMax]).toEqual([reason, most]);
    }
  });
  test("what parks, what is the executor's fault, what has a cap of its own", () => {
    const having = (is: (reason: FailureReason) => boolean) =>
      (Object.keys(POLICIES) as FailureReason[]).filter(is).sort();
    expect(having((reason) => POLICIES[reason].parks)).toEqual(["budget", "usageLimit"]);
    expect(having((reason) => POLICIES[reason].isExecutorUnhealthy)).toEqual([
      "cliAuth",
      "cliMissing",
      "diskFull",
    ]);
    expect(POLICIES.leaseExpired.occurrencesMax).toBe(5);
    expect(POLICIES.usageLimit.occurrencesMax).toBe(Limits.PARKS_MAX);
  });
  test("a backoff doubles up to its cap, half of it by chance", () => {
    const delay = (occurrences: number, jitter: number) => {
      const job = { charged: 0, interruptions: 0, attemptsMax: 9, isSpent: false };
      const decision = decide({ ...job, reason: "cliError", occurrences, jitter });
      return decision.kind === "backoff" ? decision.delayMs : decision.kind;
    };
    expect([1, 2, 3, 4, 5, 6].map((n) => delay(n, 0))).toEqual([
      2_500, 5_000, 10_000, 20_000, 30_000, 30_000,
    ]);
    expect([1, 5].map((n) => delay(n, 0.5))).toEqual([3_750, 45_000]);
  });
  test("reasons are counted one by one", () => {
    const once = count([], "apiError");
    expect(once).toEqual({ failures: [{ reason: "apiError", count: 1 }], occurrences: 1 });
    const other = count(once.failures, "timedOut");
    expect(other.occurrences).toBe(1);
    expect(count(other.failures, "apiError")).toEqual({
      failures: [
        { reason: "timedOut", count: 1 },
        { reason: "apiError", count: 2 },
      ],
      occurrences: 2,
    });
  });
});

describe("credentials", () => {
  const NOW = 1e12;
  const { THROTTLE_MS_MIN: least, THROTTLE_MS_MAX: most, RESET_MS_MAX: farthest } = Limits;
  const never = { throttles: 0 };
  test("a reset that lies ahead is kept to the second, up to a bound", () => {
    expect(limitedUntil({ resetsAt: NOW + 1 }, never, NOW)).toEqual({
      until: NOW + 1,
      throttles: 0,
    });
    expect(limitedUntil({ resetsAt: NOW + 2 * farthest }, never, NOW).until).toBe(NOW + farthest);
  });
  test.each([{}, { resetsAt: NOW }, { resetsAt: NaN }, { resetsAt: Infinity }])(
    "%j is none: a pause, doubled as long as they follow each other",
    (limit) => {
      const first = limitedUntil(limit, { throttles: 7 }, NOW);
      expect(first).toEqual({ until: NOW + least, throttles: 1, throttledUntil: NOW + least });
      const at = NOW + least + most;
      expect(limitedUntil(limit, first, at)).toMatchObject({ until: at + 2 * least, throttles: 2 });
      expect(limitedUntil(limit, first, at + 1)).toMatchObject({ throttles: 1 });
      const third = { throttles: 2, throttledUntil: NOW };
      expect(limitedUntil(limit, third, NOW).until).toBe(NOW + 4 * least);
      expect(limitedUntil(limit, { ...third, throttles: 500 }, NOW).until).toBe(NOW + most);
    },
  );
  test("windows: the last word on each; null when nothing is new", () => {
    const five = { window: "5h", status: "ok", resetsAt: 1 };
    const week = { window: "7d", status: "ok" };
    expect(mergeWindows([five, week], [week])).toBeNull();
    expect(mergeWindows([five], [])).toBeNull();
    for (const told of [
      { ...five, status: "hit" },
      { ...five, resetsAt: 2 },
    ]) {
      expect(mergeWindows([five, week], [told])).toEqual([told, week]);
    }
    expect(mergeWindows([week], [five])).toEqual([five, week]);
    const many = Array.from({ length: 99 }, (_, i) => ({ window: `w${i}`, status: "ok" }));
    expect(mergeWindows([], many)).toEqual(many.slice(0, Limits.USAGE_WINDOWS_MAX));
  });
  test("the least used that has room, the first of equals", () => {
    const a = { id: "a", inFlight: 2, concurrency: null };
    const b = { id: "b", inFlight: 1, concurrency: 1 };
    const c = { id: "c", inFlight: 1, concurrency: 2 };
    const d = { id: "d", inFlight: 1, concurrency: null };
    expect(leastUsed([a, b, c, d])?.id).toBe("c");
    expect(leastUsed([a, b])?.id).toBe("a");
    expect(leastUsed([b])).toBeUndefined();
    expect([kindOf("apiKey"), kindOf("oauthToken"), kindOf(undefined)]).toEqual([
      "apiKey",
      "subscription",
      "subscription",
    ]);
    expect([formOf("apiKey"), formOf("subscription")]).toEqual(["apiKey", "oauthToken"]);
  });
});

const EXECUTOR = "e" as Extract<JobState, { kind: "assigned" }>["executorId"];
const STATES: JobState[] = [
  { kind: "pending" },
  { kind: "waiting", reason: "schedule", since: 1 },
  { kind: "assigned", executorId: EXECUTOR, assignedAt: 1 },
  { kind: "running", executorId: EXECUTOR, assignedAt: 1, startedAt: 1, phase: "running" },
  { kind: "backoff", runAt: 1, reason: "apiError" },
  { kind: "succeeded", endedAt: 1 },
  { kind: "failed", endedAt: 1, reason: "cliError" },
  { kind: "canceled", endedAt: 1 },
];

describe("states and rules of waiting", () => {
  const kinds = (is: (state: JobState) => boolean) => STATES.filter(is).map(({ kind }) => kind);
  test("which states an executor holds, and which take part in limits", () => {
    expect(kinds(isHeld)).toEqual(["assigned", "running"]);
    expect(kinds(isInPlay)).toEqual(["pending", "assigned", "running"]);
    expect(kinds((state) => rowOf(state, true) === "canceling")).toEqual(["running"]);
  });
  test("the first rule that applies: time, dependencies, limits", () => {
    const gate = { name: "key:a", reason: "concurrency" as const };
    expect(admit({ runAt: 11, unmet: 1, gate }, 10)).toEqual({
      kind: "waiting",
      reason: "schedule",
      until: 11,
    });
    expect(admit({ runAt: 10, unmet: 1, gate }, 10)).toEqual({
      kind: "waiting",
      reason: "dependency",
    });
    expect(admit({ runAt: undefined, unmet: 0, gate }, 10)).toEqual({
      kind: "waiting",
      reason: "concurrency",
      gate: "key:a",
    });
    expect(admit({ runAt: undefined, unmet: 0, gate: null }, 10)).toEqual({ kind: "pending" });
    expect([gateReason(0, 0), gateReason(1, 2), gateReason(2, 2)]).toEqual([
      "paused",
      null,
      "concurrency",
    ]);
  });
  test("a lease as long as the start deadline needs no timer of its own", () => {
    expect([
      isBeyondLease(Limits.START_DEADLINE_MS),
      isBeyondLease(Limits.START_DEADLINE_MS + 1),
    ]).toEqual([false, true]);
  });
});

describe("dispatch", () => {
  const job = (id: number, readyTs: bigint, rank = 0) => ({
    id,
    lane: "",
    priority: 5,
    rank,
    readyTs,
  });
  const slot = (id: number, [ordinal, freedTs]: [number, bigint], pool = "") => ({
    id,
    pool,
    ordinal,
    freedTs,
  });
  test("every eighth pick is the oldest's", () => {
    expect(PICKS_PER_OLDEST).toBe(8);
    expect([
      oldestPicks(0, 7),
      oldestPicks(0, 8),
      oldestPicks(7, 1),
      oldestPicks(8, 7),
      oldestPicks(8, 16),
    ]).toEqual([0, 1, 1, 0, 2]);
  });
  test("equals go by entry, and by who is listed first where that is the same", () => {
    const ids = (jobs: { id: number }[]) => jobs.map(({ id }) => id);
    const urgent = [job(1, 3n), job(2, 1n), job(3, 2n), job(4, 1n), job(5, 9n, -1)];
    expect(ids(picks(urgent, { oldest: [], made: 0 }))).toEqual([5, 2, 4, 3, 1]);
    expect(ids(picks([job(1, 2n)], { oldest: [job(2, 1n), job(3, 1n)], made: 7 }))).toEqual([
      2, 1, 3,
    ]);
  });
  test("slots: the lowest ordinal, then who was free first, of the pool with the fewest labels", () => {
    const slots = [slot(1, [1, 1n]), slot(2, [0, 2n]), slot(3, [0, 1n]), slot(4, [0, 0n], "gpu")];
    const jobs = [1, 2, 3, 4].map((id) => job(id, BigInt(id)));
    expect(choose(jobs, slots).map((pair) => pair.slot.id)).toEqual([3, 2, 1, 4]);
  });
  test("in which sleep no waiting job fits a free slot", () => {
    const all = [
      "scheduled",
      "needsJobs",
      "needsSlots",
      "needsMatch",
      "needsRoom",
      "paused",
    ] as const;
    expect(all.filter(isFitting)).toEqual(["needsJobs", "needsMatch"]);
  });
  test("an estimate: rounds of the median of what attempts took", () => {
    const guess = { durationsMs: [100_000, 9_000, 20_000], room: 2, ahead: 3, isAheadMore: false };
    expect(estimate(guess)).toEqual({
      waitMs: 40_000,
      note: "Half of the last 3 attempts took 20 s or less; 2 slots share the work.",
    });
    expect(estimate({ ...guess, durationsMs: [1, 2] }).waitMs).toBeNull();
  });
});

describe("reports are cut, not refused", () => {
  const tokens = { input: 1, output: 1, cacheRead: 1, cacheCreation: 1 };
  const report = { costUsd: 1, tokens, turns: 1, permissionDenials: 0 };
  test("each text to its bound, and nothing else", () => {
    const windows = Array.from({ length: Limits.USAGE_WINDOWS_MAX + 1 }, () => ({
      ...{
        window: x(Limits.WINDOW_NAME_CHARS_MAX + 1),
        status: x(Limits.WINDOW_NAME_CHARS_MAX + 1),
      },
    }));
    const cut = clipReport({ ...report, result: x(Limits.RESULT_CHARS_MAX + 1), windows });
    expect(cut.result).toBe(x(Limits.RESULT_CHARS_MAX));
    expect(cut.windows).toHaveLength(Limits.USAGE_WINDOWS_MAX);
    const name = x(Limits.WINDOW_NAME_CHARS_MAX);
    expect(cut.windows?.[0]).toEqual({ window: name, status: name });
    expect(clipReport(report)).toEqual(report);
    const changes = (length: number) => {
      const patch = { patch: x(length), patchTruncated: false };
      // Of the changes only the patch matters here.
      return clipReport({ ...report, changes: patch } as unknown as typeof report & object) as {
        changes?: { patch: string; patchTruncated: boolean };
      };
    };
    expect(changes(Limits.PATCH_CHARS_MAX).changes?.patchTruncated).toBe(false);
    expect(changes(Limits.PATCH_CHARS_MAX + 1).changes).toEqual({
      patch: x(Limits.PATCH_CHARS_MAX),
      patchTruncated: true,
    });
    const failed = {
      kind: "failed",
      reason: "cliError",
      message: x(Limits.MESSAGE_CHARS_MAX + 1),
    } as const;
    expect(clipOutcome(failed)).toEqual({ ...failed, message: x(Limits.MESSAGE_CHARS_MAX) });
    expect(clipOutcome({ kind: "succeeded" })).toEqual({ kind: "succeeded" });
  });
});

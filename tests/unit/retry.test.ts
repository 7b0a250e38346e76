import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { count, decide, type Ended, POLICIES } from "../../convex/domain/retry.js";
import { FAILURE_REASONS } from "../../convex/protocol/job.js";
import { ATTEMPTS_MAX, INTERRUPTIONS_MAX, PARKS_MAX } from "../../convex/protocol/limits.js";

const ended = (part: Partial<Ended> & Pick<Ended, "reason">): Ended => ({
  charged: POLICIES[part.reason].charged ? 1 : 0,
  interruptions: POLICIES[part.reason].charged ? 0 : 1,
  occurrences: 1,
  attemptsMax: 3,
  isSpent: false,
  jitter: 0,
  ...part,
});

test.each(FAILURE_REASONS)("%s of a job that has spent all it may → it fails", (reason) => {
  const { retryable } = POLICIES[reason];
  const expected = { kind: "failed", reason: retryable ? "maxBudget" : reason };
  expect(decide(ended({ reason, isSpent: true }))).toEqual(expected);
});

describe("each reason, the first time", () => {
  test.each([
    ["repositoryNotFound", "failed"],
    ["refNotFound", "failed"],
    ["cloneDenied", "failed"],
    ["cloneFailed", "backoff"],
    ["diskFull", "pending"],
    ["cliAuth", "pending"],
    ["cliMissing", "pending"],
    ["usageLimit", "pending"],
    ["apiError", "backoff"],
    ["apiRejected", "failed"],
    ["cliKilled", "backoff"],
    ["stalled", "backoff"],
    ["cliError", "backoff"],
    ["timedOut", "backoff"],
    ["maxTurns", "failed"],
    ["maxBudget", "failed"],
    ["budget", "pending"],
    ["noResult", "backoff"],
    ["noStructuredOutput", "backoff"],
    ["outputTooLarge", "failed"],
    ["workspaceTooLarge", "failed"],
    ["leaseExpired", "pending"],
    ["notStarted", "pending"],
    ["shutdown", "pending"],
    ["superseded", "pending"],
    ["revoked", "pending"],
    ["tooManyInterruptions", "failed"],
    ["internal", "backoff"],
  ] as const)("%s → %s", (reason, kind) => {
    expect(decide(ended({ reason })).kind).toBe(kind);
  });
});

test.each(["cliAuth", "cliMissing", "diskFull"] as const)(
  "%s is the executor's fault: it is marked, the job is not charged",
  (reason) => {
    expect(POLICIES[reason]).toMatchObject({ isExecutorUnhealthy: true, charged: false });
  },
);

test("no other reason marks an executor", () => {
  const marking = FAILURE_REASONS.filter((reason) => POLICIES[reason].isExecutorUnhealthy);
  expect(marking.sort()).toEqual(["cliAuth", "cliMissing", "diskFull"]);
});

test.each([
  ["cloneFailed", 3],
  ["cliKilled", 2],
  ["stalled", 2],
  ["timedOut", 2],
  ["noResult", 2],
  ["apiError", 6],
  ["leaseExpired", 5],
  ["usageLimit", 100],
] as const)("%s fails the job at its occurrence %i, not before", (reason, cap) => {
  const plenty = { reason, attemptsMax: ATTEMPTS_MAX };
  expect(decide(ended({ ...plenty, occurrences: cap - 1 })).kind).not.toBe("failed");
  expect(decide(ended({ ...plenty, occurrences: cap }))).toEqual({ kind: "failed", reason });
});

test("the charged attempt that uses attemptsMax up fails the job; one before does not", () => {
  expect(decide(ended({ reason: "cliError", charged: 2 })).kind).toBe("backoff");
  expect(decide(ended({ reason: "cliError", charged: 3 })).kind).toBe("failed");
});

test("an uncharged end does not look at attemptsMax, but at the cap of interruptions", () => {
  const of = (interruptions: number) =>
    decide(ended({ reason: "shutdown", charged: 3, interruptions }));
  expect(of(INTERRUPTIONS_MAX - 1)).toEqual({ kind: "pending" });
  expect(of(INTERRUPTIONS_MAX)).toEqual({ kind: "failed", reason: "tooManyInterruptions" });
});

test.each([
  [1, 0, 2_500],
  [1, 1, 5_000],
  [2, 1, 10_000],
  [3, 0, 10_000],
  [5, 1, 80_000],
])("apiError for the %i. time with jitter %d → %i ms", (occurrences, jitter, delayMs) => {
  const decision = decide(ended({ reason: "apiError", attemptsMax: 10, occurrences, jitter }));
  expect(decision).toEqual({ kind: "backoff", reason: "apiError", delayMs });
});

test("a backoff is never longer than its cap and never at once", () => {
  const reasons = FAILURE_REASONS.filter((r) => POLICIES[r].retryable && POLICIES[r].baseMs > 0);
  const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.constantFrom(...reasons), fc.nat(60), jitter, (reason, occurrences, j) => {
      const decision = decide(ended({ reason, occurrences, jitter: j, attemptsMax: 10 }));
      if (decision.kind !== "backoff") return;
      expect(decision.delayMs).toBeLessThanOrEqual(POLICIES[reason].capMs);
      expect(decision.delayMs).toBeGreaterThanOrEqual(POLICIES[reason].baseMs / 2);
    }),
  );
});

test("whatever ends its attempts, a job has at most attemptsMax + INTERRUPTIONS_MAX + PARKS_MAX of them", () => {
  const reasons = fc.infiniteStream(fc.constantFrom(...FAILURE_REASONS));
  fc.assert(
    fc.property(reasons, fc.integer({ min: 1, max: ATTEMPTS_MAX }), (stream, attemptsMax) => {
      let counts = { charged: 0, interruptions: 0 };
      let failures: ReturnType<typeof count>["failures"] = [];
      let attempts = 0;
      for (const reason of stream) {
        attempts += 1;
        const counted = count(failures, reason);
        failures = counted.failures;
        const { charged, interruptions } = counts;
        const { charged: isCharged, parks } = POLICIES[reason];
        if (isCharged) counts = { charged: charged + 1, interruptions };
        else if (!parks) counts = { charged, interruptions: interruptions + 1 };
        const { occurrences } = counted;
        const rest = { occurrences, attemptsMax, isSpent: false, jitter: 0.5 };
        const decision = decide({ reason, ...counts, ...rest });
        if (decision.kind === "failed") break;
      }
      expect(attempts).toBeLessThanOrEqual(attemptsMax + INTERRUPTIONS_MAX + PARKS_MAX);
      expect(new Set(failures.map((f) => f.reason)).size).toBe(failures.length);
    }),
  );
});

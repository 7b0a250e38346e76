import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { prometheusText } from "../../convex/domain/prometheus.js";
import * as RollUp from "../../convex/domain/rollup.js";
import {
  ATTEMPT_ENDS,
  BOUNDARIES_MS,
  type Bucket,
  type Fact,
} from "../../convex/protocol/metrics.js";
import { FAILURE_REASONS } from "../../convex/protocol/job.js";
import { SPEND_KEYS_MAX } from "../../convex/protocol/limits.js";

const DAY = 86_400_000;
const at = fc.nat(3 * DAY);
const count = fc.nat(1_000);
const attempt: fc.Arbitrary<Fact> = fc.record({
  kind: fc.constant("attempt" as const),
  at,
  end: fc.constantFrom(...ATTEMPT_ENDS),
  reason: fc.constantFrom(...FAILURE_REASONS),
  isRetried: fc.boolean(),
  runMs: fc.nat(2 * DAY),
  micros: fc.nat(5_000_000),
  overshoot: fc.nat(1_000_000),
  tokens: fc.record({ input: count, output: count, cacheRead: count, cacheCreation: count }),
  repository: fc.nat(40).map((n) => `host/owner/r${n}`),
  user: fc.constantFrom("user:a", "user:b"),
  model: fc.constantFrom("opus", "sonnet"),
});
const facts = fc.array(
  fc.oneof(
    attempt,
    fc.record({ kind: fc.constant("submitted" as const), at }),
    fc.record({ kind: fc.constant("assigned" as const), at, waitMs: fc.nat(2 * DAY) }),
    fc.record({
      kind: fc.constant("job" as const),
      at,
      state: fc.constantFrom("succeeded" as const, "failed" as const, "canceled" as const),
    }),
  ),
  { maxLength: 60 },
);
const sum = (buckets: Iterable<Bucket>) =>
  [...buckets].reduce((a, b) => RollUp.merge(a, b), RollUp.empty());
/** A bucket without the names of keys, whose choice may depend on the order. */
function counts(bucket: Bucket) {
  const total = ({ top, other }: Bucket["users"]) =>
    top.reduce((n, row) => n + row.micros, other.micros);
  const { repositories, users, models, ...rest } = bucket;
  return { ...rest, spent: [repositories, users, models].map(total) };
}

describe("the fold of metrics", () => {
  test("hours and days are the sums of their minutes, whatever the order and batches", () => {
    fc.assert(
      fc.property(facts, fc.nat(60), (all, cut) => {
        const minutes = RollUp.fold("minute", all);
        const reversed = [...all].reverse();
        const batches = [
          sum(RollUp.fold("minute", reversed.slice(cut)).values()),
          sum(RollUp.fold("day", reversed.slice(0, cut)).values()),
        ];
        const total = counts(sum(RollUp.fold("all", all).values()));
        expect(counts(sum(minutes.values()))).toEqual(total);
        expect(counts(sum(RollUp.fold("hour", all).values()))).toEqual(total);
        expect(counts(sum(batches))).toEqual(total);
        for (const [start, day] of RollUp.fold("day", all)) {
          const within = [...minutes].filter(([m]) => RollUp.startOf("day", m) === start);
          expect(counts(sum(within.map(([, bucket]) => bucket)))).toEqual(counts(day));
        }
      }),
    );
  });

  test("a bucket names at most SPEND_KEYS_MAX keys, the dearest; nothing that was spent is lost", () => {
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 80 }), (all) => {
        const { repositories, micros } = sum(RollUp.fold("all", all).values());
        expect(repositories.top.length).toBeLessThanOrEqual(SPEND_KEYS_MAX);
        const named = repositories.top.map((row) => row.micros);
        expect(named).toEqual([...named].sort((a, b) => b - a));
        expect(named.reduce((a, b) => a + b, repositories.other.micros)).toBe(micros);
      }),
    );
  });

  test("a percentile lies in the class of the true one", () => {
    const times = fc.array(fc.nat(DAY), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.95, 0.99), (all, share) => {
        const { wait } = sum(
          RollUp.fold(
            "all",
            all.map((waitMs) => ({ kind: "assigned" as const, at: 0, waitMs })),
          ).values(),
        );
        const sorted = [...all].sort((a, b) => a - b);
        const truth = sorted[Math.ceil(share * all.length) - 1] ?? NaN;
        const upper = BOUNDARIES_MS.find((boundary) => truth <= boundary) ?? NaN;
        const lower = BOUNDARIES_MS.filter((boundary) => boundary < truth).at(-1) ?? 0;
        const found = RollUp.percentile(wait, share) ?? NaN;
        expect(found).toBeGreaterThanOrEqual(lower);
        expect(found).toBeLessThanOrEqual(upper);
      }),
    );
  });

  test("without any time there is no percentile, and a time past the last boundary counts as it", () => {
    expect(RollUp.percentile(RollUp.empty().wait, 0.5)).toBeNull();
    const late = RollUp.bucketOf({ kind: "assigned", at: 0, waitMs: 10 * DAY });
    expect(RollUp.percentile(late.wait, 0.99)).toBe(BOUNDARIES_MS.at(-1));
  });

  test.each([
    [0.5, 500_000],
    [-1, 0],
    [NaN, 0],
    [Infinity, 0],
    [0.0000005, 1],
  ])("%d dollars → %d millionths", (costUsd, micros) => {
    expect(RollUp.microsOf(costUsd)).toBe(micros);
  });
});

describe("the text for Prometheus", () => {
  const SAMPLE = /^fondation_[a-z_]+(\{[a-z]+="(\\.|[^"\\\n])*"\})? -?\d+(\.\d+)?(e[+-]?\d+)?$/;

  test("each line is HELP, TYPE or a sample of the family above it, and no family comes twice", () => {
    const hostile = attempt.map((fact) => ({ ...fact, model: 'a"b\\c\nd' }));
    fc.assert(
      fc.property(fc.array(fc.oneof(attempt, hostile)), (all) => {
        const text = prometheusText({
          total: sum(RollUp.fold("all", all).values()),
          states: { pending: 3 },
          sample: { pending: 3, held: 1, oldestMs: 1_500, executors: 1, slots: 2 },
          rolledAt: 1_000,
        });
        expect(text.endsWith("\n")).toBe(true);
        const families: string[] = [];
        for (const line of text.slice(0, -1).split("\n")) {
          const help = /^# HELP (\S+) \S/.exec(line)?.[1];
          if (help !== undefined) families.push(help);
          else if (line.startsWith("# TYPE ")) expect(line.split(" ")[2]).toBe(families.at(-1));
          else {
            expect(line).toMatch(SAMPLE);
            expect(line.startsWith(families.at(-1) ?? "?")).toBe(true);
          }
        }
        expect(new Set(families).size).toBe(families.length);
      }),
    );
  });

  test("the classes of a histogram add up, and the last one is all", () => {
    const total = sum(
      RollUp.fold("all", [
        { kind: "assigned", at: 0, waitMs: 70 },
        { kind: "assigned", at: 0, waitMs: 10 * DAY },
      ]).values(),
    );
    const text = prometheusText({ total, states: {}, sample: null, rolledAt: null });
    expect(text).toContain('fondation_job_wait_seconds_bucket{le="0.05"} 0\n');
    expect(text).toContain('fondation_job_wait_seconds_bucket{le="0.1"} 1\n');
    expect(text).toContain('fondation_job_wait_seconds_bucket{le="86400"} 1\n');
    expect(text).toContain('fondation_job_wait_seconds_bucket{le="+Inf"} 2\n');
    expect(text).toContain("fondation_job_wait_seconds_count 2\n");
    expect(text).toContain("fondation_job_wait_seconds_sum 864000.07\n");
  });
});

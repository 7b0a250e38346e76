/** What metrics add up, figure by figure. */
import { describe, expect, test } from "vitest";
import { prometheusText } from "../../convex/domain/prometheus.js";
import * as RollUp from "../../convex/domain/rollup.js";
import { BOUNDARIES_MS, type Fact, type Ranking } from "../../convex/protocol/metrics.js";
import { SPEND_KEY_CHARS_MAX } from "../../convex/protocol/limits.js";

const HOUR = 3_600_000;
const tokens = { input: 1, output: 2, cacheRead: 4, cacheCreation: 8 };
const attempt: Extract<Fact, { kind: "attempt" }> = {
  ...{ kind: "attempt", at: HOUR + 1, end: "failed", reason: "apiError", isRetried: true },
  ...{ runMs: 75, micros: 5, overshoot: 3, tokens, repository: "r", user: "u", model: "m" },
};

describe("metrics", () => {
  test("what each fact adds", () => {
    const nothing = RollUp.empty();
    expect(RollUp.figuresOf(nothing)).toMatchObject({
      ...{ submitted: 0, assigned: 0, retries: 0, costUsd: 0, overshootUsd: 0, reasons: [] },
      wait: { count: 0, meanMs: null, p50Ms: null },
      queue: { samples: 0, pendingMean: null, pendingMax: 0, oldestMsMax: 0 },
    });
    for (const { counts, sumMs } of [nothing.wait, nothing.run]) {
      expect([counts.length, counts.every((count) => count === 0), sumMs]).toEqual([
        BOUNDARIES_MS.length + 1,
        true,
        0,
      ]);
    }
    expect(nothing.users).toEqual({ top: [], other: { micros: 0, tokens: 0, attempts: 0 } });
    expect(nothing.tokens).toEqual({ input: 0, output: 0, cacheRead: 0, cacheCreation: 0 });
    expect(RollUp.bucketOf({ kind: "submitted", at: 1 })).toEqual({ ...nothing, submitted: 1 });
    const assigned = RollUp.bucketOf({ kind: "assigned", at: 1, waitMs: 50 });
    expect([assigned.assigned, assigned.wait.counts[0], assigned.wait.sumMs]).toEqual([1, 1, 50]);
    expect(RollUp.bucketOf({ kind: "job", at: 1, state: "failed" }).jobs).toEqual({
      ...{ succeeded: 0, failed: 1, canceled: 0 },
    });
    const ended = RollUp.bucketOf(attempt);
    expect(ended.users.top).toEqual([{ key: "u", micros: 5, tokens: 15, attempts: 1 }]);
    expect([ended.retries, ended.run.counts[1], ended.run.sumMs, ended.overshoot]).toEqual([
      1, 1, 75, 3,
    ]);
    expect(ended.reasons).toEqual([{ reason: "apiError", count: 1 }]);
    const { reason, runMs, ...bare } = attempt;
    const short = RollUp.bucketOf({ ...bare, isRetried: false, user: "u".repeat(999) });
    expect([reason, runMs, short.reasons, short.run, short.retries]).toEqual([
      "apiError",
      75,
      [],
      nothing.run,
      0,
    ]);
    expect(short.users.top[0]?.key).toHaveLength(SPEND_KEY_CHARS_MAX);
    const long = RollUp.bucketOf({ ...attempt, runMs: 1e12 });
    expect(long.run.counts.at(-1)).toBe(1);
  });
  test("two buckets make their sum, and the largest of gauges", () => {
    const look = (n: number) =>
      RollUp.bucketOfSample({
        pending: n,
        held: 2 * n,
        oldestMs: 3 * n,
        executors: 4 * n,
        slots: 5 * n,
      });
    const both = RollUp.merge(look(2), RollUp.merge(RollUp.bucketOf(attempt), look(1)));
    const twice = RollUp.merge(both, RollUp.bucketOf(attempt));
    expect(RollUp.figuresOf(twice)).toMatchObject({
      retries: 2,
      costUsd: 0.00001,
      overshootUsd: 0.000006,
      attempts: { failed: 2 },
      reasons: [{ reason: "apiError", count: 2 }],
      run: { count: 2, meanMs: 75 },
      queue: {
        ...{ samples: 2, pendingMean: 1.5, pendingMax: 2, oldestMsMax: 6, heldMean: 3 },
        ...{ executorsMean: 6, slotsMean: 7.5 },
      },
    });
    const { overshoot, ...before } = RollUp.bucketOf(attempt);
    expect([overshoot, RollUp.merge(before, before).overshoot]).toEqual([3, 0]);
    expect(
      RollUp.merge(
        RollUp.bucketOf({ ...attempt, reason: "timedOut" }),
        RollUp.bucketOf(attempt),
      ).reasons.map(({ reason }) => reason),
    ).toEqual(["apiError", "timedOut"]);
  });
  test("the most spent on first, then by tokens, then by name; the rest together", () => {
    const row = (key: string, micros: number, count = 0) => ({
      key,
      micros,
      tokens: count,
      attempts: 1,
    });
    const ranking = (...top: Ranking["top"]): Ranking => ({
      top,
      other: { micros: 1, tokens: 1, attempts: 1 },
    });
    const merged = RollUp.mergeRankings(
      ranking(row("d", 1), row("a", 1), row("x", 5)),
      ranking(row("b", 1, 7), row("x", 5)),
      3,
    );
    expect(merged.top).toEqual([
      { key: "x", micros: 10, tokens: 0, attempts: 2 },
      row("b", 1, 7),
      row("a", 1),
    ]);
    expect(merged.other).toEqual({ micros: 3, tokens: 2, attempts: 3 });
  });
  test("a percentile lies evenly within its class", () => {
    const times = (counts: Record<number, number>) => ({
      sumMs: 0,
      counts: Array.from({ length: BOUNDARIES_MS.length + 1 }, (_, i) => counts[i] ?? 0),
    });
    expect(RollUp.percentile(times({}), 0.5)).toBeNull();
    const figures = RollUp.figuresOf({ ...RollUp.empty(), wait: times({ 0: 100 }) }).wait;
    expect([figures.p50Ms, figures.p95Ms, figures.p99Ms]).toEqual([25, 47.5, 49.5]);
    expect(RollUp.percentile(times({ 0: 2 }), 0.5)).toBe(25);
    expect(RollUp.percentile(times({ 0: 1, 2: 1 }), 1)).toBe(250);
    expect(RollUp.percentile(times({ 0: 1, 2: 3 }), 0.5)).toBe(150);
    expect(RollUp.percentile(times({ [BOUNDARIES_MS.length]: 1 }), 0.5)).toBe(86_400_000);
    expect(RollUp.percentile(times({ 3: 4 }), 0)).toBe(250);
  });
  test("gauges are in seconds, and those that nobody knows are left out", () => {
    const sample = { pending: 1, held: 2, oldestMs: 1_500, executors: 3, slots: 4 };
    const total = RollUp.empty();
    const text = prometheusText({ total, states: { pending: 1 }, sample, rolledAt: 2_500 });
    expect(text).toContain("fondation_oldest_pending_seconds 1.5\n");
    expect(text).toContain("fondation_rolled_up_timestamp_seconds 2.5\n");
    const bare = prometheusText({ total, states: {}, sample: null, rolledAt: null });
    expect(bare).not.toMatch(/oldest_pending|rolled_up/);
  });
  test("money in millionths; what is none counts as none; buckets begin at whole hours", () => {
    expect([0.0000015, 1, 0, -1, NaN, Infinity].map(RollUp.microsOf)).toEqual([
      2, 1_000_000, 0, 0, 0, 0,
    ]);
    expect([RollUp.startOf("hour", HOUR + 1), RollUp.startOf("all", HOUR)]).toEqual([HOUR, 0]);
    expect(
      [...RollUp.fold("hour", [attempt, attempt])].map(([start, { retries }]) => [start, retries]),
    ).toEqual([[HOUR, 2]]);
  });
});

import { SPEND_KEY_CHARS_MAX, SPEND_KEYS_MAX } from "../protocol/limits.js";
import {
  BOUNDARIES_MS,
  type Bucket,
  type Fact,
  type Figures,
  type Gauges,
  type Histogram,
  LEVEL_MS,
  type Level,
  type Percentiles,
  type Ranking,
  type Sample,
  type Spent,
} from "../protocol/metrics.js";

/**
 * The arithmetic of metrics. A bucket is a sum of facts, `merge` adds two buckets, and hours and days
 * are made of the same additions as minutes: in whatever order and batches the facts come, all counts
 * are the same. Only which keys of spending are named, and which fall into "other", may differ.
 */

const MICROS = 1_000_000;

/** A bucket in which nothing happened. */
export function empty(): Bucket {
  return {
    submitted: 0,
    assigned: 0,
    jobs: { succeeded: 0, failed: 0, canceled: 0 },
    attempts: { succeeded: 0, failed: 0, canceled: 0, interrupted: 0, expired: 0 },
    reasons: [],
    retries: 0,
    wait: emptyHistogram(),
    run: emptyHistogram(),
    micros: 0,
    overshoot: 0,
    tokens: { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 },
    repositories: emptyRanking(),
    users: emptyRanking(),
    models: emptyRanking(),
    gauges: {
      samples: 0,
      pendingSum: 0,
      pendingMax: 0,
      oldestMsMax: 0,
      heldSum: 0,
      executorsSum: 0,
      slotsSum: 0,
    },
  };
}

/** Start of the bucket of a level that a time falls into; days are those of UTC. */
export function startOf(level: Level, at: number): number {
  return level === "all" ? 0 : Math.floor(at / LEVEL_MS[level]) * LEVEL_MS[level];
}

/** What one fact adds. */
export function bucketOf(fact: Fact): Bucket {
  const one = empty();
  switch (fact.kind) {
    case "submitted":
      return { ...one, submitted: 1 };
    case "assigned":
      return { ...one, assigned: 1, wait: histogramOf(fact.waitMs) };
    case "job":
      return { ...one, jobs: { ...one.jobs, [fact.state]: 1 } };
    case "attempt": {
      const { reason, runMs, micros, overshoot, tokens } = fact;
      const all = tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation;
      const rankingOf = (key: string): Ranking => ({
        top: [{ key: key.slice(0, SPEND_KEY_CHARS_MAX), micros, tokens: all, attempts: 1 }],
        other: nothing,
      });
      return {
        ...one,
        attempts: { ...one.attempts, [fact.end]: 1 },
        reasons: reason === undefined ? [] : [{ reason, count: 1 }],
        retries: fact.isRetried ? 1 : 0,
        run: runMs === undefined ? one.run : histogramOf(runMs),
        micros,
        overshoot,
        tokens,
        repositories: rankingOf(fact.repository),
        users: rankingOf(fact.user),
        models: rankingOf(fact.model),
      };
    }
  }
}

/** A look at the queue as a bucket. */
export function bucketOfSample(sample: Sample): Bucket {
  const { pending, held, oldestMs, executors, slots } = sample;
  const gauges: Gauges = {
    samples: 1,
    pendingSum: pending,
    pendingMax: pending,
    oldestMsMax: oldestMs,
    heldSum: held,
    executorsSum: executors,
    slotsSum: slots,
  };
  return { ...empty(), gauges };
}

/** Adds two buckets; at most `keysMax` keys of each kind of spending keep their name. */
export function merge(a: Bucket, b: Bucket, keysMax = SPEND_KEYS_MAX): Bucket {
  return {
    submitted: a.submitted + b.submitted,
    assigned: a.assigned + b.assigned,
    jobs: addFields(a.jobs, b.jobs),
    attempts: addFields(a.attempts, b.attempts),
    reasons: mergeReasons(a.reasons, b.reasons),
    retries: a.retries + b.retries,
    wait: mergeHistograms(a.wait, b.wait),
    run: mergeHistograms(a.run, b.run),
    micros: a.micros + b.micros,
    overshoot: (a.overshoot ?? 0) + (b.overshoot ?? 0),
    tokens: addFields(a.tokens, b.tokens),
    repositories: mergeRankings(a.repositories, b.repositories, keysMax),
    users: mergeRankings(a.users, b.users, keysMax),
    models: mergeRankings(a.models, b.models, keysMax),
    gauges: {
      ...addFields(a.gauges, b.gauges),
      pendingMax: Math.max(a.gauges.pendingMax, b.gauges.pendingMax),
      oldestMsMax: Math.max(a.gauges.oldestMsMax, b.gauges.oldestMsMax),
    },
  };
}

/** The facts of each bucket of a level, added up. */
export function fold(level: Level, facts: readonly Fact[]): Map<number, Bucket> {
  const byStart = new Map<number, Bucket>();
  for (const fact of facts) {
    const start = startOf(level, fact.at);
    byStart.set(start, merge(byStart.get(start) ?? empty(), bucketOf(fact)));
  }
  return byStart;
}

/** The most spent on first; equal amounts in the order of their keys. What exceeds the bound goes into "other". */
export function mergeRankings(a: Ranking, b: Ranking, keysMax: number): Ranking {
  const byKey = new Map<string, Spent>();
  for (const { key, micros, tokens, attempts } of [...a.top, ...b.top]) {
    byKey.set(key, addFields(byKey.get(key) ?? nothing, { micros, tokens, attempts }));
  }
  const rows = [...byKey].map(([key, spent]) => ({ key, ...spent }));
  rows.sort((x, y) => y.micros - x.micros || y.tokens - x.tokens || (x.key < y.key ? -1 : 1));
  const other = rows
    .slice(keysMax)
    .reduce<Spent>(
      (sum, { micros, tokens, attempts }) => addFields(sum, { micros, tokens, attempts }),
      addFields(a.other, b.other),
    );
  return { top: rows.slice(0, keysMax), other };
}

/** Which class of a histogram a time falls into. */
function classOf(ms: number): number {
  const index = BOUNDARIES_MS.findIndex((boundary) => ms <= boundary);
  return index === -1 ? BOUNDARIES_MS.length : index;
}

function histogramOf(ms: number): Histogram {
  const { counts } = emptyHistogram();
  counts[classOf(ms)] = 1;
  return { counts, sumMs: ms };
}

/**
 * The time that a share of all times does not exceed: taken to lie evenly within its class, so it is
 * exact to the class. Times above the last boundary count as that boundary. Null without any time.
 */
export function percentile({ counts }: Histogram, share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const lower = i === 0 ? 0 : (BOUNDARIES_MS[i - 1] ?? 0);
      const upper = BOUNDARIES_MS[i] ?? lower;
      return lower + (upper - lower) * Math.max(0, (rank - below) / count);
    }
    below += count;
  }
  return BOUNDARIES_MS.at(-1) ?? null;
}

/** A bucket as people read it. */
export function figuresOf(bucket: Bucket): Figures {
  const { submitted, assigned, jobs, attempts, reasons, retries, tokens, gauges } = bucket;
  const mean = (sum: number) => (gauges.samples === 0 ? null : sum / gauges.samples);
  return {
    ...{ submitted, assigned, jobs, attempts, reasons, retries, tokens },
    wait: percentilesOf(bucket.wait),
    run: percentilesOf(bucket.run),
    costUsd: dollars(bucket.micros),
    overshootUsd: dollars(bucket.overshoot ?? 0),
    queue: {
      samples: gauges.samples,
      pendingMean: mean(gauges.pendingSum),
      pendingMax: gauges.pendingMax,
      oldestMsMax: gauges.oldestMsMax,
      heldMean: mean(gauges.heldSum),
      executorsMean: mean(gauges.executorsSum),
      slotsMean: mean(gauges.slotsSum),
    },
  };
}

export const dollars = (micros: number): number => micros / MICROS;
/** Millionths of a dollar; what is no amount of money counts as none. */
export const microsOf = (costUsd: number): number =>
  Number.isFinite(costUsd) && costUsd > 0 ? Math.round(costUsd * MICROS) : 0;

function percentilesOf(times: Histogram): Percentiles {
  const count = times.counts.reduce((sum, n) => sum + n, 0);
  return {
    count,
    meanMs: count === 0 ? null : times.sumMs / count,
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95),
    p99Ms: percentile(times, 0.99),
  };
}

const nothing: Spent = { micros: 0, tokens: 0, attempts: 0 };

function emptyHistogram(): Histogram {
  return { counts: Array.from({ length: BOUNDARIES_MS.length + 1 }, () => 0), sumMs: 0 };
}

function emptyRanking(): Ranking {
  return { top: [], other: nothing };
}

function mergeHistograms(a: Histogram, b: Histogram): Histogram {
  return {
    counts: a.counts.map((count, i) => count + (b.counts[i] ?? 0)),
    sumMs: a.sumMs + b.sumMs,
  };
}

function mergeReasons(a: Bucket["reasons"], b: Bucket["reasons"]): Bucket["reasons"] {
  const byReason = new Map(a.map(({ reason, count }) => [reason, count]));
  for (const { reason, count } of b) byReason.set(reason, (byReason.get(reason) ?? 0) + count);
  return [...byReason]
    .map(([reason, count]) => ({ reason, count }))
    .sort((x, y) => (x.reason < y.reason ? -1 : 1));
}

/** Adds numbers field by field. */
function addFields<T extends Record<string, number>>(a: T, b: T): T {
  const entries = Object.keys(a).map((key) => [key, (a[key] ?? 0) + (b[key] ?? 0)] as const);
  // The same keys with the same type of values, so still a T.
  return Object.fromEntries(entries) as T;
}

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import * as RollUp from "../../convex/domain/rollup.js";
import { ROLLUP_EVENTS_MAX } from "../../convex/protocol/limits.js";
import type { Assignment } from "../../convex/protocol/executor.js";
import {
  aReport,
  assigned,
  failed,
  finish,
  START,
  started,
  World,
  type Executor,
} from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

async function tick() {
  await world.settle();
  await world.t.mutation(internal.metrics.tick, {});
  await world.settle();
}

/** Counts everything anew from the rows, without any of the code that rolls up. */
async function recount() {
  return world.t.run(async (ctx) => {
    const events = await ctx.db.query("events").collect();
    const ended = await ctx.db.query("attempts").collect();
    const jobs = await ctx.db.query("jobs").collect();
    const count = <T>(rows: T[], of: (row: T) => string | undefined) => {
      const counts: Record<string, number> = {};
      for (const row of rows) {
        const key = of(row);
        if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
      }
      return counts;
    };
    const into = (to: string) => events.filter((e) => e.to === to && e.from !== to).length;
    const live = jobs.filter((j) => !["succeeded", "failed", "canceled"].includes(j.state.kind));
    return {
      submitted: jobs.length,
      assigned: jobs.reduce((sum, job) => sum + job.attempt, 0),
      jobs: { succeeded: into("succeeded"), failed: into("failed"), canceled: into("canceled") },
      attempts: count(ended, (a) => a.end.kind),
      reasons: count(ended, (a) => a.end.reason),
      runs: ended.filter((a) => a.startedAt !== undefined).length,
      runMs: ended.reduce((ms, a) => ms + a.end.at - (a.startedAt ?? a.end.at), 0),
      micros: ended.reduce((n, a) => n + Math.round((a.report?.costUsd ?? 0) * 1e6), 0),
      output: ended.reduce((n, a) => n + (a.report?.tokens.output ?? 0), 0),
      states: count(live, (j) => j.state.kind),
    };
  });
}

/** What the roll-up says of the same, by the buckets of one level. */
async function rolledUp(level: "minute" | "hour" | "day" | "all") {
  return world.t.run(async (ctx) => {
    const rows = (await ctx.db.query("metrics").collect()).filter((row) => row.level === level);
    const row = await ctx.db.query("rollUp").first();
    const sum = (of: (row: (typeof rows)[number]) => number) =>
      rows.reduce((total, r) => total + of(r), 0);
    const nonZero = (counts: Record<string, number>) =>
      Object.fromEntries(Object.entries(counts).filter(([, n]) => n !== 0));
    const reasons: Record<string, number> = {};
    for (const { reason, count } of rows.flatMap((r) => r.reasons)) {
      reasons[reason] = (reasons[reason] ?? 0) + count;
    }
    const kinds = ["succeeded", "failed", "canceled", "interrupted", "expired"] as const;
    return {
      submitted: sum((r) => r.submitted),
      assigned: sum((r) => r.assigned),
      jobs: {
        succeeded: sum((r) => r.jobs.succeeded),
        failed: sum((r) => r.jobs.failed),
        canceled: sum((r) => r.jobs.canceled),
      },
      attempts: nonZero(
        Object.fromEntries(kinds.map((kind) => [kind, sum((r) => r.attempts[kind])])),
      ),
      reasons,
      runs: sum((r) => r.run.counts.reduce((a, b) => a + b, 0)),
      runMs: sum((r) => r.run.sumMs),
      micros: sum((r) => r.micros),
      output: sum((r) => r.tokens.output),
      states: nonZero(row?.states ?? {}),
    };
  });
}

const step = fc.oneof(
  fc.record({ do: fc.constant("submit" as const) }),
  fc.record({ do: fc.constant("start" as const) }),
  fc.record({
    do: fc.constant("succeed" as const),
    costUsd: fc.double({ min: 0, max: 3, noNaN: true }),
  }),
  fc.record({
    do: fc.constant("fail" as const),
    reason: fc.constantFrom("cliError" as const, "cloneDenied" as const, "timedOut" as const),
  }),
  fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }),
  fc.record({ do: fc.constant("retry" as const), which: fc.nat(20) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.nat(90_000) }),
  fc.record({ do: fc.constant("tick" as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const claimOf = ({ jobId, token }: Assignment) => ({ jobId, token });

/** Does one thing, if it can be done just now. */
async function act(executor: Executor, jobIds: Id<"jobs">[], s: Step) {
  const held = await assigned(executor);
  const running = held.find((a) => a.started && !a.cancelRequested);
  switch (s.do) {
    case "submit":
      jobIds.push(await world.submit());
      return;
    case "start": {
      const waiting = held.find((a) => !a.started);
      if (waiting === undefined) return;
      await executor.mutation(api.executors.start, claimOf(waiting));
      return;
    }
    case "succeed":
      if (running === undefined) return;
      await executor.mutation(api.executors.finish, {
        ...claimOf(running),
        outcome: { kind: "succeeded" },
        report: { ...aReport, costUsd: s.costUsd, model: "opus" },
      });
      return;
    case "fail":
      if (running === undefined) return;
      await finish(executor, claimOf(running), failed(s.reason));
      return;
    case "cancel":
    case "retry":
      return byPerson(jobIds[s.which % Math.max(1, jobIds.length)], s.do);
    case "wait":
      await world.advance(s.ms);
      await executor.mutation(api.executors.heartbeat, {
        held: held.map(claimOf),
      });
      return;
    case "tick":
      await tick();
  }
}

/** Cancels or retries a job, if its state allows that. */
async function byPerson(jobId: Id<"jobs"> | undefined, what: "cancel" | "retry") {
  if (jobId === undefined) return;
  const { kind } = (await world.job(jobId)).state;
  const isRetryable = kind === "failed" || kind === "canceled";
  const operator = await world.user("operator");
  if (what === "retry" && isRetryable) await operator.mutation(api.jobs.retry, { jobId });
  if (what === "cancel" && !isRetryable && kind !== "succeeded") {
    await operator.mutation(api.jobs.cancel, { jobId });
  }
}

describe("the roll-up", () => {
  test("for any history, minutes, hours, days and the total agree with a full recount", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        world = await World.make();
        const executor = await world.executor("one", 2, 40_000);
        const jobIds: Id<"jobs">[] = [];
        for (const s of steps) await act(executor, jobIds, s);
        await tick();
        const truth = await recount();
        for (const level of ["minute", "hour", "day", "all"] as const) {
          expect([level, await rolledUp(level)]).toEqual([level, truth]);
        }
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  test("events of one transaction that do not fit a batch are each counted once", async () => {
    const jobs = ROLLUP_EVENTS_MAX + 40;
    await world.t.run(async (ctx) => {
      const spec = { repository: { kind: "local" as const, path: "/r" }, ref: "HEAD", limits: {} };
      const promptId = await ctx.db.insert("prompts", { text: "x" });
      for (let i = 0; i < jobs; i += 1) {
        const rest = { submittedBy: "user:a", priority: 5, attempt: 0, token: 0, attemptsMax: 1 };
        const counts = { lane: "", rank: 0, charged: 0, interruptions: 0, failures: [], events: 1 };
        const state = { kind: "canceled" as const, endedAt: 1 };
        const jobId = await ctx.db.insert("jobs", { spec, promptId, ...rest, ...counts, state });
        const event = { seq: 0, at: Date.now(), cause: "submit", from: "none", to: "pending" };
        const who = { actor: "user:a", attempt: 0, token: 0 };
        await ctx.db.insert("events", { jobId, ...event, ...who, ts: ctx.db.vars.commitTs });
      }
    });
    await tick();
    expect(await rolledUp("all")).toMatchObject({ submitted: jobs, states: { pending: jobs } });
  });

  test("a run that was overtaken by the next does nothing", async () => {
    await world.submit();
    await tick();
    const before = await world.everything();
    await world.t.mutation(internal.metrics.rollUp, { generation: 0 });
    expect(await world.everything()).toEqual(before);
  });

  test("an event that commits late, with an earlier clock, is counted all the same", async () => {
    await world.submit();
    await tick();
    vi.setSystemTime(Date.now() - 5 * 60_000);
    await world.submit();
    vi.setSystemTime(Date.now() + 5 * 60_000);
    await tick();
    expect(await rolledUp("minute")).toMatchObject({ submitted: 2 });
  });
});

describe("what people read", () => {
  /** One job that waited a minute and ran for two, and one still pending. */
  async function history() {
    await world.submit();
    await world.advance(60_000);
    const executor = await world.executor("one", 1, 600_000);
    await started(executor);
    await world.submit();
    await world.advance(120_000);
    await executor.mutation(api.executors.goOffline, {});
  }

  test("series: one point a bucket without gaps, the last one in progress, for each range", async () => {
    const viewer = await world.user("viewer");
    expect((await viewer.query(api.metrics.series, { range: "hour" })).points).toEqual([]);
    await world.submit();
    await tick();
    for (const [range, buckets] of Object.entries({
      hour: 60,
      day: 24,
      week: 168,
      month: 30,
      quarter: 90,
    }) as ["hour" | "day" | "week" | "month" | "quarter", number][]) {
      const { points, bucketMs, rolledAt } = await viewer.query(api.metrics.series, { range });
      expect(points).toHaveLength(buckets);
      const steps = points.slice(1).map((point, i) => point.start - (points[i]?.start ?? 0));
      expect(new Set(steps)).toEqual(new Set([bucketMs]));
      const last = points.at(-1);
      expect((last?.start ?? 0) <= (rolledAt ?? 0)).toBe(true);
      expect(last).toMatchObject({ submitted: 1 });
    }
  });

  test("summary: percentiles, and means of what was seen at each tick", async () => {
    await history();
    await tick();
    const viewer = await world.user("viewer");
    const { figures } = await viewer.query(api.metrics.summary, { range: "hour" });
    expect(figures).toMatchObject({ submitted: 2, assigned: 1, retries: 1 });
    expect(figures.attempts).toMatchObject({ interrupted: 1 });
    expect(figures.reasons).toEqual([{ reason: "shutdown", count: 1 }]);
    expect(figures.wait).toMatchObject({ count: 1, meanMs: 60_000 });
    expect(figures.run.meanMs).toBe(120_000);
    expect(figures.queue).toMatchObject({ samples: 1, pendingMax: 0, executorsMean: 0 });
    await tick();
    const again = await viewer.query(api.metrics.summary, { range: "hour" });
    expect(again.figures.queue).toMatchObject({ samples: 2, pendingMean: 1, oldestMsMax: 120_000 });
  });

  test("now: depth and age of the oldest are read live, states as of the roll-up", async () => {
    const viewer = await world.user("viewer");
    const since = Date.now();
    await world.submit();
    await world.advance(5_000);
    await world.submit({ priority: 1 });
    expect(await viewer.query(api.metrics.now, {})).toEqual({
      rolledAt: null,
      states: {},
      pendingUpTo: 2,
      oldestPendingSince: since,
      executorsOnline: 0,
      slots: 0,
    });
    await tick();
    const now = await viewer.query(api.metrics.now, {});
    expect(now).toMatchObject({ rolledAt: Date.now(), states: { pending: 2 } });
  });

  test("spend: by repository, user and model, in dollars", async () => {
    const executor = await world.executor("one", 1);
    await world.submit();
    await finish(executor, await started(executor), { kind: "succeeded" });
    await tick();
    const viewer = await world.user("viewer");
    const spend = await viewer.query(api.metrics.spend, { range: "quarter" });
    expect(spend.costUsd).toBe(0.5);
    const row = { costUsd: 0.5, tokens: 10, attempts: 1 };
    expect(spend.repositories.top).toEqual([{ key: "github.com/octo/hello", ...row }]);
    expect(spend.users.top).toEqual([{ key: "operator", ...row }]);
    expect(spend.models.top).toEqual([{ key: "unknown", ...row }]);
    expect(spend.points.at(-1)).toMatchObject({ costUsd: 0.5, tokens: 10 });
  });

  test("an hour, a day and ninety days are read within the same bound, however much is kept", async () => {
    const day = 86_400_000;
    const viewer = await world.user("viewer");
    await world.submit();
    await tick();
    await world.t.run(async (ctx) => {
      for (let i = 1; i <= 200; i += 1) {
        const bucket = { ...RollUp.empty(), submitted: 1 };
        await ctx.db.insert("metrics", { ...bucket, level: "day", start: START - i * day });
      }
    });
    const { points } = await viewer.query(api.metrics.series, { range: "quarter" });
    expect(points.reduce((sum, point) => sum + point.submitted, 0)).toBe(90);
  });
});

describe("GET /api/metrics", () => {
  const get = (authorization?: string) =>
    world.t.fetch(
      "/api/metrics",
      authorization === undefined ? {} : { headers: { authorization } },
    );

  test("without METRICS_TOKEN it does not exist", async () => {
    const response = await get("Bearer x");
    expect(response.status).toBe(404);
    expect(await response.text()).toContain("METRICS_TOKEN");
  });

  test.each([undefined, "Bearer wrong", "Basic secret", "Bearer ", "secret"])(
    "authorization %s is refused",
    async (authorization) => {
      vi.stubEnv("METRICS_TOKEN", "secret");
      expect((await get(authorization)).status).toBe(401);
    },
  );

  test("the right token gets the counts in Prometheus' text format", async () => {
    vi.stubEnv("METRICS_TOKEN", "secret");
    await world.submit();
    await tick();
    const response = await get("Bearer secret");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text).toContain("# TYPE fondation_jobs_submitted_total counter\n");
    expect(text).toContain("fondation_jobs_submitted_total 1\n");
    expect(text).toContain('fondation_jobs{state="pending"} 1\n');
  });
});

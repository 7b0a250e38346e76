import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { internal } from "../../convex/_generated/api.js";
import { isTerminal } from "../../convex/domain/lifecycle.js";
import * as Recount from "../../convex/model/recount.js";
import { RECOUNT_JOBS } from "../../convex/protocol/limits.js";
import type { Recount as Place } from "../../convex/protocol/selfAudit.js";
import { World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const tick = () => world.t.mutation(internal.metrics.tick, {});
const begin = () => world.t.run((ctx) => Recount.begin(ctx));
const step = (from: Place, sizes: { jobs: number; events: number }) =>
  world.t.run((ctx) => Recount.step(ctx, from, sizes));

/** Live jobs by state, counted in one go. */
async function truth(): Promise<Record<string, number>> {
  const jobs = await world.t.run((ctx) => ctx.db.query("jobs").collect());
  const counts: Record<string, number> = {};
  for (const { kind } of jobs.map((job) => job.state)) {
    if (!isTerminal(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
const present = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));

describe("a recount of live jobs", { timeout: 30_000 }, () => {
  test("beyond what one step takes: goes on until all are counted, and finds what is wrong", async () => {
    await world.executor("one", 1, 900_000);
    const jobId = await world.submit();
    await world.settle();
    const extra = RECOUNT_JOBS + 1;
    await world.t.run(async (ctx) => {
      const row = await ctx.db.get("jobs", jobId);
      if (row === null) throw new Error("no job");
      const { _id, _creationTime, held, slot, live, deadlineAt, ...job } = row;
      const state = { kind: "waiting", reason: "approval", since: 1 } as const;
      for (let i = 0; i < extra; i += 1) await ctx.db.insert("jobs", { ...job, state });
      return [_id, _creationTime, held, slot, live, deadlineAt].length;
    });
    await tick();
    const progress = await world.t.run((ctx) => ctx.db.query("rollUp").first());
    if (progress === null) throw new Error("no roll-up");
    const set = (waiting: number) =>
      world.t.run((ctx) =>
        ctx.db.patch("rollUp", progress._id, { states: { ...progress.states, waiting } }),
      );
    const pages = async () => {
      const seen = [await world.t.query(internal.selfAudit.check, { part: "counters" })];
      for (let page = seen[0]; page !== undefined && !page.isDone; page = seen.at(-1)) {
        const { cursor } = page;
        seen.push(await world.t.query(internal.selfAudit.check, { part: "counters", cursor }));
      }
      return seen;
    };
    await set(extra);
    const right = await pages();
    expect(right.map(({ violations }) => violations)).toEqual([[], []]);
    expect(right.reduce((sum, { checked }) => sum + checked, 0)).toBe(extra + 1);
    await set(extra - 1);
    expect((await pages()).at(-1)?.violations).toMatchObject([
      { invariant: "countersRight", id: "waiting" },
    ]);
    const recount = (repair: boolean) => world.t.action(internal.metrics.recount, { repair });
    const jobs = { assigned: 1, waiting: extra };
    expect(await recount(false)).toMatchObject({ jobs, off: { waiting: -1 } });
    expect(await recount(true)).toMatchObject({ jobs, off: { waiting: -1 } });
    expect(await recount(false)).toMatchObject({ jobs, off: {} });
  });

  test("jobs that come, change and end between its steps: it is exact at its last one", async () => {
    const act = fc.constantFrom("submit", "cancel", "retry", "hold", "release", "tick");
    const between = fc.array(fc.tuple(act, fc.nat()), { maxLength: 4 });
    const sizes = fc.record({
      jobs: fc.integer({ min: 1, max: 4 }),
      events: fc.integer({ min: 1, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(between, { maxLength: 12 }), sizes, async (pauses, size) => {
        world = await World.make();
        await world.executor("one", 2, 900_000);
        for (let i = 0; i < 6; i += 1) await world.submit();
        await tick();
        let at = await begin();
        if (at === null) throw new Error("no roll-up");
        let isDone = false;
        for (let steps = 0; !isDone; steps += 1) {
          for (const [name, n] of pauses[steps] ?? []) await happen(name, n);
          ({ recount: at, isDone } = await step(at, size));
          expect(steps).toBeLessThan(200);
        }
        const now = await truth();
        expect(present(at.counts)).toEqual(now);
        expect(present(at.counters)).toEqual(now);
      }),
      { numRuns: 12 },
    );
  });
});

const ACTIONS = {
  cancel: internal.admin.cancelJob,
  retry: internal.admin.retryJob,
  hold: internal.admin.holdJob,
  release: internal.admin.releaseJob,
};

/** What people and crons do; a refusal is theirs. */
async function happen(name: string, n: number): Promise<void> {
  if (name === "tick") await tick();
  if (name === "submit") await world.submit();
  if (!(name in ACTIONS)) return;
  const jobs = await world.t.run((ctx) => ctx.db.query("jobs").collect());
  const job = jobs[n % jobs.length];
  if (job === undefined) return;
  // One of its names, by the line above.
  const act = ACTIONS[name as keyof typeof ACTIONS];
  await world.t.mutation(act, { jobId: job._id }).catch(() => undefined);
  await world.settle();
}

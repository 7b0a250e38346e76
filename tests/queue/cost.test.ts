import { afterAll, beforeAll, describe, expect, test } from "vitest";
import path from "node:path";
import { api } from "../../convex/_generated/api.js";
import { costOf } from "../bench/queue/figures.js";
import { burst, BURST_JOBS, live, LIFE_NAMES, type LifeName } from "../bench/queue/lives.js";
import type { Run } from "../bench/queue/meter.js";
import { Place } from "../bench/queue/place.js";

const root = path.resolve(import.meta.dirname, "../..");

/**
 * Function calls, documents read and documents written of each life: exact, and no aims. Whoever makes
 * one dearer says why where this is changed; where they come from, docs/cost.md and `npm run bench:queue`
 * tell.
 */
const COSTS: Record<LifeName, [calls: number, read: number, written: number]> = {
  "straight success": [6, 20, 12],
  "success with two phases and two log batches": [12, 36, 16],
  "success with 30 log batches and 20 heartbeats": [66, 252, 78],
  "one retry, then success": [16, 61, 29],
  "reclaimed from a dead executor, then success": [16, 67, 32],
  "its executor registers again, then success": [12, 54, 27],
  "canceled while it runs": [8, 29, 16],
};

let place: Place;
beforeAll(async () => {
  place = await Place.open({ root, dataDir: null });
});
afterAll(() => place.close());

const brief = (runs: readonly Run[]) => {
  const { calls, read, written, conflicts } = costOf(runs);
  expect(conflicts).toBe(0);
  return [calls, read, written];
};

describe("what a job costs, counted by the engine", () => {
  test.each(LIFE_NAMES)("%s", async (name) => {
    expect(brief(await live(place, name))).toEqual(COSTS[name]);
  });

  test("beside jobs whose labels nobody has: the same, once a pass has seen that none fits", async () => {
    const job = { repository: "octo/hello", prompt: "x", concurrencyKey: null, labels: ["nobody"] };
    const person = place.person("waiting");
    const { jobId } = await place.mutation(api.jobs.submit, job, person);
    await live(place, "straight success");
    expect(brief(await live(place, "straight success"))).toEqual(COSTS["straight success"]);
    await place.mutation(api.jobs.cancel, { jobId }, person);
    await live(place, "straight success");
  });

  test("a heartbeat re-runs no subscription, and costs the same every time", async () => {
    const executor = await place.executor("beating", { slots: 4 });
    place.meter.take();
    await executor.heartbeat([]);
    await place.settle();
    const [first, ...more] = place.meter.take();
    expect(more).toEqual([]);
    // The lease, and the same again before its patch.
    expect(first).toMatchObject({ read: { leases: 2 }, written: { leases: 1 } });
    expect(Object.keys(first?.read ?? {})).toEqual(["leases"]);
    await executor.goOffline();
  });

  test("64 jobs at once over eight executors of eight slots: at most these for each job", async () => {
    const { read, written, conflicts } = costOf(await burst(place, { slots: 8 }));
    expect(conflicts).toBe(0);
    expect(read / BURST_JOBS).toBeLessThanOrEqual(25);
    expect(written / BURST_JOBS).toBeLessThanOrEqual(14.2);
  });
});

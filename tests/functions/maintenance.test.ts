import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { START_DEADLINE_MS } from "../../convex/protocol/limits.js";
import { assigned, finish, onlyAssignment, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const timer = () => world.t.run((ctx) => ctx.db.query("timer").first());

test("a lease runs out → executor lost, its attempts expired, another executor finishes the job", async () => {
  const lost = await world.executor("lost", 1);
  const jobId = await world.submit();
  const stale = await started(lost);
  const other = await world.executor("other", 1);
  await world.advance(20_000);
  await other.mutation(api.executors.heartbeat, { held: [] });
  await world.advance(10_000);
  const { attempt } = await onlyAssignment(other);
  expect(attempt).toBe(2);
  await finish(other, await started(other), { kind: "succeeded" });
  expect(await world.job(jobId)).toMatchObject({ state: { kind: "succeeded" }, interruptions: 1 });
  await expect(finish(lost, stale, { kind: "succeeded" })).rejects.toThrow("STALE_LEASE");
  const viewer = await world.user("viewer");
  const [latest, first] = await viewer.query(api.jobs.attempts, { jobId });
  expect(latest?.end).toMatchObject({ kind: "succeeded" });
  expect(first?.end).toMatchObject({ kind: "expired", reason: "leaseExpired", charged: false });
  const executors = await viewer.query(api.executors.list, {});
  expect(executors.map((e) => [e.name, e.presence])).toEqual([
    ["other", "online"],
    ["lost", "lost"],
  ]);
});

test("a renewed lease is not taken back, and the timer moves on to its new end", async () => {
  const executor = await world.executor("one", 1);
  await world.submit();
  const claim = await started(executor);
  for (let i = 0; i < 5; i += 1) {
    await world.advance(20_000);
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["continue"]);
  }
});

test("an assignment not started in time → taken back uncharged, given out again", async () => {
  const executor = await world.executor("one", 1, 600_000);
  const jobId = await world.submit();
  await world.advance(START_DEADLINE_MS);
  expect(await world.job(jobId)).toMatchObject({ charged: 0, interruptions: 1 });
  expect((await onlyAssignment(executor)).attempt).toBe(2);
});

test("an attempt out of time that its executor did not end → failed as timedOut, charged", async () => {
  const executor = await world.executor("one", 1, 900_000);
  const jobId = await world.submit({ timeoutMs: 60_000 });
  await started(executor);
  await world.advance(89_999);
  expect((await world.job(jobId)).state.kind).toBe("running");
  await world.advance(1);
  expect(await world.job(jobId)).toMatchObject({
    state: { kind: "backoff", reason: "timedOut" },
    charged: 1,
  });
});

test("reclaimExpired by hand does the same, and does nothing when there is nothing", async () => {
  const executor = await world.executor("one", 1);
  const jobId = await world.submit();
  await started(executor);
  vi.setSystemTime(Date.now() + 30_000);
  const acted = await world.t.mutation(internal.maintenance.reclaimExpired, {});
  expect(acted).toEqual({ leases: 1, jobs: 0 });
  expect((await world.job(jobId)).state.kind).toBe("pending");
  expect(await world.t.mutation(internal.maintenance.reclaimExpired, {})).toEqual({
    leases: 0,
    jobs: 0,
  });
});

test("the timer: armed earlier replaces, armed later leaves, without deadlines it is off", async () => {
  const executor = await world.executor("one", 1, 600_000);
  const before = await timer();
  expect(before?.nextAt).toBe(Date.now() + 600_000);
  await world.submit();
  const replaced = await timer();
  expect(replaced?.nextAt).toBe(Date.now() + START_DEADLINE_MS);
  expect(replaced?.generation).toBe((before?.generation ?? 0) + 1);
  await world.executor("two", 1, 700_000);
  expect(await timer()).toEqual(replaced);
  await executor.mutation(api.executors.goOffline, {});
  await world.advance(2_000_000);
  expect((await timer())?.nextAt).toBeNull();
});

test("a timer run of an older generation does nothing", async () => {
  const executor = await world.executor("one", 1);
  await world.submit();
  await started(executor);
  vi.setSystemTime(Date.now() + 60_000);
  const before = await world.everything();
  await world.t.mutation(internal.maintenance.wake, { generation: 0 });
  expect(await world.everything()).toEqual(before);
});

test("the net starts a dispatcher again whose pass never ran", async () => {
  await world.executor("one", 1);
  const jobId = await world.submit();
  await world.t.run(async (ctx) => {
    const row = await ctx.db.query("dispatcher").first();
    if (row === null) throw new Error("no dispatcher");
    await ctx.db.patch("dispatcher", row._id, { status: "scheduled", generation: 99 });
  });
  await world.advance(29_000);
  await world.t.mutation(internal.maintenance.reclaimExpired, {});
  const second = await world.submit();
  expect((await world.job(second)).state.kind).toBe("pending");
  await world.executor("two", 2);
  expect((await world.job(second)).state.kind).toBe("pending");
  vi.setSystemTime(Date.now() + 2_000);
  await world.t.mutation(internal.maintenance.reclaimExpired, {});
  await world.settle();
  expect((await world.job(second)).state.kind).toBe("assigned");
  expect((await world.job(jobId)).state.kind).not.toBe("failed");
});

test("a deadline that cannot be acted on is recorded and left alone; the others go on", async () => {
  const executor = await world.executor("one", 2, 900_000);
  const bad = await world.submit();
  const good = await world.submit();
  expect(await assigned(executor)).toHaveLength(2);
  // Without its record, the attempt cannot be ended.
  await world.t.run((ctx) => ctx.db.patch("jobs", bad, { live: undefined }));
  await world.advance(START_DEADLINE_MS);
  expect(await world.job(good)).toMatchObject({ interruptions: 1 });
  expect(await world.job(bad)).toMatchObject({ state: { kind: "assigned" }, interruptions: 0 });
  expect((await world.job(bad)).deadlineAt).toBeGreaterThan(Date.now());
  const lines = await world.t.run((ctx) => ctx.db.query("audit").collect());
  expect(lines.filter((line) => line.action === "sweep.failed")).toMatchObject([
    { target: `job ${bad}` },
  ]);
});

test("a lost executor gives up all attempts but one that cannot be ended", async () => {
  const executor = await world.executor("one", 2, 30_000);
  const bad = await world.submit({ timeoutMs: 3_600_000 });
  const good = await world.submit({ timeoutMs: 3_600_000 });
  for (const { jobId, token } of await assigned(executor)) {
    await executor.mutation(api.executors.start, { jobId, token });
  }
  await world.t.run((ctx) => ctx.db.patch("jobs", bad, { live: undefined }));
  await world.advance(30_000);
  expect(await world.job(good)).toMatchObject({ state: { kind: "pending" }, interruptions: 1 });
  expect((await world.job(bad)).state.kind).toBe("running");
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { assigned, finish, onlyAssignment, registration, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** A job that takes no turns with others of its repository. */
const FREE = { repository: "a/b", prompt: "x", concurrencyKey: null };

const dispatcher = () => world.t.run((ctx) => ctx.db.query("dispatcher").first());

test("twenty jobs over two executors with two slots each: never more than slots, each once", async () => {
  const executors = [await world.executor("one", 2), await world.executor("two", 2)];
  const jobs = [];
  for (let i = 0; i < 20; i += 1) jobs.push(await world.submit());
  const begun: string[] = [];
  for (let round = 0; round < 20 && begun.length < 20; round += 1) {
    for (const executor of executors) {
      const mine = await assigned(executor);
      expect(mine.length).toBeLessThanOrEqual(2);
      for (const { jobId, token } of mine) {
        await executor.mutation(api.executors.start, { jobId, token });
        begun.push(jobId);
        await finish(executor, { jobId, token }, { kind: "succeeded" });
      }
      await world.settle();
    }
  }
  expect(begun.sort()).toEqual(jobs.map(String).sort());
  for (const jobId of jobs) expect((await world.job(jobId)).state.kind).toBe("succeeded");
  expect(await world.t.run(async (ctx) => (await ctx.db.query("slots").collect()).length)).toBe(4);
});

test("work spreads over executors before it piles up on one", async () => {
  const one = await world.executor("one", 2);
  const two = await world.executor("two", 2);
  await world.submit();
  await world.submit();
  expect((await assigned(one)).length).toBe(1);
  expect((await assigned(two)).length).toBe(1);
});

test("a more urgent job goes first, then the order of submission", async () => {
  const third = await world.submit();
  const second = await world.submit({ priority: 4 });
  const first = await world.submit({ priority: 0 });
  const executor = await world.executor("one", 1);
  const order = [];
  for (let i = 0; i < 3; i += 1) {
    const { jobId, token } = await onlyAssignment(executor);
    order.push(jobId);
    await executor.mutation(api.executors.start, { jobId, token });
    await finish(executor, { jobId, token }, { kind: "succeeded" });
    await world.settle();
  }
  expect(order).toEqual([first, second, third]);
});

test("without slots a submit wakes nobody; without jobs a slot wakes nobody", async () => {
  await world.submit();
  expect(await dispatcher()).toMatchObject({ status: "needsSlots" });
  const { generation } = (await dispatcher()) ?? {};
  await world.submit();
  expect(await dispatcher()).toMatchObject({ status: "needsSlots", generation });
  await world.executor("one", 4);
  const asleep = await dispatcher();
  expect(asleep).toMatchObject({ status: "needsJobs" });
  await world.executor("two", 1);
  expect(await dispatcher()).toEqual(asleep);
});

test("a pass of an older generation does nothing", async () => {
  await world.executor("one", 1);
  await world.submit();
  const before = await world.everything();
  await world.t.mutation(internal.dispatch.pass, { generation: 1 });
  expect(await world.everything()).toEqual(before);
});

test("a heartbeat and a submit read at most 10 rows, with 150 jobs waiting", async () => {
  const limited = await World.make({ documentsRead: 10, documentsWritten: 10 });
  const executorId = await limited.enrol("one");
  const executor = limited.process(executorId, "boot-1", Date.now());
  await executor.mutation(api.executors.register, { registration: registration(1) });
  const operator = await limited.user("operator");
  for (let i = 0; i < 150; i += 1) {
    const args = { repository: "a/b", prompt: "x", idempotencyKey: `k${i}` };
    await operator.mutation(api.jobs.submit, args);
  }
  expect(await executor.mutation(api.executors.heartbeat, { held: [] })).toMatchObject({
    drain: false,
  });
});

test("every step of a life reads at most 30 rows and writes at most 12, with 150 jobs waiting", async () => {
  const limited = await World.make({ documentsRead: 30, documentsWritten: 12 });
  const executorId = await limited.enrol("one");
  const caller = limited.process(executorId, "boot-1", Date.now());
  const operator = await limited.user("operator");
  for (let i = 0; i < 150; i += 1) {
    await operator.mutation(api.jobs.submit, FREE);
  }
  await caller.mutation(api.executors.register, { registration: registration(2) });
  // The test's own look at what is scheduled would break the limit as history grows.
  for (let i = 0; i < 3; i += 1) {
    vi.advanceTimersByTime(0);
    await limited.t.finishInProgressScheduledFunctions();
  }
  const mine = await assigned(caller);
  expect(mine).toHaveLength(2);
  for (const { jobId, token } of mine) {
    const claim = { jobId, token };
    await caller.mutation(api.executors.start, claim);
    await caller.mutation(api.executors.phase, { ...claim, phase: "running" });
    await caller.mutation(api.executors.heartbeat, { held: [claim] });
    await finish(caller, claim, { kind: "succeeded" });
  }
  expect(await caller.query(api.executors.assignments, {})).toEqual([]);
});

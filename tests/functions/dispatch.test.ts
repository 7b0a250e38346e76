import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { assigned, finish, onlyAssignment, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

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

test("a pass reads the same number of rows with three jobs waiting and with three hundred", async () => {
  const submit = async (n: number) => {
    for (let i = 0; i < n; i += 1) {
      await world.t.mutation(internal.admin.submitJob, { repository: "a/b", prompt: "x" });
    }
  };
  const reads = async () =>
    world.t.query(internal.dispatch.candidates, {}).then((c) => c.jobs.length + c.slots.length);
  await world.t.run(async (ctx) => {
    await ctx.db.insert("dispatcher", { status: "needsSlots", generation: 1, since: Date.now() });
  });
  await world.executor("one", 2);
  await submit(5);
  await world.settle();
  await submit(3);
  const few = await reads();
  await submit(300);
  expect(await reads()).toBe(few);
});

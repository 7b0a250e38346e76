import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { BATCH_SIZE_MAX } from "../../convex/protocol/limits.js";
import { codeOf, failed, finish, started, World } from "./world.js";

let world: World;
let operator: Awaited<ReturnType<World["user"]>>;
beforeEach(async () => {
  world = await World.make();
  operator = await world.user("operator");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const over = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ repository: `octo/repo-${String(i)}` }));
async function submit(items: { repository: string; limits?: { model: string } }[]) {
  const batchId = await operator.mutation(api.batches.submit, { name: "b", prompt: "x", items });
  await world.settle();
  return batchId;
}

test("one prompt over many repositories: submitted in steps, summed up by state", async () => {
  const executor = await world.executor("box", 2, 900_000);
  const batchId = await submit(over(60));
  expect(await operator.query(api.batches.get, { batchId })).toMatchObject({
    size: 60,
    created: 60,
    states: { pending: 58, assigned: 2 },
    ended: false,
  });
  const [first] = await operator.query(api.batches.jobs, { batchId });
  expect(first).toMatchObject({ origin: `batch:${batchId}`, spec: { ref: "HEAD" } });
  expect(executor.executorId).toBeDefined();
  expect((await operator.query(api.batches.list, {})).map((b) => b.batchId)).toEqual([batchId]);
});

test("one repository over several models takes turns on its branch", async () => {
  await world.executor("box", 2);
  const models = ["opus", "sonnet"];
  const items = models.map((model) => ({ repository: "octo/hello", limits: { model } }));
  const batchId = await submit(items);
  const children = await operator.query(api.batches.jobs, { batchId });
  expect(children.map((job) => [job.spec.limits.model, job.state.kind])).toEqual([
    ["opus", "assigned"],
    ["sonnet", "waiting"],
  ]);
});

test("a step that was done before does nothing", async () => {
  const batchId = await submit(over(30));
  const before = await world.everything();
  await world.t.mutation(internal.batches.step, { batchId, from: 0 });
  expect(await world.everything()).toEqual(before);
});

test("cancel → no further jobs, those that were are canceled, and the batch has ended", async () => {
  const batchId = await operator.mutation(api.batches.submit, {
    name: "b",
    prompt: "x",
    items: over(60),
  });
  await operator.mutation(api.batches.cancel, { batchId });
  await world.settle();
  expect(await operator.query(api.batches.get, { batchId })).toMatchObject({
    created: 25,
    states: { canceled: 25 },
    ended: true,
  });
});

test("retry → the failed jobs go again, the others stay", async () => {
  const executor = await world.executor("box", 1, 900_000);
  const batchId = await submit(over(2));
  await finish(executor, await started(executor), failed("refNotFound"));
  await world.settle();
  await finish(executor, await started(executor), { kind: "succeeded" });
  await world.settle();
  expect(await operator.query(api.batches.get, { batchId })).toMatchObject({
    states: { failed: 1, succeeded: 1 },
    ended: true,
  });
  await operator.mutation(api.batches.retry, { batchId });
  await world.settle();
  expect(await operator.query(api.batches.get, { batchId })).toMatchObject({
    states: { assigned: 1, succeeded: 1 },
    ended: false,
  });
});

test.each([
  ["none", []],
  ["too many", over(BATCH_SIZE_MAX + 1)],
  ["a bad one among good ones", [...over(2), { repository: "--upload-pack=x" }]],
])("items: %s → INVALID_ARGUMENT, and nothing is left behind", async (_, items) => {
  const before = await world.everything();
  const call = operator.mutation(api.batches.submit, { name: "b", prompt: "x", items });
  expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
  expect(await world.everything()).toEqual(before);
});

test("what does not exist → NOT_FOUND", async () => {
  expect(await codeOf(operator.query(api.batches.get, { batchId: "x" }))).toBe("NOT_FOUND");
});

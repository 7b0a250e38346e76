import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { codeOf, World } from "./world.js";

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

async function submit(count: number, extra: { repository?: string; labels?: string[] } = {}) {
  const jobs: Id<"jobs">[] = [];
  for (let i = 0; i < count; i += 1) {
    const args = { repository: "a/b", prompt: "x", concurrencyKey: null, ...extra };
    jobs.push((await operator.mutation(api.jobs.submit, args)).jobId);
  }
  await world.settle();
  return jobs;
}
async function run(args: {
  action: "cancel" | "retry" | "hold" | "release" | "requeue";
  filter: {
    state?: string;
    repository?: string;
    label?: string;
    submittedBy?: string;
    to?: number;
  };
}) {
  const operationId = await operator.mutation(api.bulk.start, args);
  await world.settle();
  return operator.query(api.bulk.get, { operationId });
}
const states = async (jobs: Id<"jobs">[]) =>
  new Set(await Promise.all(jobs.map(async (jobId) => (await world.job(jobId)).state.kind)));

test("all jobs that meet the filter, page after page, with the outcome of each", async () => {
  const mine = await submit(120, { repository: "a/mine" });
  const others = await submit(3, { repository: "a/other" });
  const repository = "github.com/a/mine";
  const done = await run({ action: "cancel", filter: { repository } });
  expect(done).toMatchObject({ status: "done", looked: 123, done: 120, refused: 0 });
  expect(await states(mine)).toEqual(new Set(["canceled"]));
  expect(await states(others)).toEqual(new Set(["pending"]));
  const { operationId } = done;
  const paginationOpts = { numItems: 100, cursor: null };
  const outcomes = await operator.query(api.bulk.outcomes, { operationId, paginationOpts });
  expect(outcomes.page[0]).toEqual({ jobId: mine[0], ok: true, detail: "canceled" });
  expect(outcomes.page).toHaveLength(100);
});

test("jobs that change their state under the operation are each met once", async () => {
  const jobs = await submit(70);
  await run({ action: "cancel", filter: { state: "pending" } });
  const retried = await run({ action: "retry", filter: { state: "canceled" } });
  expect(retried).toMatchObject({ done: 70, refused: 0 });
  expect(await states(jobs)).toEqual(new Set(["pending"]));
});

test("a job that the table refuses is an outcome, not the end", async () => {
  const [canceled] = await submit(1);
  if (canceled === undefined) throw new Error("no job");
  const rest = await submit(2);
  await operator.mutation(api.jobs.cancel, { jobId: canceled });
  const done = await run({ action: "hold", filter: { submittedBy: "user:operator" } });
  expect(done).toMatchObject({ status: "done", done: 2, refused: 1 });
  expect(await states(rest)).toEqual(new Set(["waiting"]));
  const released = await run({ action: "release", filter: { state: "waiting" } });
  expect(released).toMatchObject({ done: 2 });
});

test("by label and time: jobs submitted after it began are not its concern", async () => {
  const early = await submit(1, { labels: ["gpu"] });
  await world.advance(1_000);
  const to = Date.now();
  await world.advance(1_000);
  const late = await submit(1, { labels: ["gpu"] });
  expect(await run({ action: "cancel", filter: { label: "gpu", to } })).toMatchObject({ done: 1 });
  expect(await states(early)).toEqual(new Set(["canceled"]));
  expect(await states(late)).toEqual(new Set(["pending"]));
});

test("a page that is asked for again does nothing; a canceled operation goes no further", async () => {
  const jobs = await submit(120);
  const filter = { state: "pending" };
  const operationId = await operator.mutation(api.bulk.start, { action: "cancel", filter });
  await world.t.mutation(internal.bulk.page, { operationId, page: 0 });
  const before = await world.everything();
  await world.t.mutation(internal.bulk.page, { operationId, page: 0 });
  expect(await world.everything()).toEqual(before);
  await operator.mutation(api.bulk.cancel, { operationId });
  await world.settle();
  expect(await operator.query(api.bulk.get, { operationId })).toMatchObject({
    status: "canceled",
    done: 50,
  });
  expect(await states(jobs)).toEqual(new Set(["canceled", "pending"]));
  expect(await operator.query(api.bulk.list, {})).toHaveLength(1);
});

test("an empty filter, or one that means nothing → INVALID_ARGUMENT", async () => {
  const start = (filter: object) => operator.mutation(api.bulk.start, { action: "cancel", filter });
  expect(await codeOf(start({}))).toBe("INVALID_ARGUMENT");
  expect(await codeOf(start({ state: "asleep" }))).toBe("INVALID_ARGUMENT");
  expect(await codeOf(operator.query(api.bulk.get, { operationId: "x" }))).toBe("NOT_FOUND");
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { CALM_MS, START_DEADLINE_MS } from "../../convex/protocol/limits.js";
import { auditEverything } from "./audit.js";
import { submitter, type Person } from "./submitting.js";
import { assigned, registration, World } from "./world.js";

let world: World;
let operator: Person;
let submit: ReturnType<typeof submitter>;
beforeEach(async () => {
  world = await World.make();
  operator = await world.user("operator");
  submit = submitter(world, operator);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const dispatcher = () => world.t.run((ctx) => ctx.db.query("dispatcher").first());
/** Submits without letting anything else happen. */
async function submitOnly(more: { concurrencyKey?: string; labels?: string[] } = {}) {
  const args = { repository: "a/b", prompt: "x", concurrencyKey: null, ...more };
  const { jobId } = await operator.mutation(api.jobs.submit, args);
  return world.job(jobId);
}
const calm = () => world.advance(2 * CALM_MS);

describe("while the dispatcher sleeps for want of jobs, a submission takes a slot itself", () => {
  test("one event, one attempt, and neither the dispatcher nor the timer is touched", async () => {
    const executor = await world.executor("one", 2);
    const asleep = await dispatcher();
    const timer = await world.t.run((ctx) => ctx.db.query("timer").first());
    const job = await submitOnly();
    expect(job).toMatchObject({ state: { kind: "assigned" }, attempt: 1, token: 1, slot: 0 });
    expect(await dispatcher()).toEqual(asleep);
    expect(await world.t.run((ctx) => ctx.db.query("timer").first())).toEqual(timer);
    const events = await operator.query(api.jobs.events, { jobId: job._id });
    expect(events).toMatchObject([
      { cause: "submit", from: "none", to: "assigned", token: 1, executorId: executor.executorId },
    ]);
    expect(await assigned(executor)).toMatchObject([{ jobId: job._id, token: 1 }]);
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test("also while jobs wait that no free slot fits", async () => {
    await submit({ labels: ["gpu"] });
    await world.executor("one");
    expect(await dispatcher()).toMatchObject({ status: "needsMatch" });
    await calm();
    expect((await submitOnly()).state.kind).toBe("assigned");
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test("its start deadline is kept: nobody starts it, and it is taken back", async () => {
    await world.executor("one", 1, 10 * START_DEADLINE_MS);
    const { _id } = await submitOnly();
    await world.advance(START_DEADLINE_MS);
    expect(await world.job(_id)).toMatchObject({ interruptions: 1 });
  });
});

describe("everything else is the dispatcher's", () => {
  test("a second submission within CALM_MS", async () => {
    await world.executor("one", 2);
    expect((await submitOnly()).state.kind).toBe("assigned");
    expect((await submitOnly()).state.kind).toBe("pending");
    expect(await dispatcher()).toMatchObject({ status: "scheduled" });
    await calm();
    await world.settle();
    expect((await submitOnly()).state.kind).toBe("pending");
  });

  test("no free slot", async () => {
    expect((await submitOnly()).state.kind).toBe("pending");
  });

  test("a paused queue", async () => {
    await world.executor("one");
    await operator.mutation(api.queue.pause, { reason: "test" });
    expect((await submitOnly()).state.kind).toBe("pending");
  });

  test("a limit of the whole queue", async () => {
    await world.executor("one");
    await operator.mutation(api.queue.setLimits, { running: 5 });
    await calm();
    expect((await submitOnly()).state.kind).toBe("pending");
  });

  test("a job that asks for labels, or slots that have some", async () => {
    await world.executor("one");
    expect((await submitOnly({ labels: ["gpu"] })).state.kind).toBe("pending");
    world = await World.make();
    operator = await world.user("operator");
    const caller = world.process(await world.enrol("gpu"), "boot-1", Date.now());
    const labels = ["gpu"];
    const labelled = { ...registration(1), labels };
    await caller.mutation(api.executors.register, { registration: labelled });
    await world.settle();
    expect((await submitOnly()).state.kind).toBe("pending");
  });

  test("a concurrency key that is used up", async () => {
    await world.executor("one", 2);
    expect((await submitOnly({ concurrencyKey: "k" })).state.kind).toBe("assigned");
    await calm();
    expect((await submitOnly({ concurrencyKey: "k" })).state.kind).toBe("waiting");
  });
});

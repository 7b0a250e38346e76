import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { runToEnd, submitter, type Person } from "./submitting.js";
import { codeOf, finish, started, World, type Executor } from "./world.js";

const SUCCEEDED = { kind: "succeeded" } as const;
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

const kindOf = async (jobId: Id<"jobs">) => (await world.job(jobId)).state.kind;
const kindsOf = async (jobIds: Id<"jobs">[]) => Promise.all(jobIds.map(kindOf));
const waiting = (jobId: Id<"jobs">) => operator.query(api.jobs.waiting, { jobId });
const runOne = (executor: Executor) => runToEnd(world, executor);

describe("dependencies", () => {
  test("a job waits until all it comes after have ended", async () => {
    const executor = await world.executor("box", 1, 600_000);
    const [one, two] = [await submit(), await submit()];
    const last = await submit({ after: [one, two] });
    expect(await waiting(last)).toMatchObject({ rule: "dependency", blockedBy: [one, two] });
    expect(await runOne(executor)).toBe(one);
    expect(await kindOf(last)).toBe("waiting");
    expect(await runOne(executor)).toBe(two);
    expect(await kindOf(last)).toBe("assigned");
  });

  test.each([
    ["cancel", "canceled"],
    ["hold", "waiting"],
    ["run", "pending"],
  ] as const)("one fails, policy %s → %s", async (onDependencyFailure, expected) => {
    const first = await submit();
    const second = await submit({ after: [first], onDependencyFailure });
    const third = await submit({ after: [second] });
    await operator.mutation(api.jobs.cancel, { jobId: first });
    await world.settle();
    expect(await kindOf(second)).toBe(expected);
    expect(await kindOf(third)).toBe(onDependencyFailure === "cancel" ? "canceled" : "waiting");
  });

  test("forty dependents are all settled", async () => {
    const first = await submit();
    const dependents = [];
    for (let i = 0; i < 40; i += 1) dependents.push(await submit({ after: [first] }));
    await operator.mutation(api.jobs.cancel, { jobId: first });
    await world.settle();
    expect(new Set(await kindsOf(dependents))).toEqual(new Set(["canceled"]));
    const rows = await world.t.run((ctx) => ctx.db.query("dependencies").take(1));
    expect(rows).toEqual([]);
  });

  test("only jobs that exist can be named, so there are no cycles; a failed one needs a policy", async () => {
    expect(await codeOf(submit({ after: ["nonsense"] }))).toBe("NOT_FOUND");
    const first = await submit();
    await operator.mutation(api.jobs.cancel, { jobId: first });
    expect(await codeOf(submit({ after: [first] }))).toBe("INVALID_ARGUMENT");
    const held = await submit({ after: [first], onDependencyFailure: "hold" });
    expect(await waiting(held)).toMatchObject({ rule: "approval" });
    expect(await kindOf(await submit({ after: [first], onDependencyFailure: "run" }))).toBe(
      "pending",
    );
  });
});

describe("time", () => {
  test("runAt → waiting until then, then given out by the timer", async () => {
    await world.executor("box", 1, 900_000);
    const runAt = Date.now() + 60_000;
    const jobId = await submit({ runAt });
    expect(await waiting(jobId)).toMatchObject({ rule: "schedule", until: runAt });
    await world.advance(59_999);
    expect(await kindOf(jobId)).toBe("waiting");
    await world.advance(1);
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("snoozed → later; requeued → now", async () => {
    const jobId = await submit();
    const until = Date.now() + 60_000;
    await operator.mutation(api.jobs.snooze, { jobId, until });
    expect(await world.job(jobId)).toMatchObject({ state: { reason: "schedule", until } });
    expect(await operator.mutation(api.jobs.requeue, { jobId })).toEqual({ kind: "pending" });
    const past = operator.mutation(api.jobs.snooze, { jobId, until: Date.now() });
    expect(await codeOf(past)).toBe("INVALID_ARGUMENT");
  });
});

describe("hold, release, requeue", () => {
  test("held from the start → released → runs", async () => {
    await world.executor("box", 1);
    const jobId = await submit({ hold: true });
    expect(await waiting(jobId)).toMatchObject({ rule: "approval", ahead: null });
    await operator.mutation(api.jobs.release, { jobId });
    await world.settle();
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("held while its time comes → stays held, and keeps its rules when released", async () => {
    const runAt = Date.now() + 60_000;
    const jobId = await submit({ runAt });
    await operator.mutation(api.jobs.hold, { jobId });
    expect(await operator.mutation(api.jobs.release, { jobId })).toMatchObject({
      reason: "schedule",
    });
    await operator.mutation(api.jobs.hold, { jobId });
    await world.advance(120_000);
    expect(await waiting(jobId)).toMatchObject({ rule: "approval" });
  });

  test("a running job is not held", async () => {
    const executor = await world.executor("box", 1);
    const jobId = await submit();
    await started(executor);
    expect(await codeOf(operator.mutation(api.jobs.hold, { jobId }))).toBe("ILLEGAL_TRANSITION");
  });

  test("a running job is requeued uncharged; its slot is owed, its executor told to stop", async () => {
    const executor = await world.executor("box", 1, 600_000);
    const jobId = await submit();
    const claim = await started(executor);
    expect(await operator.mutation(api.jobs.requeue, { jobId })).toEqual({ kind: "pending" });
    expect(await world.job(jobId)).toMatchObject({ charged: 0, interruptions: 1 });
    await world.settle();
    expect(await kindOf(jobId)).toBe("pending");
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["stop"]);
    await executor.mutation(api.executors.heartbeat, { held: [] });
    await world.settle();
    expect(await kindOf(jobId)).toBe("assigned");
  });
});

describe("why it waits", () => {
  test("place in the queue, and an estimate once attempts have ended", async () => {
    const executor = await world.executor("box", 1, 900_000);
    for (let i = 0; i < 3; i += 1) {
      await submit();
      const claim = await started(executor);
      await world.advance(10_000);
      await finish(executor, claim, SUCCEEDED);
      await world.settle();
    }
    await submit();
    const jobs = [await submit(), await submit({ priority: 0 })];
    const [second] = jobs;
    if (second === undefined) throw new Error("no job");
    expect(await waiting(second)).toMatchObject({
      rule: "slots",
      ahead: 1,
      aheadIsMore: false,
      estimatedWaitMs: 20_000,
    });
  });

  test("no executor, nothing known → it says so instead of guessing", async () => {
    const jobId = await submit();
    expect(await waiting(jobId)).toMatchObject({
      rule: "executor",
      estimatedWaitMs: null,
      ahead: 0,
    });
    expect(await codeOf(operator.query(api.jobs.waiting, { jobId: "x" }))).toBe("NOT_FOUND");
  });

  test("more than a hundred ahead → one hundred, and more", async () => {
    for (let i = 0; i < 102; i += 1) {
      await operator.mutation(api.jobs.submit, {
        repository: "a/b",
        prompt: "x",
        concurrencyKey: null,
      });
    }
    const jobId = await submit();
    expect(await waiting(jobId)).toMatchObject({ ahead: 100, aheadIsMore: true });
  });
});

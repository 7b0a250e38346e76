import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { runToEnd, submitter, type Person } from "./submitting.js";
import {
  codeOf,
  failed,
  finish,
  onlyAssignment,
  registration,
  started,
  World,
  type Executor,
} from "./world.js";

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

async function labelled(name: string, labels: string[], slots = 1) {
  const caller = world.process(await world.enrol(name), "boot-1", Date.now());
  await caller.mutation(api.executors.register, {
    registration: { ...registration(slots, 600_000), labels },
  });
  await world.settle();
  return caller;
}
const runOne = (executor: Executor) => runToEnd(world, executor);

describe("concurrency keys", () => {
  test("jobs of a branch run one at a time, others beside them", async () => {
    await world.executor("box", 4);
    const submitTurn = async (repository: string) => {
      const { jobId } = await operator.mutation(api.jobs.submit, { repository, prompt: "x" });
      await world.settle();
      return jobId;
    };
    const [first, second, other] = [
      await submitTurn("a/b"),
      await submitTurn("a/b"),
      await submitTurn("c/d"),
    ];
    expect(await kindsOf([first, second, other])).toEqual(["assigned", "waiting", "assigned"]);
    expect(await waiting(second)).toMatchObject({
      rule: "concurrency",
      blockedBy: [first],
      ahead: 0,
      until: null,
    });
  });

  test("the end of one lets in the next: the most urgent, then the first", async () => {
    const executor = await world.executor("box", 1, 600_000);
    const key = { concurrencyKey: "k" };
    const first = await submit(key);
    const late = await submit(key);
    const urgent = await submit({ ...key, priority: 0 });
    expect(await kindsOf([first, late, urgent])).toEqual(["assigned", "waiting", "waiting"]);
    const order = [await runOne(executor), await runOne(executor), await runOne(executor)];
    expect(order).toEqual([first, urgent, late]);
  });

  test("what is submitted before any runs is parked by the dispatcher, not at the head", async () => {
    const same = [await submit({ concurrencyKey: "k" }), await submit({ concurrencyKey: "k" })];
    const other = await submit();
    expect(await kindsOf(same)).toEqual(["pending", "pending"]);
    await world.executor("box", 3);
    expect(await kindsOf([...same, other])).toEqual(["assigned", "waiting", "assigned"]);
  });

  test.each(["canceled", "failed and in backoff", "lost with its executor"])(
    "a job that is %s gives its turn away",
    async (how) => {
      const executor = await world.executor("box", 1, 60_000);
      const first = await submit({ concurrencyKey: "k" });
      const second = await submit({ concurrencyKey: "k" });
      if (how === "canceled") await operator.mutation(api.jobs.cancel, { jobId: first });
      else {
        const claim = await started(executor);
        if (how.startsWith("failed")) await finish(executor, claim, failed("apiError"));
        else await executor.mutation(api.executors.goOffline, {});
      }
      await world.settle();
      expect(["assigned", "pending"]).toContain(await kindOf(second));
    },
  );

  test("a job that needs labels nobody has does not block its key for others", async () => {
    const executor = await world.executor("box", 1, 600_000);
    const key = { concurrencyKey: "k" };
    const holder = await submit(key);
    const special = await submit({ ...key, labels: ["gpu"] });
    const plain = await submit(key);
    expect(await kindsOf([special, plain])).toEqual(["waiting", "waiting"]);
    expect(await runOne(executor)).toBe(holder);
    expect(await kindsOf([special, plain])).toEqual(["pending", "assigned"]);
    await labelled("gpu", ["gpu"]);
    expect(await kindOf(special)).toBe("waiting");
    expect(await runOne(executor)).toBe(plain);
    expect(await kindOf(special)).toBe("assigned");
  });

  test("a limit of two lets two run; zero pauses the key until it is raised", async () => {
    await world.executor("box", 4);
    const gate = "key:k";
    await operator.mutation(api.queue.setGateLimit, { gate, limit: 0, note: "broken main" });
    const first = await submit({ concurrencyKey: "k" });
    const jobs = [first];
    for (let i = 0; i < 2; i += 1) jobs.push(await submit({ concurrencyKey: "k" }));
    expect(await kindsOf(jobs)).toEqual(["waiting", "waiting", "waiting"]);
    expect(await waiting(first)).toMatchObject({ rule: "paused" });
    await operator.mutation(api.queue.setGateLimit, { gate, limit: 2 });
    await world.settle();
    expect((await kindsOf(jobs)).sort()).toEqual(["assigned", "assigned", "waiting"]);
    await operator.mutation(api.queue.setGateLimit, { gate, limit: null });
    expect((await operator.query(api.queue.status, {})).gates).toEqual([]);
  });
});

describe("limits of submitters and of all", () => {
  test("at most so many jobs of one submitter; others are not held up", async () => {
    await operator.mutation(api.queue.setLimits, { perSubmitter: 1 });
    const other = await world.user("operator", "other");
    await world.executor("box", 4);
    const own = [await submit(), await submit()];
    const foreign = await submit({}, other);
    expect(await kindsOf([...own, foreign])).toEqual(["assigned", "waiting", "assigned"]);
    await operator.mutation(api.queue.setLimits, { perSubmitter: null });
    await world.settle();
    expect(await kindsOf(own)).toEqual(["assigned", "assigned"]);
  });

  test("at most so many in all, and the next when one ends, even of a drained executor", async () => {
    await operator.mutation(api.queue.setLimits, { running: 1 });
    const first = await world.executor("first", 1, 600_000);
    const one = await submit();
    const two = await submit();
    await world.executor("second", 1, 600_000);
    expect(await kindsOf([one, two])).toEqual(["assigned", "pending"]);
    expect(await waiting(two)).toMatchObject({ rule: "limit", ahead: 0 });
    await operator.mutation(api.executors.drain, { executorId: first.executorId });
    expect(await runOne(first)).toBe(one);
    expect(await kindOf(two)).toBe("assigned");
  });

  test.each([{ running: 0 }, { perKey: 0 }, { perSubmitter: 1.5 }, { perKey: 1_000 }])(
    "%j → INVALID_ARGUMENT",
    async (limits) => {
      expect(await codeOf(operator.mutation(api.queue.setLimits, limits))).toBe("INVALID_ARGUMENT");
    },
  );
});

describe("pause and maintenance", () => {
  test("nothing is given out, submissions are taken, the reason is shown; resume goes on", async () => {
    await world.executor("box", 2);
    await operator.mutation(api.queue.pause, { reason: "new disk", maintenance: true });
    const jobId = await submit();
    expect(await kindOf(jobId)).toBe("pending");
    expect(await waiting(jobId)).toMatchObject({
      rule: "paused",
      message: "Maintenance: new disk",
    });
    expect(await operator.query(api.queue.status, {})).toMatchObject({
      paused: { kind: "maintenance", reason: "new disk", by: "user:operator" },
    });
    await operator.mutation(api.queue.resume, {});
    await world.settle();
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("what runs goes on, and its end gives nothing new out", async () => {
    const executor = await world.executor("box", 1);
    await submit();
    const next = await submit();
    const claim = await started(executor);
    await operator.mutation(api.queue.pause, { reason: "stop" });
    await finish(executor, claim, SUCCEEDED);
    await world.settle();
    expect(await kindOf(next)).toBe("pending");
  });
});

describe("labels", () => {
  test("a job goes to an executor that carries all its labels, and is in nobody's way", async () => {
    const special = await submit({ labels: ["gpu", "linux"], priority: 0 });
    const plain = await submit();
    await world.executor("plain", 2);
    await labelled("half", ["gpu"]);
    expect(await kindsOf([special, plain])).toEqual(["pending", "assigned"]);
    expect(await waiting(special)).toMatchObject({ rule: "executor" });
    const full = await labelled("full", ["linux", "gpu", "big"]);
    expect((await onlyAssignment(full)).jobId).toBe(special);
  });

  test("a plain job wakes a dispatcher that waits for a fitting slot", async () => {
    await world.executor("plain", 1);
    await submit({ labels: ["gpu"] });
    expect((await operator.query(api.queue.status, {})).dispatcher).toBe("needsMatch");
    expect(await kindOf(await submit())).toBe("assigned");
  });
});

describe("fairness", () => {
  test("one job after thirty of another submitter is second to run", async () => {
    const other = await world.user("operator", "other");
    const busy: Id<"jobs">[] = [];
    for (let i = 0; i < 30; i += 1) busy.push(await submit());
    const light = await submit({}, other);
    const executor = await world.executor("box", 1, 900_000);
    const order = [await runOne(executor), await runOne(executor)];
    expect(order).toEqual([busy[0], light]);
  });

  test("under a stream of urgent jobs, one of the lowest priority runs within eight", async () => {
    const patient = await submit({ priority: 9 });
    for (let i = 0; i < 10; i += 1) await submit({ priority: 0 });
    const executor = await world.executor("box", 1, 900_000);
    const order = [];
    for (let i = 0; i < 8; i += 1) order.push(await runOne(executor));
    expect(order).toContain(patient);
    expect(order[0]).not.toBe(patient);
  });
});

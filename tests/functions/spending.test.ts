import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { LEASE, type Spender, spender } from "./spender.js";
import { aReport, type Executor, failed, started, World } from "./world.js";

let world: World;
let administrator: Awaited<ReturnType<World["user"]>>;
let submit: Spender["submit"];
let end: Spender["end"];
let meter: Spender["meter"];
beforeEach(async () => {
  world = await World.make();
  administrator = await world.user("administrator", "ada");
  ({ submit, end, meter } = spender(world, administrator));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe("the limit of a job is that of all its attempts", () => {
  const limitOf = async (executor: Executor) => {
    const [held] = await executor.query(api.executors.assignments, {});
    if (held === undefined) throw new Error("nothing is assigned");
    const work = await executor.mutation(api.executors.start, {
      jobId: held.jobId,
      token: held.token,
    });
    return work.limits.maxBudgetUsd;
  };

  test("each attempt may spend what those before it have left; then it fails", async () => {
    const executor = await world.executor("box", 1, LEASE);
    const jobId = await submit(4);
    expect(await limitOf(executor)).toBe(4);
    await end(executor, 1.5, failed("cliKilled"));
    await world.advance(60_000);
    expect(await limitOf(executor)).toBe(2.5);
    expect(await administrator.query(api.jobs.get, { jobId })).toMatchObject({
      spent: { costUsd: 1.5, tokens: aReport.tokens },
    });
    await end(executor, 2.6, failed("apiError"));
    expect((await world.job(jobId)).state).toMatchObject({ kind: "failed", reason: "maxBudget" });
    expect(await administrator.query(api.jobs.get, { jobId })).toMatchObject({
      spent: { costUsd: 4.1, tokens: { input: 2, output: 4, cacheRead: 6, cacheCreation: 8 } },
      latest: { spend: { costUsd: 2.6, lineUsd: 2.5, overshootUsd: 0.1 } },
    });
  });

  test("retried by a person, it may spend its limit once more", async () => {
    const executor = await world.executor("box", 1, LEASE);
    const jobId = await submit(2);
    await end(executor, 2.1, failed("maxBudget"));
    await administrator.mutation(api.jobs.retry, { jobId });
    await world.settle();
    expect(await limitOf(executor)).toBe(2);
    expect((await administrator.query(api.jobs.get, { jobId })).spent?.costUsd).toBe(2.1);
  });

  test("a run that crosses it is told to stop, and the job fails with that reason", async () => {
    const executor = await world.executor("box", 1, LEASE);
    const jobId = await submit(2);
    await started(executor);
    expect(await meter(executor, 1.9)).toBeUndefined();
    expect(await meter(executor, 2.25)).toBe("maxBudget");
    const { latest, spent } = await administrator.query(api.jobs.get, { jobId });
    expect(latest).toMatchObject({ stop: "maxBudget", spend: { costUsd: 2.25, lineUsd: 2 } });
    expect(spent).toMatchObject({ costUsd: 2.25 });
    await end(executor, 0, failed("maxBudget"));
    const job = await administrator.query(api.jobs.get, { jobId });
    expect(job).toMatchObject({
      state: { kind: "failed", reason: "maxBudget" },
      spent: { costUsd: 2.25 },
      latest: { spend: { costUsd: 2.25, overshootUsd: 0.25 } },
    });
  });
});

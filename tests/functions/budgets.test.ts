import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { Outcome } from "../../convex/protocol/job.js";
import { LEASE, type Spender, spender } from "./spender.js";
import { aReport, codeOf, failed, START, started, World } from "./world.js";

let world: World;
let administrator: Awaited<ReturnType<World["user"]>>;
let set: Spender["set"];
let submit: Spender["submit"];
let end: Spender["end"];
let meter: Spender["meter"];
let only: Spender["only"];
beforeEach(async () => {
  world = await World.make();
  administrator = await world.user("administrator", "ada");
  ({ set, submit, end, meter, only } = spender(world, administrator));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const DAY = 86_400_000;
const DONE: Outcome = { kind: "succeeded" };

const waiting = (jobId: Id<"jobs">) => administrator.query(api.jobs.waiting, { jobId });
const kindOf = async (jobId: Id<"jobs">) => (await world.job(jobId)).state.kind;
const violations = async () =>
  (await world.t.query(internal.selfAudit.check, { part: "budgets" })).violations;

describe("an assignment reserves, the end settles", () => {
  test("all that the job may cost is set aside, what it cost is spent, the rest is free", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(10);
    const jobId = await submit(4);
    expect(await only()).toMatchObject({ spentUsd: 0, reservedUsd: 4, endsAt: START + DAY });
    await end(executor, 1.25);
    expect(await only()).toMatchObject({ spentUsd: 1.25, reservedUsd: 0, overshootUsd: 0 });
    const { latest } = await administrator.query(api.jobs.get, { jobId });
    expect(latest?.spend).toMatchObject({ costUsd: 1.25, lineUsd: 4, overshootUsd: 0 });
  });

  test("no limit of its own → a dollar, then twice what attempts under the budget cost", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(10);
    await submit();
    expect(await only()).toMatchObject({ reservedUsd: 1 });
    await end(executor, 0.25);
    await world.t.mutation(internal.budgets.tidy, {});
    await submit();
    expect(await only()).toMatchObject({ reservedUsd: 0.5 });
  });

  test("an attempt that is lost has cost what it last told, and the next one gets the rest", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(10);
    const jobId = await submit(4);
    await started(executor);
    await meter(executor, 1.5);
    await executor.mutation(api.executors.goOffline, {});
    await world.settle();
    expect(await only()).toMatchObject({ spentUsd: 1.5, reservedUsd: 0 });
    const { latest, spent } = await administrator.query(api.jobs.get, { jobId });
    expect(latest?.spend).toMatchObject({ costUsd: 1.5 });
    expect(spent).toMatchObject({ costUsd: 1.5, tokens: { input: 1_500 } });
  });

  test("an attempt that never began costs nothing", async () => {
    await world.executor("box", 1, LEASE);
    await set(10);
    const jobId = await submit(4);
    await administrator.mutation(api.jobs.cancel, { jobId });
    expect(await only()).toMatchObject({ spentUsd: 0, reservedUsd: 0 });
  });

  test("the end of an attempt writes no row that other attempts write", async () => {
    const executor = await world.executor("box", 2, LEASE);
    await set(10);
    await submit(2);
    await submit(2);
    const rows = () => world.t.run((ctx) => ctx.db.query("budgets").collect());
    const before = await rows();
    await end(executor, 1);
    expect(await rows()).toEqual(before);
    await world.t.mutation(internal.budgets.tidy, {});
    expect(await rows()).toMatchObject([{ spent: 1_000_000, reserved: 2_000_000 }]);
    expect(await violations()).toEqual([]);
  });

  test("an attempt that ends after its day costs the day in which it ends", async () => {
    vi.setSystemTime(START + DAY - 1_000);
    const executor = await world.executor("box", 1, LEASE);
    await set(10);
    await submit(4);
    await started(executor);
    await world.advance(1_000);
    await end(executor, 3);
    expect(await only()).toMatchObject({ spentUsd: 3, endsAt: START + 2 * DAY });
  });
});

describe("a run near its line", () => {
  test("gets more set aside, as long as there is room; then it is told to stop", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(5);
    const jobId = await submit();
    await started(executor);
    expect(await meter(executor, 0.5)).toBeUndefined();
    expect(await only()).toMatchObject({ reservedUsd: 1 });
    expect(await meter(executor, 0.8)).toBeUndefined();
    expect(await only()).toMatchObject({ reservedUsd: 2 });
    expect(await meter(executor, 3)).toBeUndefined();
    expect(await only()).toMatchObject({ reservedUsd: 5 });
    expect(await violations()).toEqual([]);
    expect(await meter(executor, 5.25)).toBe("budget");
    await end(executor, 5.5, failed("budget"));
    expect(await only()).toMatchObject({ spentUsd: 5.5, reservedUsd: 0, overshootUsd: 0.5 });
    expect(await world.job(jobId)).toMatchObject({
      state: { kind: "waiting", reason: "budget", until: START + DAY },
      charged: 0,
      interruptions: 0,
    });
    const [attempt] = await administrator.query(api.jobs.attempts, { jobId });
    expect(attempt).toMatchObject({
      end: { kind: "failed", reason: "budget", charged: false },
      spend: { costUsd: 5.5, lineUsd: 5, overshootUsd: 0.5 },
    });
    await set(20);
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("takes nothing that is set aside for others", async () => {
    const executor = await world.executor("box", 2, LEASE);
    await set(5);
    await submit(3);
    await submit(2);
    for (const { jobId, token } of await executor.query(api.executors.assignments, {})) {
      await executor.mutation(api.executors.start, { jobId, token });
    }
    expect(await meter(executor, 2.9)).toBeUndefined();
    expect(await only()).toMatchObject({ reservedUsd: 5 });
    expect(await meter(executor, 3)).toBe("maxBudget");
  });

  test("is not stopped where its budget was removed meanwhile", async () => {
    const executor = await world.executor("box", 1, LEASE);
    const budgetId = await set(1);
    const jobId = await submit();
    await started(executor);
    await administrator.mutation(api.budgets.remove, { budgetId });
    await world.settle();
    expect(await meter(executor, 7)).toBeUndefined();
    await end(executor, 8);
    const { latest } = await administrator.query(api.jobs.get, { jobId });
    expect(latest?.spend).toMatchObject({ costUsd: 8, overshootUsd: 0 });
    expect(await world.t.run((ctx) => ctx.db.query("reservations").collect())).toEqual([]);
  });

  test("a word with a stale token changes nothing", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(5);
    await submit();
    const { jobId, token } = await started(executor);
    const late = { jobId, token: token - 1, costUsd: 9, tokens: aReport.tokens };
    const before = await world.everything();
    expect(await codeOf(executor.mutation(api.executors.meter, late))).toBe("STALE_LEASE");
    expect(await world.everything()).toEqual(before);
  });

  test("of a job that nothing bounds, nobody keeps what it costs so far", async () => {
    const executor = await world.executor("box", 1, LEASE);
    const jobId = await submit();
    const { token } = await started(executor);
    const work = await executor.mutation(api.executors.start, { jobId, token });
    expect(work).not.toHaveProperty("isMetered");
    const before = await world.everything();
    expect(await meter(executor, 9)).toBeUndefined();
    expect(await world.everything()).toEqual(before);
  });
});

describe("a budget without room", () => {
  test("jobs wait with the reason, and an end that frees some lets the next in", async () => {
    const executor = await world.executor("box", 2, LEASE);
    const budgetId = await set(5);
    await submit(3);
    const second = await submit(3);
    expect(await waiting(second)).toMatchObject({
      rule: "budget",
      until: START + DAY,
      message:
        "The budget of everybody for the day has no room: of $5.00, $0.00 are spent and $3.00 set aside for what runs.",
    });
    expect(await world.job(second)).toMatchObject({ gate: `budget:${budgetId}` });
    await end(executor, 1);
    expect(await kindOf(second)).toBe("assigned");
  });

  test("the end of the period wakes who waits, by one scheduled step", async () => {
    vi.setSystemTime(START + DAY - 60_000);
    const executor = await world.executor("box", 1, LEASE);
    await set(5);
    await submit(5);
    await end(executor, 5);
    const jobs = [await submit(2), await submit(2)];
    expect(await Promise.all(jobs.map(kindOf))).toEqual(["waiting", "waiting"]);
    const due = await world.t.run((ctx) => ctx.db.system.query("_scheduled_functions").collect());
    const wakes = due.filter(({ name }) => name.includes("goOnLettingAllIn"));
    expect(wakes.filter(({ scheduledTime }) => scheduledTime === START + DAY)).toHaveLength(1);
    await world.advance(60_000);
    expect((await Promise.all(jobs.map(kindOf))).sort()).toEqual(["assigned", "pending"]);
    expect(await only()).toMatchObject({ spentUsd: 0, reservedUsd: 2 });
  });

  test("whoever waits is told until when by the clocks of the budget", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(1, { timeZone: "Asia/Kolkata" });
    await submit(1);
    await end(executor, 1);
    const jobId = await submit(1);
    const until = START + DAY - 5.5 * 3_600_000;
    expect(await waiting(jobId)).toMatchObject({ rule: "budget", until });
    expect(await only()).toMatchObject({ timeZone: "Asia/Kolkata", endsAt: until, waiting: 1 });
  });

  test("the room that an end makes is seen before anybody is turned away", async () => {
    const executor = await world.executor("box", 1, LEASE);
    await set(5);
    await submit(5);
    await end(executor, 1);
    const jobId = await submit(4);
    expect(await kindOf(jobId)).toBe("assigned");
    expect(await only()).toMatchObject({ spentUsd: 1, reservedUsd: 4 });
  });

  test.each(["raised", "removed"])("%s → who waits goes on", async (how) => {
    const executor = await world.executor("box", 1, LEASE);
    const budgetId = await set(1);
    await submit(1);
    await end(executor, 1);
    const jobId = await submit(1);
    expect(await kindOf(jobId)).toBe("waiting");
    const raised = { scope: { kind: "all" }, period: "day", limitUsd: 3 } as const;
    if (how === "raised") await administrator.mutation(api.budgets.set, raised);
    else await administrator.mutation(api.budgets.remove, { budgetId });
    const { rule, message, until } = await waiting(jobId);
    expect({ rule, message, until }).toEqual({
      ...{ rule: "budget", message: "It is about to be let in.", until: null },
    });
    await world.settle();
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("of one repository or user keeps nobody else from running", async () => {
    await world.executor("box", 3, LEASE);
    await set(1, { scope: { kind: "repository", name: "github.com/octo/hello" } });
    await set(1, { scope: { kind: "user", name: "user:bob" }, period: "month" });
    const jobs = [await submit(1), await submit(1), await submit(1, "octo/other")];
    expect(await Promise.all(jobs.map(kindOf))).toEqual(["assigned", "waiting", "assigned"]);
  });
});

test("whatever comes, what a budget has set aside is what is in flight", async () => {
  const executor = await world.executor("box", 3, LEASE);
  await set(20);
  await set(12, { scope: { kind: "user", name: "user:ada" }, period: "total" });
  const step = fc.constantFrom("submit", "succeed", "fail", "requeue", "cancel");
  const steps = fc.sample(step, { numRuns: 40, seed: 7 });
  for (const [i, one] of steps.entries()) {
    const [held] = await executor.query(api.executors.assignments, {});
    if (one === "submit" || held === undefined) await submit(1 + (i % 3));
    else if (one === "requeue")
      await administrator.mutation(api.jobs.requeue, { jobId: held.jobId });
    else if (one === "cancel") await administrator.mutation(api.jobs.cancel, { jobId: held.jobId });
    else {
      const { jobId, token } = held;
      await executor.mutation(api.executors.start, { jobId, token });
      await meter(executor, i / 12);
      const outcome = one === "fail" ? failed(i % 2 === 0 ? "cliError" : "budget") : DONE;
      const report = { ...aReport, costUsd: i / 10 };
      await executor.mutation(api.executors.finish, { jobId, token, outcome, report });
    }
    await world.settle();
    expect(await violations()).toEqual([]);
  }
});

test("a reservation of no attempt, and an amount that is no sum, are found", async () => {
  await world.executor("box", 1, LEASE);
  const budgetId = await set(10);
  const jobId = await submit(4);
  await world.t.run((ctx) =>
    ctx.db.insert("reservations", { budgetId, jobId, token: 9, amount: 1 }),
  );
  expect((await violations()).map(({ invariant }) => invariant)).toEqual([
    "reservationsInFlight",
    "reservationsInFlight",
  ]);
});

test.each([
  ["0", { limitUsd: 0 }],
  ["a time zone that is none", { limitUsd: 1, timeZone: "Mars/Olympus" }],
])("a budget of %s → INVALID_ARGUMENT", async (_, given) => {
  const { limitUsd, ...more } = given;
  expect(await codeOf(set(limitUsd, more))).toBe("INVALID_ARGUMENT");
});

test("set again, a budget goes on as it was spent, with the new limit", async () => {
  const executor = await world.executor("box", 1, LEASE);
  const first = await set(5);
  await submit(2);
  await end(executor, 2);
  expect(await set(8)).toBe(first);
  expect(await only()).toMatchObject({ limitUsd: 8, spentUsd: 2 });
});

test("a budget that is spent raises the alert of spending, and names it", async () => {
  const executor = await world.executor("box", 1, LEASE);
  await set(1);
  await submit(1);
  await end(executor, 1.5);
  await submit(1);
  await world.t.mutation(internal.alerts.evaluate, {});
  expect(await world.t.run((ctx) => ctx.db.query("alerts").collect())).toMatchObject([
    {
      rule: "spend",
      title: "The budget of everybody (day) is spent",
      detail: "$1.50 of $1.00 are spent. 1 jobs wait for room.",
    },
  ]);
});

test("what a run must hand out is kept with the job and given to its executor", async () => {
  const executor = await world.executor("box", 1, LEASE);
  const outputSchema = '{"type":"object"}';
  const job = { repository: "octo/hello", prompt: "x", outputSchema };
  const { jobId } = await administrator.mutation(api.jobs.submit, job);
  await world.settle();
  const { token } = await started(executor);
  const work = await executor.mutation(api.executors.start, { jobId, token });
  expect(work.outputSchema).toBe(outputSchema);
  await end(executor, 0.1, failed("noStructuredOutput"));
  expect(await world.job(jobId)).toMatchObject({ state: { kind: "backoff" }, charged: 1 });
  const wrong = { ...job, outputSchema: "[]" };
  expect(await codeOf(administrator.mutation(api.jobs.submit, wrong))).toBe("INVALID_ARGUMENT");
});

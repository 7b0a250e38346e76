import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { CredentialKind, ExecutorLogin } from "../../convex/protocol/credential.js";
import type { Outcome } from "../../convex/protocol/job.js";
import {
  aReport,
  assigned,
  codeOf,
  type Executor,
  finish,
  registration,
  START,
  started,
  World,
} from "./world.js";

let world: World;
let administrator: Awaited<ReturnType<World["user"]>>;
beforeEach(async () => {
  world = await World.make();
  administrator = await world.user("administrator");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const HOUR = 3_600_000;
const RESET = START + 2 * HOUR;
const DONE: Outcome = { kind: "succeeded" };
const limited = (resetsAt?: number): Outcome => ({
  kind: "failed",
  reason: "usageLimit",
  message: "You've hit your session limit",
  limit: { window: "five_hour", ...(resetsAt === undefined ? {} : { resetsAt }) },
});
const refused: Outcome = { kind: "failed", reason: "cliAuth", message: "401" };

/** An executor that says how its CLI logs in. */
async function box(name: string, login: ExecutorLogin, slots = 1): Promise<Executor> {
  const caller = world.process(await world.enrol(name), `boot of ${name}`, START);
  const says = { ...registration(slots, 900_000), login };
  await caller.mutation(api.executors.register, { registration: says });
  await world.settle();
  return caller;
}

async function credential(
  label: string,
  more: { concurrency?: number; kind?: CredentialKind } = {},
) {
  const { kind = "subscription", ...rest } = more;
  const value = `sk-ant-of-${label}-0123456789`;
  const made = { kind, label, value, ...rest };
  const { credentialId } = await administrator.action(api.credentials.create, made);
  await world.settle();
  return credentialId;
}

const list = () => administrator.query(api.credentials.list, {});
const waiting = (jobId: Id<"jobs">) => administrator.query(api.jobs.waiting, { jobId });
const kindOf = async (jobId: Id<"jobs">) => (await world.job(jobId)).state.kind;
/** Ends the one attempt of an executor, and lets what follows happen. */
async function end(executor: Executor, outcome: Outcome): Promise<Id<"jobs">> {
  const claim = await started(executor);
  await finish(executor, claim, outcome);
  await world.settle();
  return claim.jobId;
}
/** Keeps executors alive while the clock runs to a time. */
async function runTo(at: number, ...executors: Executor[]): Promise<void> {
  while (Date.now() < at) {
    for (const each of executors) await each.mutation(api.executors.heartbeat, { held: [] });
    await world.advance(Math.min(600_000, at - Date.now()));
  }
}

describe("a usage limit of an executor's own login", () => {
  test("the job waits uncharged until the reset second, then runs", async () => {
    const executor = await box("laptop", "subscription");
    const jobId = await world.submit();
    await end(executor, limited(RESET));
    expect(await world.job(jobId)).toMatchObject({
      state: { kind: "waiting", reason: "credential", until: RESET },
      charged: 0,
      interruptions: 0,
    });
    expect(await list()).toMatchObject([
      { kind: "subscription", label: "laptop", status: "limited", limitedUntil: RESET },
    ]);
    expect(await waiting(jobId)).toMatchObject({
      rule: "credential",
      until: RESET,
      estimatedWaitMs: RESET - Date.now(),
    });
    await runTo(RESET - 1, executor);
    expect(await kindOf(jobId)).toBe("waiting");
    await world.advance(1);
    expect(await kindOf(jobId)).toBe("assigned");
    expect(await list()).toMatchObject([{ status: "ok" }]);
  });

  test("one scheduled function wakes however many wait, and no job is given out before", async () => {
    const executor = await box("laptop", "subscription", 3);
    const jobs = [await world.submit(), await world.submit(), await world.submit()];
    const late = await world.submit();
    const claims = [];
    for (const { jobId, token } of await assigned(executor)) {
      await executor.mutation(api.executors.start, { jobId, token });
      claims.push({ jobId, token });
    }
    for (const claim of claims) await finish(executor, claim, limited(RESET));
    await world.settle();
    const due = await world.t.run((ctx) => ctx.db.system.query("_scheduled_functions").collect());
    const resets = due.filter(
      ({ name, state }) => name.includes("reset") && state.kind === "pending",
    );
    expect(new Set(resets.map((one) => one.scheduledTime))).toEqual(new Set([RESET]));
    // What never began is still in the queue: it waits for the same limit, and says so.
    expect(await kindOf(late)).toBe("pending");
    expect(await waiting(late)).toMatchObject({ rule: "credential", until: RESET });
    await runTo(RESET, executor);
    expect(await assigned(executor)).toHaveLength(3);
    const kinds = await Promise.all([...jobs, late].map(kindOf));
    expect(kinds.sort()).toEqual(["assigned", "assigned", "assigned", "pending"]);
  });

  test("a job that another executor can take goes on there at once", async () => {
    const first = await box("first", "subscription");
    const jobId = await world.submit();
    const second = await box("second", "subscription");
    await end(first, limited(RESET));
    expect(await assigned(first)).toEqual([]);
    expect(await assigned(second)).toMatchObject([{ jobId, attempt: 2 }]);
  });

  test("an executor that says nothing of its login is kept from work in the same way", async () => {
    const executor = await world.executor("old", 1, 900_000);
    await world.submit();
    const jobId = await end(executor, limited(RESET));
    expect(await kindOf(jobId)).toBe("waiting");
    await runTo(RESET, executor);
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("a hundred limits in a row park a job; only then it is given up", async () => {
    const executor = await box("laptop", "subscription");
    const jobId = await world.submit();
    const before = [{ reason: "usageLimit" as const, count: 98 }];
    await world.t.run((ctx) => ctx.db.patch("jobs", jobId, { failures: before }));
    await end(executor, limited(Date.now() + 1_000));
    expect(await kindOf(jobId)).toBe("waiting");
    await world.advance(1_000);
    await end(executor, limited(Date.now() + 1_000));
    expect(await world.job(jobId)).toMatchObject({
      state: { kind: "failed", reason: "usageLimit" },
      charged: 0,
      interruptions: 0,
    });
  });
});

describe("throttles without a time of reset", () => {
  test("the pause doubles while they follow each other, up to an hour, and begins anew later", async () => {
    const executor = await box("keyed", "apiKey");
    const jobId = await world.submit();
    const pauses = [];
    for (let i = 0; i < 9; i += 1) {
      await end(executor, limited());
      const [row] = await list();
      const until = row?.limitedUntil ?? 0;
      pauses.push((until - Date.now()) / 1_000);
      await runTo(until, executor);
      expect(await kindOf(jobId)).toBe("assigned");
    }
    expect(pauses).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    await end(executor, DONE);
    await runTo(Date.now() + HOUR + 1, executor);
    await world.submit();
    await end(executor, limited());
    const [row] = await list();
    expect((row?.limitedUntil ?? 0) - Date.now()).toBe(30_000);
  });

  test.each([
    ["that has passed", START - 1, START + 30_000],
    ["in a far future", START + 365 * 24 * HOUR, START + 8 * 24 * HOUR],
  ])("a reset %s is not believed", async (_, resetsAt, until) => {
    const executor = await box("laptop", "subscription");
    await world.submit();
    await end(executor, limited(resetsAt));
    expect(await list()).toMatchObject([{ limitedUntil: until }]);
  });
});

describe("credentials of the deployment", () => {
  test("an attempt of an executor without a login is given exactly one, and no other", async () => {
    const [a, b] = [await credential("a"), await credential("b")];
    const executor = await box("bare", "none", 2);
    await world.submit();
    await world.submit();
    const jobs = await Promise.all((await assigned(executor)).map(({ jobId }) => world.job(jobId)));
    // The least used one: each has one attempt.
    expect(jobs.map((job) => job.live?.credentialId).sort()).toEqual([a, b].sort());
    expect((await list()).map((each) => each.inFlight)).toEqual([1, 1]);
    for (const { jobId, token } of await assigned(executor)) {
      const issued = await executor.action(api.secrets.issue, { jobId, token, use: "claude" });
      const credentialId = (await world.job(jobId)).live?.credentialId;
      const label = credentialId === a ? "a" : "b";
      expect(issued).toEqual({ form: "oauthToken", secret: `sk-ant-of-${label}-0123456789` });
      await executor.mutation(api.executors.start, { jobId, token });
      await finish(executor, { jobId, token }, DONE);
    }
    expect((await list()).map((each) => each.inFlight)).toEqual([0, 0]);
  });

  test("a limited one is left alone, the job goes on with another at once", async () => {
    const executor = await box("bare", "none");
    const a = await credential("a");
    const jobId = await world.submit();
    const b = await credential("b");
    await end(executor, limited(RESET));
    expect(await world.job(jobId)).toMatchObject({
      state: { kind: "assigned" },
      live: { credentialId: b },
    });
    expect(await list()).toMatchObject([
      { credentialId: b, status: "ok", inFlight: 1 },
      { credentialId: a, status: "limited", inFlight: 0 },
    ]);
  });

  test("none is free → jobs wait with reason and estimate, and are woken at the reset second", async () => {
    const executor = await box("bare", "none");
    await credential("a");
    const first = await world.submit();
    await end(executor, limited(RESET));
    const second = await world.submit();
    expect(await waiting(first)).toMatchObject({ rule: "credential", until: RESET });
    expect(await waiting(second)).toMatchObject({ rule: "credential", until: RESET, ahead: 1 });
    await runTo(RESET, executor);
    expect(await kindOf(first)).toBe("assigned");
    await end(executor, DONE);
    expect(await kindOf(second)).toBe("assigned");
  });

  test("no more attempts use one at once than its limit says; the end of one lets the next in", async () => {
    const executor = await box("bare", "none", 3);
    const credentialId = await credential("a", { concurrency: 1 });
    const jobs = [await world.submit(), await world.submit(), await world.submit()];
    expect(await Promise.all(jobs.map(kindOf))).toEqual(["assigned", "waiting", "waiting"]);
    await end(executor, DONE);
    expect(await Promise.all(jobs.map(kindOf))).toEqual(["succeeded", "assigned", "waiting"]);
    const more = { credentialId, concurrency: null };
    await administrator.mutation(api.credentials.setConcurrency, more);
    await world.settle();
    expect(await Promise.all(jobs.map(kindOf))).toEqual(["succeeded", "assigned", "assigned"]);
  });

  test("refused by the API → failing, an alert, the executor stays healthy, the job waits or goes on", async () => {
    const executor = await box("bare", "none");
    const credentialId = await credential("a");
    const jobId = await world.submit();
    await end(executor, refused);
    expect(await list()).toMatchObject([{ status: "failing", lastFailure: { reason: "cliAuth" } }]);
    const [seen] = await administrator.query(api.executors.list, {});
    expect(seen).toMatchObject({ unhealthy: null, freeSlots: 1 });
    expect(await waiting(jobId)).toMatchObject({ rule: "credential", until: null });
    await world.t.mutation(internal.alerts.evaluate, {});
    await world.settle();
    const alerts = await administrator.query(api.alerts.list, {});
    expect(alerts).toMatchObject([{ rule: "credentials", title: "The credential a fails" }]);
    await administrator.mutation(api.credentials.enable, { credentialId });
    await world.settle();
    expect(await kindOf(jobId)).toBe("assigned");
  });

  test("disabled → nobody is given it; enabled → who waits goes on", async () => {
    const executor = await box("bare", "none");
    const credentialId = await credential("a");
    await administrator.mutation(api.credentials.disable, { credentialId });
    const jobId = await world.submit();
    expect(await waiting(jobId)).toMatchObject({ rule: "credential", until: null });
    await administrator.mutation(api.credentials.enable, { credentialId });
    await world.settle();
    expect(await kindOf(jobId)).toBe("assigned");
    await started(executor);
  });

  test("what people read of them has nothing of the secret; who creates and disables is audited", async () => {
    const credentialId = await credential("a");
    await administrator.mutation(api.credentials.disable, { credentialId });
    expect(JSON.stringify(await world.everything())).not.toContain("sk-ant-of-a");
    const rows = await world.t.run((ctx) => ctx.db.query("audit").collect());
    const told = rows.filter(({ action }) => action.startsWith("credential."));
    expect(told.map(({ action, actor, target }) => [action, actor, target])).toEqual([
      ["credential.created", "user:administrator", "a"],
      ["credential.disabled", "user:administrator", "a"],
    ]);
  });

  test.each([0, 65, 1.5])(
    "a limit of %d attempts at once → INVALID_ARGUMENT",
    async (concurrency) => {
      const call = administrator.action(api.credentials.create, {
        ...{ kind: "apiKey", label: "a", value: "sk-ant-0123456789abcdef" },
        concurrency,
      });
      expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
    },
  );

  test("a secret of kind claude is a credential too, and leaves with it", async () => {
    const kept = { kind: "claude", name: "team", form: "apiKey", value: "sk-ant-0123456789abcd" };
    const { secretId } = await administrator.action(api.secrets.set, {
      ...kept,
      kind: "claude",
      form: "apiKey",
    });
    expect(await list()).toMatchObject([{ kind: "apiKey", label: "team", status: "ok" }]);
    await administrator.mutation(api.secrets.setStatus, { secretId, status: "disabled" });
    expect(await list()).toMatchObject([{ status: "disabled" }]);
    await administrator.mutation(api.secrets.remove, { secretId });
    expect(await list()).toEqual([]);
  });
});

test("windows that the API tells of are kept, the last word on each", async () => {
  const executor = await box("laptop", "subscription");
  await world.submit();
  const claim = await started(executor);
  const windows = [{ window: "five_hour", status: "allowed_warning", resetsAt: RESET }];
  const report = { ...aReport, windows };
  await executor.mutation(api.executors.finish, { ...claim, outcome: DONE, report });
  expect(await list()).toMatchObject([{ status: "ok", windows }]);
});

test("the cron wakes who waits although the scheduled reset was lost", async () => {
  const executor = await box("laptop", "subscription");
  const jobId = await world.submit();
  await end(executor, limited(RESET));
  await world.t.run(async (ctx) => {
    for (const one of await ctx.db.system.query("_scheduled_functions").collect()) {
      if (one.name.includes("reset")) await ctx.scheduler.cancel(one._id);
    }
  });
  await runTo(RESET, executor);
  expect(await kindOf(jobId)).toBe("waiting");
  await world.t.mutation(internal.maintenance.reclaimExpired, {});
  await world.settle();
  expect(await kindOf(jobId)).toBe("assigned");
});

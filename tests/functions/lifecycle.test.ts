import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import {
  aReport,
  assigned,
  codeOf,
  failed,
  finish,
  onlyAssignment,
  started,
  World,
} from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const SUCCEEDED = { kind: "succeeded" } as const;

describe("the straight life", () => {
  test("submit → assigned → running → succeeded, with its timeline and attempt", async () => {
    const executor = await world.executor("one");
    const jobId = await world.submit();
    expect((await world.job(jobId)).state.kind).toBe("assigned");
    const { token, attempt, started: isStarted } = await onlyAssignment(executor);
    expect({ attempt, isStarted }).toEqual({ attempt: 1, isStarted: false });
    const claim = { jobId, token };
    const work = await executor.mutation(api.executors.start, claim);
    expect(work).toMatchObject({ prompt: "Say hello", ref: "HEAD" });
    expect(work.repository).toEqual({
      kind: "remote",
      host: "github.com",
      owner: "octo",
      name: "hello",
    });
    await executor.mutation(api.executors.phase, { ...claim, phase: "running", commit: "abc" });
    await executor.mutation(api.executors.phase, { ...claim, phase: "collecting" });
    await finish(executor, claim, SUCCEEDED);
    const shown = await world.t.query(internal.admin.showJob, { jobId });
    expect(shown.job.state.kind).toBe("succeeded");
    expect(shown.job.latest).toMatchObject({ commit: "abc", end: { kind: "succeeded" } });
    expect(shown.job.latest?.phases.map((p) => p.phase)).toEqual([
      "cloning",
      "running",
      "collecting",
    ]);
    expect(shown.events.map((e) => e.cause)).toEqual(["submit", "start", "succeed"]);
    expect(await assigned(executor)).toEqual([]);
  });

  test("start asked again → the same work, nothing changed", async () => {
    const executor = await world.executor("one");
    await world.submit();
    const claim = await started(executor);
    const before = await world.everything();
    const again = await executor.mutation(api.executors.start, claim);
    expect(again.prompt).toBe("Say hello");
    expect(await world.everything()).toEqual(before);
  });

  test("23: a result after the executor was revoked → refused, and the next attempt is untouched", async () => {
    const root = await world.user("administrator", "root");
    const executor = await world.executor("one");
    const jobId = await world.submit();
    const claim = await started(executor);
    await root.mutation(api.executors.revoke, { executorId: executor.executorId });
    await world.executor("two");
    expect((await world.job(jobId)).state.kind).toBe("assigned");
    const before = await world.everything();
    expect(await codeOf(finish(executor, claim, SUCCEEDED))).toBe("REVOKED");
    expect(await world.everything()).toEqual(before);
  });

  test("23: two results of one attempt, the second another one → the first stays", async () => {
    const executor = await world.executor("one");
    const jobId = await world.submit();
    const claim = await started(executor);
    await finish(executor, claim, SUCCEEDED);
    const before = await world.everything();
    await codeOf(finish(executor, claim, failed("cliError")));
    expect(await world.everything()).toEqual(before);
    expect((await world.job(jobId)).state.kind).toBe("succeeded");
  });

  test("23: a repeat of an accepted finish → accepted, nothing changed", async () => {
    const executor = await world.executor("one");
    await world.submit();
    const claim = await started(executor);
    await finish(executor, claim, SUCCEEDED);
    const before = await world.everything();
    expect(await finish(executor, claim, SUCCEEDED)).toEqual({ accepted: true });
    expect(await world.everything()).toEqual(before);
  });
});

describe("failure", () => {
  test("a retryable failure → backoff, charged, then pending again by the timer", async () => {
    const executor = await world.executor("one", 1, 600_000);
    const jobId = await world.submit();
    await finish(executor, await started(executor), failed("apiError"));
    const after = await world.job(jobId);
    expect(after.state).toMatchObject({ kind: "backoff", reason: "apiError" });
    expect(after).toMatchObject({ charged: 1, interruptions: 0 });
    await world.advance(5_000);
    expect((await world.job(jobId)).state.kind).toBe("assigned");
    expect((await onlyAssignment(executor)).attempt).toBe(2);
  });

  test("attempts used up → failed with the reason", async () => {
    const executor = await world.executor("one", 1, 900_000);
    const jobId = await world.submit({ attemptsMax: 2 });
    await finish(executor, await started(executor), failed("cliError"));
    await world.advance(60_000);
    await finish(executor, await started(executor), failed("cliError"));
    expect((await world.job(jobId)).state).toMatchObject({ kind: "failed", reason: "cliError" });
  });

  test("a final reason → failed at once, and retry → pending anew", async () => {
    const executor = await world.executor("one");
    const operator = await world.user("operator");
    const jobId = await world.submit();
    await finish(executor, await started(executor), failed("refNotFound"));
    expect((await world.job(jobId)).state).toMatchObject({ kind: "failed", reason: "refNotFound" });
    const state = await operator.mutation(api.jobs.retry, { jobId });
    expect(state).toEqual({ kind: "pending" });
    expect(await world.job(jobId)).toMatchObject({ attempt: 1, charged: 0, failures: [] });
    await world.settle();
    expect((await onlyAssignment(executor)).attempt).toBe(2);
  });

  test("cliAuth → executor unhealthy without slots, job pending uncharged; register heals", async () => {
    const executor = await world.executor("one", 2);
    const viewer = await world.user("viewer");
    const jobId = await world.submit();
    await finish(executor, await started(executor), failed("cliAuth"));
    await world.settle();
    expect(await world.job(jobId)).toMatchObject({
      state: { kind: "pending" },
      charged: 0,
      interruptions: 1,
    });
    expect(await viewer.query(api.executors.list, {})).toMatchObject([
      { unhealthy: { reason: "cliAuth" }, freeSlots: 0 },
    ]);
    const operator = await world.user("operator");
    await operator.mutation(api.executors.resume, { executorId: executor.executorId });
    await world.settle();
    expect((await world.job(jobId)).state.kind).toBe("assigned");
    expect(await viewer.query(api.executors.list, {})).toMatchObject([
      { unhealthy: null, freeSlots: 1 },
    ]);
  });

  test("ten interruptions → failed with tooManyInterruptions", async () => {
    const executor = await world.executor("one");
    const jobId = await world.submit();
    for (let i = 0; i < 10; i += 1) {
      const interrupted = { kind: "interrupted", reason: "shutdown" } as const;
      await finish(executor, await started(executor), interrupted);
      await world.settle();
    }
    expect((await world.job(jobId)).state).toMatchObject({
      kind: "failed",
      reason: "tooManyInterruptions",
    });
  });
});

describe("cancel", () => {
  test("pending → canceled at once", async () => {
    const operator = await world.user("operator");
    const jobId = await world.submit();
    expect(await operator.mutation(api.jobs.cancel, { jobId })).toMatchObject({ kind: "canceled" });
    expect(await operator.mutation(api.jobs.cancel, { jobId })).toMatchObject({ kind: "canceled" });
  });

  test("assigned, not started → canceled at once, slot free, start is stale", async () => {
    const executor = await world.executor("one");
    const operator = await world.user("operator");
    const jobId = await world.submit();
    const { token } = await onlyAssignment(executor);
    expect(await operator.mutation(api.jobs.cancel, { jobId })).toMatchObject({ kind: "canceled" });
    expect(await codeOf(executor.mutation(api.executors.start, { jobId, token }))).toBe(
      "STALE_LEASE",
    );
    expect(await operator.query(api.executors.list, {})).toMatchObject([{ freeSlots: 1 }]);
  });

  test.each([SUCCEEDED, { kind: "canceled" } as const, failed("apiError")])(
    "23: running, asked to cancel, then finishes as %o → canceled",
    async (outcome) => {
      const executor = await world.executor("one");
      const operator = await world.user("operator");
      const jobId = await world.submit();
      const claim = await started(executor);
      expect(await operator.mutation(api.jobs.cancel, { jobId })).toMatchObject({
        kind: "running",
      });
      expect(await onlyAssignment(executor)).toMatchObject({ cancelRequested: true });
      const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
      expect(beat.directives).toEqual(["cancel"]);
      await finish(executor, claim, outcome);
      expect((await world.job(jobId)).state.kind).toBe("canceled");
    },
  );

  test("running, executor deaf → canceled at the deadline; slot only once it lets go", async () => {
    const executor = await world.executor("one", 1, 600_000);
    const operator = await world.user("operator");
    const jobId = await world.submit();
    const claim = await started(executor);
    await operator.mutation(api.jobs.cancel, { jobId });
    await world.advance(20_000);
    expect((await world.job(jobId)).state.kind).toBe("canceled");
    const second = await world.submit();
    expect((await world.job(second)).state.kind).toBe("pending");
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["stop"]);
    await world.settle();
    expect((await world.job(second)).state.kind).toBe("pending");
    await executor.mutation(api.executors.heartbeat, { held: [] });
    await world.settle();
    expect((await world.job(second)).state.kind).toBe("assigned");
  });

  test("canceled reported without being asked, or cancel after success → ILLEGAL_TRANSITION", async () => {
    const executor = await world.executor("one");
    const operator = await world.user("operator");
    const jobId = await world.submit();
    const claim = await started(executor);
    expect(await codeOf(finish(executor, claim, { kind: "canceled" }))).toBe("ILLEGAL_TRANSITION");
    await finish(executor, claim, SUCCEEDED);
    expect(await codeOf(operator.mutation(api.jobs.cancel, { jobId }))).toBe("ILLEGAL_TRANSITION");
    expect(await codeOf(operator.mutation(api.jobs.retry, { jobId }))).toBe("ILLEGAL_TRANSITION");
  });
});

describe("22: every executor write with a stale token changes nothing", () => {
  const writes = {
    start: {},
    phase: { phase: "running" as const },
    finish: { outcome: SUCCEEDED, report: aReport },
  };
  test.each(["lease expired", "taken by a later attempt"])("%s", async (how) => {
    const executor = await world.executor("one", 1, 30_000);
    const jobId = await world.submit();
    const stale = await started(executor);
    await world.advance(30_000);
    expect((await world.job(jobId)).state.kind).toBe("pending");
    if (how === "taken by a later attempt") {
      await world.executor("two");
      expect((await world.job(jobId)).state.kind).toBe("assigned");
    }
    const before = await world.everything();
    const calls = [
      executor.mutation(api.executors.start, { ...stale, ...writes.start }),
      executor.mutation(api.executors.phase, { ...stale, ...writes.phase }),
      executor.mutation(api.executors.finish, { ...stale, ...writes.finish }),
      executor.mutation(api.logs.append, {
        ...stale,
        seq: 0,
        entries: [{ at: 1, kind: "text", text: "late" }],
      }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("STALE_LEASE");
    expect(await world.everything()).toEqual(before);
  });
});

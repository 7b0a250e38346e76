import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { codeOf, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

test("an operator submits, shows, lists and cancels a job without an identity", async () => {
  const jobId = await world.submit();
  const shown = await world.t.query(internal.admin.showJob, { jobId });
  expect(shown).toMatchObject({ prompt: "Say hello", job: { submittedBy: "operator" } });
  const listed = await world.t.query(internal.admin.listJobs, { state: "pending" });
  expect(listed.map((job) => job.jobId)).toEqual([jobId]);
  const state = await world.t.mutation(internal.admin.cancelJob, { jobId });
  expect(state.kind).toBe("canceled");
  expect(await codeOf(world.t.query(internal.admin.showJob, { jobId: "x" }))).toBe("NOT_FOUND");
});

test("an operator holds, releases, snoozes, requeues, retries and explains a job", async () => {
  const jobId = await world.submit();
  const kinds = [];
  const until = Date.now() + 60_000;
  kinds.push((await world.t.mutation(internal.admin.holdJob, { jobId })).kind);
  kinds.push((await world.t.mutation(internal.admin.releaseJob, { jobId })).kind);
  kinds.push((await world.t.mutation(internal.admin.snoozeJob, { jobId, until })).kind);
  expect(await world.t.query(internal.admin.explainJob, { jobId })).toMatchObject({ until });
  kinds.push((await world.t.mutation(internal.admin.requeueJob, { jobId })).kind);
  kinds.push((await world.t.mutation(internal.admin.cancelJob, { jobId })).kind);
  kinds.push((await world.t.mutation(internal.admin.retryJob, { jobId })).kind);
  expect(kinds).toEqual(["waiting", "pending", "waiting", "pending", "canceled", "pending"]);
});

test("an operator pauses, limits and resumes the queue, drains an executor, acts on many jobs", async () => {
  const { executorId } = await world.executor("box", 1);
  await world.t.mutation(internal.admin.pauseQueue, { reason: "why" });
  const jobId = await world.submit();
  expect(await world.t.query(internal.admin.showQueue, {})).toMatchObject({
    paused: { kind: "pause", reason: "why", by: "operator" },
  });
  await world.t.mutation(internal.admin.setLimits, { running: 3 });
  await world.t.mutation(internal.admin.setGateLimit, { gate: "key:k", limit: 2 });
  await world.t.mutation(internal.admin.drainExecutor, { executorId });
  await world.t.mutation(internal.admin.resumeQueue, {});
  await world.settle();
  expect((await world.job(jobId)).state.kind).toBe("pending");
  await world.t.mutation(internal.admin.resumeExecutor, { executorId });
  await world.settle();
  expect((await world.job(jobId)).state.kind).toBe("assigned");
  const filter = { state: "assigned" };
  const operationId = await world.t.mutation(internal.admin.startBulk, {
    action: "cancel",
    filter,
  });
  await world.settle();
  await world.t.mutation(internal.admin.cancelBulk, { operationId });
  expect(await world.t.query(internal.admin.showBulk, { operationId })).toMatchObject({
    status: "done",
    done: 1,
  });
});

test("an operator with the deployment's key alone asks for a new key and ends an executor", async () => {
  const executor = await world.executor("box", 1);
  const { executorId } = executor;
  await world.t.mutation(internal.admin.requestRotation, { executorId });
  expect(await executor.mutation(api.executors.heartbeat, { held: [] })).toMatchObject({
    rotateKey: true,
  });
  await world.t.mutation(internal.admin.revokeExecutor, { executorId });
  const beat = executor.mutation(api.executors.heartbeat, { held: [] });
  expect(await codeOf(beat)).toBe("REVOKED");
  const lines = await world.t.run((ctx) => ctx.db.query("audit").collect());
  const byOperator = lines.filter(({ actor }) => actor === "operator");
  expect(byOperator.slice(-2).map(({ action, target }) => [action, target])).toEqual([
    ["executor.rotationAsked", "box"],
    ["executor.revoked", "box"],
  ]);
});

test("an operator ends the sessions of everybody, and the audit says how many", async () => {
  const viewer = await world.user("viewer");
  expect(await world.t.mutation(internal.sessions.endAll, {})).toEqual({ ended: 1, more: false });
  expect(await codeOf(viewer.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  const lines = await world.t.run((ctx) => ctx.db.query("audit").collect());
  expect(lines.at(-1)).toMatchObject({ action: "sessions.ended", actor: "operator", detail: "1" });
});

test("GET /api/health → counts by state and executors online, without identity", async () => {
  const executor = await world.executor("box", 1);
  await world.submit();
  await started(executor);
  await world.submit();
  const response = await world.t.fetch("/api/health");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    status: "ok",
    jobs: { pending: 1, assigned: 0, running: 1, backoff: 0 },
    executors: { online: 1 },
  });
});

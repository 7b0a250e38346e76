/** What ends an executor's identity, or replaces its key, while it works: real processes. */
import { expect, it } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Conversation, Script } from "../../cli/demo/messagesScript.js";
import { gitRepo } from "../support/gitRepo.js";
import { isAlive, noneLeft, noneLeftWith, running } from "../support/processes.js";
import { runsLong, say, waitsAt } from "../support/scripts.js";
import { startStack, type Stack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo();
const repositories = [repo.path];
/** How an executor's process ends when another took its identity over. */
const SUPERSEDED = 76;

/**
 * The first answer runs a tool that does not end; every later one ends the run, in the same session too:
 * where a checkpoint was taken in time, the next attempt goes on with it.
 */
function longOnce(): (conversation: Conversation) => Script {
  const [long, done] = [runsLong(), say("Done.")];
  let isFirst = true;
  return ({ turn }) => {
    const script = isFirst && turn === 0 ? long : done;
    isFirst = false;
    return script;
  };
}

async function withRunningTool(variables: Record<string, string> = {}) {
  const stack = await startStack({ script: longOnce(), repositories, variables });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Sleep" });
  const { latest } = await stack.running(jobId);
  const marker = `FONDATION_JOB=${jobId}:1`;
  await running(marker, "sleep 600");
  if (latest === null) throw new Error("no attempt");
  return { stack, jobId, marker, executorId: latest.executorId };
}

const processOf = (stack: Stack) => {
  const child = stack.executors.get("executor-1");
  if (child === undefined) throw new Error("no executor");
  return child;
};

it("25: revoked while a tool runs → no process is left, and the job ends elsewhere", async () => {
  const { stack, jobId, marker, executorId } = await withRunningTool();
  const administrator = await stack.administrator();
  await administrator.mutation(api.executors.revoke, { executorId });
  await processOf(stack).exited;
  await noneLeft([processOf(stack).pid]);
  await noneLeftWith(marker);
  await stack.addExecutor("executor-2");
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2 });
  expect(job.latest?.executorId).not.toBe(executorId);
});

it("superseded while a tool runs → the earlier process ends with its tool, the later one does the job", async () => {
  // Heartbeats far apart: it is the subscription that tells the earlier process.
  const { stack, jobId, marker } = await withRunningTool({
    HEARTBEAT_INTERVAL: "20000",
    LEASE_TIME: "60000",
  });
  const earlier = processOf(stack);
  const startedAt = performance.now();
  const later = await stack.addExecutor("executor-1", { TEMP_DIR: tempDir("later") });
  expect((await earlier.exited).code).toBe(SUPERSEDED);
  process.stdout.write(`supersession reached the earlier process in ${since(startedAt)} ms\n`);
  await noneLeft([earlier.pid]);
  await noneLeftWith(marker);
  expect(await stack.ended(jobId)).toMatchObject({
    ...{ state: { kind: "succeeded" }, attempt: 2, interruptions: 1 },
  });
  expect(isAlive(later.pid)).toBe(true);
  const { page } = await (
    await stack.administrator()
  ).query(api.audit.list, {
    filter: { action: "executor.registered" },
    paginationOpts: { numItems: 10, cursor: null },
  });
  expect(page.map(({ detail }) => detail?.includes("took over from"))).toEqual([true, false]);
});

it("emergency stop → tools ended, executors and sessions out; lifted → a new executor works", async () => {
  const { stack, jobId, marker } = await withRunningTool();
  const administrator = await stack.administrator();
  const startedAt = performance.now();
  await administrator.mutation(api.emergency.stop, {
    ...{ reason: "a leak", running: "drain" },
    ...{ revokeExecutors: true, endSessions: true },
  });
  await processOf(stack).exited;
  await noneLeftWith(marker);
  process.stdout.write(`emergency stop reached the executor in ${since(startedAt)} ms\n`);
  await expect(administrator.query(api.auth.me, {})).rejects.toThrow(/UNAUTHENTICATED/);
  const again = await stack.administrator();
  const { token } = await again.mutation(api.executors.createEnrolment, { label: "executor-2" });
  expect(token).toMatch(/^fen_/);
  expect(await again.query(api.jobs.get, { jobId })).toMatchObject({ state: { kind: "pending" } });
  await again.mutation(api.emergency.lift, {});
  expect(await again.query(api.emergency.status, {})).toBe(null);
});

it("an emergency stop that cancels ends the tool of a live executor; lifted, it works on", async () => {
  const { stack, jobId, marker } = await withRunningTool();
  const administrator = await stack.administrator();
  const stoppedAt = performance.now();
  await administrator.mutation(api.emergency.stop, {
    ...{ reason: "too expensive", running: "cancel" },
    ...{ revokeExecutors: false, endSessions: false },
  });
  expect((await stack.ended(jobId)).state.kind).toBe("canceled");
  await noneLeftWith(marker);
  process.stdout.write(`emergency cancel was over in ${since(stoppedAt)} ms\n`);
  const waiting = await stack.submit({ repository: repo.path, prompt: "Answer" });
  const liftedAt = performance.now();
  await administrator.mutation(api.emergency.lift, {});
  await stack.job(waiting, (job) => job.attempt === 1);
  process.stdout.write(`the lift reached the executor in ${since(liftedAt)} ms\n`);
  expect((await stack.ended(waiting)).state.kind).toBe("succeeded");
});

it("a new key while a tool runs: the attempt goes on, and the executor with it", async () => {
  const stack = await startStack({
    script: waitsAt("answer"),
    repositories,
    variables: { HEARTBEAT_INTERVAL: "300" },
  });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Wait" });
  const { latest } = await stack.running(jobId);
  if (latest === null) throw new Error("no attempt");
  const administrator = await stack.administrator();
  await administrator.mutation(api.executors.requestRotation, { executorId: latest.executorId });
  await waitFor("the key to be replaced", async () => {
    const { page } = await administrator.query(api.audit.list, {
      paginationOpts: { numItems: 50, cursor: null },
    });
    return page.some((row) => row.action === "executor.keyRotated");
  });
  stack.api.release("answer");
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1, interruptions: 0 });
  const next = await stack.submit({ repository: repo.path, prompt: "Again" });
  stack.api.release("answer");
  expect(await stack.ended(next)).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
});

it.each([
  ["soft: tokens of the key before stay good", true],
  ["hard: executors get new tokens by themselves", false],
])("the key that signs executors' tokens is replaced while a tool runs, %s", async (_, isSoft) => {
  const stack = await startStack({
    script: waitsAt("answer"),
    repositories,
    variables: { HEARTBEAT_INTERVAL: "300" },
  });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Wait" });
  await stack.running(jobId);
  await stack.rotateExecutorKeys(isSoft);
  stack.api.release("answer");
  const done = { state: { kind: "succeeded" }, attempt: 1, interruptions: 0 };
  expect(await stack.ended(jobId)).toMatchObject(done);
  const next = await stack.submit({ repository: repo.path, prompt: "Again" });
  expect(await stack.ended(next)).toMatchObject(done);
});

const since = (startedAt: number) => Math.round(performance.now() - startedAt);

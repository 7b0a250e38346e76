/** What survives a SIGKILL of the executor, and of the backend. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { gitRepo } from "../support/gitRepo.js";
import { speakAs } from "../support/executorIdentity.js";
import { killHard, noneLeftWith, processesWith, running } from "../support/processes.js";
import type { Conversation, Script } from "../../cli/demo/messagesScript.js";
import { runsLong, say, waitsAt } from "../support/scripts.js";
import { startStack } from "../support/stack.js";
import { startTcpProxy } from "../support/tcpProxy.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo();
const repositories = [repo.path];
const tokens = { input: 1, output: 1, cacheRead: 0, cacheCreation: 0 };
/** The CLI asks a gateway that is gone a few times more, with pauses. */
const GIVES_UP_MS_MAX = 60_000;
const SHORT_LEASE = { LEASE_TIME: "3000", HEARTBEAT_INTERVAL: "500" };

/** The first session runs a tool that does not end; every later one gets the script. */
function longThen(later: Script): (conversation: Conversation) => Script {
  const long = runsLong();
  let first: string | undefined;
  return ({ sessionId }) => {
    first ??= sessionId;
    return sessionId === first ? long : later;
  };
}

it("an executor killed mid-run: another finishes the job, and the first one's token is refused", async () => {
  const stack = await startStack({
    script: longThen(say("Done.")),
    repositories,
    variables: SHORT_LEASE,
  });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Sleep" });
  const marker = `FONDATION_JOB=${jobId}:1`;
  const { latest: first } = await stack.running(jobId);
  // The CLI, the shell of its Bash tool, and the sleep.
  await running(marker, "sleep 600");
  await stack.killExecutor("executor-1");
  await stack.addExecutor("executor-2");
  const job = await stack.ended(jobId);
  expect(job.state.kind).toBe("succeeded");
  expect(job).toMatchObject({ attempt: 2, charged: 1, interruptions: 1 });
  expect(job.latest?.executorId).not.toBe(first?.executorId);
  expect(job.latest?.token).toBeGreaterThan(first?.token ?? Infinity);

  // The first executor is alive after all: its identity is good, its token is not.
  const zombie = await speakAs(stack.url, stack.stateDir("executor-1"));
  const held = { jobId, token: first?.token ?? 0 };
  const refused = { code: "STALE_LEASE" };
  const entries = [{ at: 0, kind: "text" as const, text: "from the dead" }];
  const report = { costUsd: 1, tokens, turns: 1, permissionDenials: 0 };
  try {
    await zombie.register({ slots: 1, leaseMs: 3_000, version: "0", cliVersion: "0", labels: [] });
    await expect(zombie.phase(held, { phase: "collecting" })).rejects.toMatchObject(refused);
    await expect(zombie.appendLog(held, 0, entries)).rejects.toMatchObject(refused);
    const outcome = { kind: "failed" as const, reason: "internal" as const, message: "late" };
    await expect(zombie.finish(held, { outcome, report })).rejects.toMatchObject(refused);
  } finally {
    await zombie.close();
  }
  expect(await stack.people.getJob(jobId)).toEqual(job);

  // What the killed process left running is ended by the next one on its machine.
  expect(processesWith(marker)).not.toEqual([]);
  await stack.addExecutor("executor-1");
  await noneLeftWith(marker);
});

it("a stopped executor that wakes after its lease: the job ended once, elsewhere", async () => {
  const stack = await startStack({
    script: waitsAt("answer"),
    repositories,
    variables: SHORT_LEASE,
  });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Wait" });
  await stack.running(jobId);
  await stack.api.reached("answer");
  const child = stack.executors.get("executor-1");
  process.kill(child?.pid ?? 0, "SIGSTOP");
  try {
    await stack.addExecutor("executor-2");
    await stack.job(jobId, (job) => job.attempt === 2 && job.latest?.spawnedAt !== undefined);
    stack.api.release("answer");
    const job = await stack.ended(jobId);
    expect(job).toMatchObject({ attempt: 2, charged: 1, interruptions: 1 });
    process.kill(child?.pid ?? 0, "SIGCONT");
    await noneLeftWith(`FONDATION_JOB=${jobId}:1`);
    const after = await stack.people.getJob(jobId);
    expect(after).toEqual(job);
    expect(after.state.kind).toBe("succeeded");
  } finally {
    killHard(child?.pid ?? 0);
  }
});

it("an executor that is cut off ends what it runs before its lease does, and the job goes on elsewhere", async () => {
  const stack = await startStack({
    script: longThen(say("Done.")),
    repositories,
    executors: 0,
    variables: { LEASE_TIME: "10000", HEARTBEAT_INTERVAL: "500" },
  });
  const proxy = await startTcpProxy(Number(new URL(stack.url).port));
  await stack.addExecutor("executor-1", { CONVEX_URL: proxy.url });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Sleep" });
  const marker = `FONDATION_JOB=${jobId}:1`;
  await stack.running(jobId);
  await running(marker, "sleep 600");
  await proxy.cut();
  await noneLeftWith(marker);
  const goneAt = Date.now();
  // All clocks are of one machine: the backend took the attempt back later than its last process ended.
  await stack.addExecutor("executor-2");
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, interruptions: 1 });
  const events = await stack.people.listEvents(jobId);
  const expired = events.find(({ cause }) => cause === "expire");
  expect(expired).toMatchObject({ reason: "leaseExpired", attempt: 1 });
  expect(expired?.at).toBeGreaterThan(goneAt);
});

it("a backend killed and started again mid-run: the executor reconnects, the job succeeds once", async () => {
  const stack = await startStack({ script: waitsAt("answer"), repositories });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Wait" });
  await stack.running(jobId);
  await stack.api.reached("answer");
  await stack.crashBackend();
  stack.api.release("answer");
  const job = await stack.ended(jobId);
  expect(job.state.kind).toBe("succeeded");
  expect(job).toMatchObject({ attempt: 1, charged: 1, interruptions: 0 });
  const events = await stack.people.listEvents(jobId);
  expect(events.filter((e) => e.to === "succeeded")).toHaveLength(1);
  expect(stack.api.requests.filter((r) => r.kind === "main")).toHaveLength(1);
});

it("an executor killed mid-run: the run it left asks the model nothing more, and ends", async () => {
  const sign = path.join(tempDir("signs"), "sign");
  const untilSign = `until [ -e ${sign} ]; do sleep 0.05; done`;
  const stack = await startStack({
    script: () => ({
      steps: [
        { tools: [{ name: "Bash", input: { command: untilSign, description: "Wait" } }] },
        { text: "Paid for nothing." },
      ],
    }),
    repositories,
  });
  const jobId = await stack.submit({ repository: repo.path, prompt: "Wait" });
  const marker = `FONDATION_JOB=${jobId}:1`;
  await running(marker, "sleep 0.05");
  await stack.killExecutor("executor-1");
  const asked = stack.api.requests.length;
  writeFileSync(sign, "");
  // The gateway, its only way to the model, was the executor's.
  await waitFor("the run to end", () => processesWith(marker).length === 0, GIVES_UP_MS_MAX);
  expect(stack.api.requests).toHaveLength(asked);
});

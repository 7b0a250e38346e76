/** Nothing outlives its attempt, or its executor; and the executor outlives what its runs do. */
import { chmodSync, linkSync, copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Script } from "../../cli/demo/messagesScript.js";
import { gitRepo } from "../support/gitRepo.js";
import { commandLines, noneLeftWith, processesWith } from "../support/processes.js";
import { startStack, type Stack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";
import { type Listener, startRecorder } from "./hostileParts/listeners.js";

const NOTES = "Indent with three spaces.";
const repo = gitRepo({ "README.md": "# hello\n", "CLAUDE.md": `${NOTES}\n${"x".repeat(40_000)}` });
const LEASE = { LEASE_TIME: "6000", HEARTBEAT_INTERVAL: "1000" };
/** Children that leave their parent and their session, the last two their environment as well. */
const strays = (seconds: number): string =>
  [
    `nohup sleep ${String(seconds)}1 >/dev/null 2>&1 &`,
    `(setsid sh -c '(sleep ${String(seconds)}2 &) &' >/dev/null 2>&1 &)`,
    `env -i setsid sh -c '(sleep ${String(seconds)}3 &) &' >/dev/null 2>&1`,
    `(env -i setsid nohup sleep ${String(seconds)}4 >/dev/null 2>&1 &)`,
  ].join("\n");
const sleeping = (seconds: number): string[] =>
  commandLines().filter((line) => line.startsWith(`sleep ${String(seconds)}`));
/** All processors, and half a gigabyte, for longer than a lease. */
const BURN = `for i in 1 2 3 4 5 6 7 8; do timeout 8 sh -c 'while :; do :; done' & done
timeout 8 /run/fondation/node -e 'const all = []; for (;;) if (all.length < 512) all.push(Buffer.alloc(2 ** 20, 1));'
wait; echo burnt`;

const bash = (command: string): Script => ({
  steps: [{ tools: [{ name: "Bash", input: { command, description: "Run" } }] }, { text: "Done." }],
});
const scripts: Record<string, Script> = {
  burn: bash(BURN),
  jailed: bash(`${strays(701)}\nsleep 7015`),
  user: bash(`${strays(702)}\nid -u`),
  killed: bash(`${strays(703)}\nsleep 7035`),
};

let stack: Stack;
let recorder: Listener;
beforeAll(async () => {
  stack = await startStack({
    script: ({ prompt }) => scripts[prompt.split(" ")[0] ?? ""] ?? { steps: [] },
    repositories: [repo.path],
    executors: 0,
  });
  recorder = await startRecorder(stack.api.url);
});
afterAll(() => recorder.close());

const submit = (prompt: string) => stack.submit({ repository: repo.path, prompt });
/** Resolves when all four strays of the running tool are there. */
const strayed = (jobId: string, seconds: number) =>
  waitFor("the strays", () => {
    const isMarked = processesWith(`FONDATION_JOB=${jobId}`).length > 0;
    return isMarked && sleeping(seconds).length === 5;
  });

/** A place that users other than root can reach, as level uid needs it. */
function openPlace(): Record<string, string> {
  const place = tempDir("open");
  chmodSync(place, 0o755);
  const { resolve } = createRequire(import.meta.url);
  const name = `@anthropic-ai/claude-code-${process.platform}-${process.arch}/package.json`;
  const binary = path.join(path.dirname(resolve(name)), "claude");
  const claude = path.join(place, "claude");
  try {
    linkSync(binary, claude);
  } catch {
    // Another file system.
    copyFileSync(binary, claude);
  }
  return { TEMP_DIR: path.join(place, "temp"), CLAUDE_BIN: claude };
}

it("all processors and much memory taken by a run → the executor keeps its lease meanwhile", async () => {
  const PORT = await freePort();
  await stack.addExecutor("executor-1", { ...LEASE, JAIL_LEVEL: "jail", PORT });
  const jobId = await submit("burn");
  await stack.running(jobId);
  let longest = 0;
  const ended = stack.ended(jobId);
  let isOver = false;
  void ended.then(() => (isOver = true));
  await waitFor("the run to end", async () => {
    const answer = await fetch(`http://127.0.0.1:${PORT}/metrics`);
    const { sinceHeartbeatMs } = (await answer.json()) as { sinceHeartbeatMs: number };
    longest = Math.max(longest, sinceHeartbeatMs);
    return isOver;
  });
  const job = await ended;
  process.stdout.write(`longest time between acknowledged heartbeats: ${String(longest)} ms\n`);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1, interruptions: 0 });
});

it("an executor at level jail is killed → its run is gone with all its children, at once", async () => {
  const jobId = await submit("jailed");
  await strayed(jobId, 701);
  await stack.killExecutor("executor-1");
  await stack.people.cancel(jobId);
  await noneLeftWith(`FONDATION_JOB=${jobId}`);
  await waitFor("no stray", () => sleeping(701).length === 0);
});

it("level uid: no child outlives its run, without its environment neither; CLAUDE.md came as notes", async () => {
  await stack.addExecutor("executor-2", {
    ...{ ...openPlace(), JAIL_LEVEL: "uid", PROJECT_NOTES: "1" },
    ANTHROPIC_BASE_URL: recorder.url,
  });
  const jobId = await submit("user");
  expect((await stack.ended(jobId)).state.kind).toBe("succeeded");
  expect(sleeping(702)).toEqual([]);
  const { conversation } = stack.api.requests.at(-1) ?? {};
  expect(Number(conversation?.toolResults[0])).toBeGreaterThanOrEqual(58_000);
  const [first] = recorder.seen;
  expect(first?.body).toContain(NOTES);
  expect(first?.body).toContain("<untrusted-notes>");
  expect(first?.body).toContain("[cut off here]");
});

it("an executor at level uid is killed → what it leaves, known by its user alone, is ended by the next", async () => {
  const jobId = await submit("killed");
  await strayed(jobId, 703);
  await stack.killExecutor("executor-2");
  expect(sleeping(703)).toHaveLength(5);
  await stack.people.cancel(jobId);
  await stack.addExecutor("executor-2", { ...openPlace(), JAIL_LEVEL: "uid" });
  await waitFor("no stray", () => sleeping(703).length === 0);
});

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

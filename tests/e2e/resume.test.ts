/** A run whose executor ends goes on elsewhere where it was: real CLI, real git, real SIGKILLs. */
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { JobId } from "../../cli/backend.js";
import type { Conversation, Script, ToolCall } from "../../cli/demo/messagesScript.js";
import { api } from "../../convex/_generated/api.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import { gitRepo } from "../support/gitRepo.js";
import { descendantsOf, killHard, noneLeft } from "../support/processes.js";
import { startStack, type Stack } from "../support/stack.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo({ "README.md": "# hello\n", ".gitignore": "*.tmp\n", "src/a.js": "a\n" });
const bash = (command: string): ToolCall => ({
  name: "Bash",
  input: { command, description: "Run" },
});
const file_path = "${cwd}/notes.txt";
/** Seven tools, then an answer. Each leaves something that a checkpoint can lose. */
const TOOLS: ToolCall[] = [
  { name: "Write", input: { file_path, content: "one\ntwo\n" } },
  bash("echo once >> log.txt; printf '\\0\\1\\2' > binary; echo ignored > cache.tmp"),
  bash("git checkout -q -b work && git add notes.txt log.txt && git commit -q -m first"),
  { name: "Edit", input: { file_path, old_string: "two", new_string: "three" } },
  bash("git add notes.txt; mkdir -p deep/er; ln -s ../notes.txt deep/link; rm src/a.js"),
  bash("git commit -q -m second; echo '#!/bin/sh' > deep/er/run; chmod +x deep/er/run"),
  bash(
    "{ git log --format=%s; git symbolic-ref HEAD; git status --porcelain; cat cache.tmp; find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha1sum; } > /tmp/state.$$; mv /tmp/state.$$ STATE",
  ),
];
const TURNS = TOOLS.length + 1;
const INPUT_TOKENS = 1_000;
const SHORT_LEASE = { LEASE_TIME: "3000", HEARTBEAT_INTERVAL: "500" };

/** The conversation of each prompt waits at the turn that its name ends with: "Run 3" at the third. */
const scripts = new Map<string, Script>();
function scriptOf({ prompt }: Conversation): Script {
  const name = /[A-Z][a-z]+ \d/.exec(prompt)?.[0] ?? "Straight 9";
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const at = Number(name.slice(-1));
  const steps = [...TOOLS.map((tool) => ({ tools: [tool] })), { text: "All done." }];
  const script = { steps: steps.map((step, i) => (i === at ? { ...step, gate: name } : step)) };
  scripts.set(name, script);
  return script;
}

let stack: Stack;
let client: Awaited<ReturnType<Stack["administrator"]>>;
/** What the run that nobody disturbs changes. */
let wanted: string | undefined;
beforeAll(async () => {
  const repositories = [repo.path];
  const variables = { ...SHORT_LEASE, JAIL_LEVEL: "jail" };
  stack = await startStack({ script: scriptOf, repositories, executors: 2, slots: 4, variables });
  client = await stack.administrator();
  wanted = (await stack.ended(await submit("Straight 9"))).latest?.report?.changes?.patch;
});

const submit = (name: string): Promise<JobId> =>
  stack.submit({ repository: repo.path, prompt: name, concurrencyKey: null });

/** The run waits for the model's answer, and what it did before is kept. */
async function keptAt(name: string, jobId: JobId): Promise<void> {
  await stack.api.reached(name);
  const turns = Number(name.slice(-1));
  if (turns === 0) return;
  await waitFor(`the checkpoint of ${name}`, async () => {
    const kept = await client.query(api.checkpoints.get, { jobId });
    return (kept?.turns ?? 0) >= turns;
  });
}

const requestsOf = (name: string): number =>
  stack.api.requests.filter(
    ({ kind, conversation }) => kind === "main" && conversation.prompt.includes(name),
  ).length;

async function killTree(name: string): Promise<void> {
  const pid = stack.executors.get(name)?.pid ?? 0;
  const all = descendantsOf(pid);
  await stack.killExecutor(name);
  for (const one of all) killHard(one);
}

const inputTokens = (job: JobDetail): number | undefined => job.latest?.report?.tokens.input;

it("killed at each of eight turns: the same tree, and at most the request under way made again", async () => {
  const names = Array.from({ length: TURNS }, (_, i) => `Run ${String(i)}`);
  const jobs = await Promise.all(names.map(async (name) => ({ name, jobId: await submit(name) })));
  await Promise.all(jobs.map(({ name, jobId }) => keptAt(name, jobId)));
  const made = names.map(requestsOf);
  // One loses its process alone and starts again; of the other nothing is left.
  const orphans = descendantsOf(stack.executors.get("executor-1")?.pid ?? 0);
  await stack.killExecutor("executor-1");
  await killTree("executor-2");
  await stack.addExecutor("executor-1");
  await stack.addExecutor("executor-3");
  // Ended by the new process before it takes work; until then they would go on asking the model.
  await noneLeft(orphans);
  for (const name of names) stack.api.release(name);
  const ended = await Promise.all(jobs.map(({ jobId }) => stack.ended(jobId)));
  const requests = names.map(requestsOf);
  // The figure that the run is judged by, beside what is asserted.
  // eslint-disable-next-line no-console
  console.info(
    `model requests of a run of ${String(TURNS)} turns killed at turn 0 to 7: ${requests.join(", ")}; the least: ${String(TURNS + 1)}`,
  );
  for (const [turn, job] of ended.entries()) {
    expect(job.latest?.report?.changes?.patch, `turn ${String(turn)}`).toBe(wanted);
    expect(job).toMatchObject({ attempt: 2, charged: 1, interruptions: 1 });
    expect([turn, job.resumed, job.startedOver]).toEqual([
      turn,
      turn === 0 ? undefined : 1,
      undefined,
    ]);
    const [before, all] = [made[turn] ?? 0, requests[turn] ?? 0];
    expect([turn, before]).toEqual([turn, turn + 1]);
    // The request that was under way is made again, and no other.
    expect([turn, all]).toEqual([turn, TURNS + 1]);
    // What the first attempt spent is not in the second one's account.
    expect([turn, inputTokens(job)]).toEqual([turn, (TURNS - turn) * INPUT_TOKENS]);
  }
});

it("told to leave mid-run: keeps how far it is, gives the job back uncharged, another goes on", async () => {
  const name = "Leave 4";
  const jobId = await submit(name);
  await keptAt(name, jobId);
  const { latest } = await stack.people.getJob(jobId);
  const holder = (await stack.executorViews()).find((e) => e.executorId === latest?.executorId);
  const child = stack.executors.get(holder?.name ?? "");
  process.kill(child?.pid ?? 0, "SIGTERM");
  await child?.exited;
  stack.api.release(name);
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ attempt: 2, charged: 1, interruptions: 1, resumed: 1 });
  expect(job.latest?.report?.changes?.patch).toBe(wanted);
  expect(requestsOf(name)).toBe(TURNS + 1);
  const ends = await client.query(api.jobs.attempts, { jobId });
  expect(ends.at(-1)?.end).toMatchObject({ kind: "interrupted", reason: "shutdown" });
  await stack.addExecutor(holder?.name ?? "");
});

it("a checkpoint that is not what was uploaded: the run starts over, and the job says so", async () => {
  const name = "Spoilt 3";
  const jobId = await submit(name);
  await keptAt(name, jobId);
  const folder = path.join(stack.backendFolder, "files");
  for (const file of readdirSync(folder)) writeFileSync(path.join(folder, file), "spoilt");
  const { latest } = await stack.people.getJob(jobId);
  const holder = (await stack.executorViews()).find((e) => e.executorId === latest?.executorId);
  await killTree(holder?.name ?? "");
  stack.api.release(name);
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, startedOver: 1 });
  expect(job.latest?.resumption).toMatchObject({ resumed: false, from: 1, turns: 3 });
  expect(job.latest?.report?.changes?.patch).toBe(wanted);
  const events = await client.query(api.jobs.events, { jobId });
  expect(events.filter((event) => event.cause === "startOver")).toHaveLength(1);
});

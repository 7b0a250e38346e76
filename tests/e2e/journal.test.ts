/** What a run tells survives a lost backend and a SIGKILL of its executor: real parts, no fakes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { JobId } from "../../cli/backend.js";
import type { Conversation, Script, Step } from "../../cli/demo/messagesScript.js";
import type { LogEntry } from "../../convex/protocol/log.js";
import { gitRepo } from "../support/gitRepo.js";
import { descendantsOf, killHard, noneLeftWith } from "../support/processes.js";
import { startStack, type Stack } from "../support/stack.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo();
const CALLS = 24;
/** Each result nearly fills an entry: together they need several calls. */
const bash = (n: number): Step => ({
  tools: [{ name: "Bash", input: { command: `echo call ${String(n)}; seq 1 3000` } }],
});

/** Waits at the first answer, talks much, and waits again where its prompt says so. */
function scriptOf({ prompt }: Conversation): Script {
  const name = /[A-Z][a-z]+/.exec(prompt)?.[0] ?? "";
  const talk = Array.from({ length: CALLS }, (_, n) => bash(n));
  const first = { ...bash(CALLS), gate: `${name} begins` };
  const last = { text: "All done.", ...(name === "Stuck" ? { gate: `${name} ends` } : {}) };
  return { steps: [first, ...talk, last] };
}

let stack: Stack;
beforeAll(async () => {
  const repositories = [repo.path];
  stack = await startStack({ script: scriptOf, repositories, slots: 2 });
});

const submit = (prompt: string): Promise<JobId> =>
  stack.submit({ repository: repo.path, prompt, concurrencyKey: null });

async function wholeLog(jobId: JobId): Promise<LogEntry[]> {
  const { sealedChunks, tail } = await stack.people.getLogTail(jobId, 1);
  const chunks: LogEntry[] = [];
  for (let index = 0; index < sealedChunks; index += 1) {
    chunks.push(...(await stack.people.getLogChunk({ jobId, attempt: 1, index })).entries);
  }
  return [...chunks, ...tail];
}

/** The first words of each tool's result, in the order of the log. */
const callsOf = (log: readonly LogEntry[]): number[] =>
  log
    .filter((entry) => entry.kind === "toolResult")
    .map((entry) => Number(/^call (\d+)/.exec(entry.text)?.[1] ?? NaN));

const ALL_CALLS = [CALLS, ...Array.from({ length: CALLS }, (_, n) => n)];

function journalOf(jobId: JobId): string {
  const folder = path.join(stack.stateDir("executor-1"), "journal");
  if (!existsSync(folder)) return "";
  const file = readdirSync(folder).find(
    (name) => name.startsWith(jobId) && name.endsWith(".jsonl"),
  );
  return file === undefined ? "" : readFileSync(path.join(folder, file), "utf8");
}

it("a backend that is away while a run talks and ends: each entry arrives once, then the outcome", async () => {
  const jobId = await submit("Talk");
  await stack.api.reached("Talk begins");
  await stack.killBackend();
  stack.api.release("Talk begins");
  await waitFor("the end in the journal", () => journalOf(jobId).includes('{"ending":'));
  await stack.restartBackend();
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
  const log = await wholeLog(jobId);
  expect(callsOf(log)).toEqual(ALL_CALLS);
  expect(log.at(-1)).toMatchObject({ kind: "marker", text: "succeeded" });
  await waitFor("the journal to go", () => journalOf(jobId) === "");
});

it("a SIGKILL of the executor while the backend is away: the next process tells the rest", async () => {
  const [ended, stuck] = await Promise.all([submit("Ended"), submit("Stuck")]);
  await Promise.all([stack.api.reached("Ended begins"), stack.api.reached("Stuck begins")]);
  await stack.killBackend();
  stack.api.release("Ended begins");
  stack.api.release("Stuck begins");
  await stack.api.reached("Stuck ends");
  await waitFor("the end in the journal", () => journalOf(ended).includes('{"ending":'));
  await waitFor("the last call in the journal", () =>
    journalOf(stuck).includes(`call ${CALLS - 1}\\n`),
  );
  const tree = descendantsOf(stack.executors.get("executor-1")?.pid ?? 0);
  await stack.killExecutor("executor-1");
  for (const pid of tree) killHard(pid);
  await stack.restartBackend();
  await stack.addExecutor("executor-1");
  // Its run was over: nothing is done twice.
  const done = await stack.ended(ended);
  expect(done).toMatchObject({ state: { kind: "succeeded" }, attempt: 1, interruptions: 0 });
  expect(done.latest?.report?.result).toBe("All done.");
  expect(callsOf(await wholeLog(ended))).toEqual(ALL_CALLS);
  // The other's was not: what it had told is there, and the job goes on.
  const log = await wholeLog(stuck);
  expect(callsOf(log)).toEqual(ALL_CALLS);
  expect(log.at(-1)?.text).toContain("ended without warning");
  stack.api.release("Stuck begins");
  stack.api.release("Stuck ends");
  const other = await stack.ended(stuck);
  expect(other).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, interruptions: 1 });
  await noneLeftWith(`FONDATION_JOB=${stuck}`);
  await waitFor("the journals to go", () => journalOf(ended) + journalOf(stuck) === "");
});

/** People and runs talk to each other: real CLI, real executors, real SIGKILLs. */
import { execFile } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, it } from "vitest";
import type { JobId } from "../../cli/backend.js";
import type { Conversation, Script, ToolCall } from "../../cli/demo/messagesScript.js";
import { findRoot } from "../../cli/root.js";
import { api } from "../../convex/_generated/api.js";
import type { SteeringView } from "../../convex/protocol/steering.js";
import { gitRepo } from "../support/gitRepo.js";
import { descendantsOf, killHard, processesWith } from "../support/processes.js";
import { startStack, type Stack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo({ "README.md": "# hello\n" });
/** Where a jailed run, which has a user of its own, sees what the test says. */
const signs = tempDir("signs");
chmodSync(signs, 0o755);
const bash = (command: string): ToolCall => ({
  name: "Bash",
  input: { command, description: "Run" },
});
/** A tool that leaves a file in the tree and ends when the test says so. */
const untilSign = (name: string): ToolCall =>
  bash(`touch ${name}; until [ -e ${path.join(signs, name)} ]; do sleep 0.05; done; echo ended`);
const giveSign = (name: string): void => {
  writeFileSync(path.join(signs, name), "");
};
const done = { text: "Done." };
/** The model repeats what a person said to it meanwhile. */
const heard = ({ said }: Conversation) => ({ text: `It heard: ${said.join("; ")}` });
const SCRIPTS: Record<string, Script["steps"]> = {
  Hear: [{ tools: [untilSign("Hear")] }, heard, heard],
  Turn: [{ tools: [bash("touch Turn; sleep 600")] }, { tools: [bash("echo two > Other")] }, done],
  Break: [{ tools: [bash("touch Break")] }, { tools: [bash("sleep 600")] }, done],
  Halt: [{ tools: [untilSign("Halt")] }, { tools: [bash("touch never")] }, done],
  Ask: [{ tools: [bash("echo one > Ask")] }, { tools: [bash("touch asked")] }, done],
  Late: [{ tools: [bash("touch asked")] }, done],
  Shell: [{ tools: [bash("touch Shell")] }, done, done],
  Other: [done],
  Line: [{ tools: [bash("echo one > Line")] }, done, { tools: [bash("echo two >> Line")] }, done],
};
const scriptOf = ({ prompt }: Conversation): Script => {
  const name = Object.keys(SCRIPTS).find((key) => prompt.startsWith(key)) ?? "Other";
  return { steps: SCRIPTS[name] ?? [done] };
};

let stack: Stack;
let client: Awaited<ReturnType<Stack["administrator"]>>;
beforeAll(async () => {
  stack = await startStack({
    script: scriptOf,
    repositories: [repo.path],
    executors: 1,
    variables: {
      ...{ LEASE_TIME: "3000", HEARTBEAT_INTERVAL: "500" },
      ...{ JAIL_LEVEL: "jail", JAIL_READABLE: signs },
    },
  });
  client = await stack.administrator();
});

type Extra = { approval?: { tools: string[]; answerMs?: number } };
const submit = (name: string, extra: Extra = {}): Promise<JobId> =>
  stack.submit({ repository: repo.path, prompt: name, concurrencyKey: null, ...extra });

const requestsOf = (name: string): Conversation[] =>
  stack.api.requests
    .filter(({ kind, conversation }) => kind === "main" && conversation.prompt.startsWith(name))
    .map(({ conversation }) => conversation);

/** The log of the job's latest attempt, as far as it is there. */
async function logOf(jobId: JobId): Promise<string> {
  const { attempt } = await stack.people.getJob(jobId);
  const { tail } = await client.query(api.logs.tail, { jobId, attempt });
  return tail.map(({ text }) => text).join("\n");
}
const logged = (jobId: JobId, text: string): Promise<true> =>
  waitFor(`"${text}" in the log`, async () => (await logOf(jobId)).includes(text));

const orderOf = async (jobId: JobId): Promise<SteeringView | undefined> =>
  (await client.query(api.steering.list, { jobId }))[0];
const acknowledged = (jobId: JobId): Promise<true> =>
  waitFor("the run's word", async () => (await orderOf(jobId))?.state === "acknowledged");

async function toolRuns(jobId: JobId): Promise<void> {
  await logged(jobId, "Bash");
}

it("a message arrives in the run, which says that it took it up", async () => {
  const jobId = await submit("Hear");
  await toolRuns(jobId);
  await client.mutation(api.steering.message, { jobId, text: "Mind the tests too" });
  await logged(jobId, "a person says: Mind the tests too");
  giveSign("Hear");
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
  expect(await orderOf(jobId)).toMatchObject({ state: "acknowledged", attempt: 1 });
  const said = await client.query(api.jobs.attempts, { jobId });
  expect(said[0]?.report?.result).toContain("Mind the tests too");
});

it("an interrupt with a text ends the tool, and the run goes on with that", async () => {
  const jobId = await submit("Turn");
  await toolRuns(jobId);
  await client.mutation(api.steering.interrupt, { jobId, text: "Not that way" });
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
  expect(job.latest?.report?.changes?.patch).toContain("Other");
  expect(await orderOf(jobId)).toMatchObject({ kind: "interrupt", state: "acknowledged" });
  expect(processesWith(`FONDATION_JOB=${jobId}`)).toEqual([]);
});

it("an interrupt without a text ends the run, and keeps what it did", async () => {
  const jobId = await submit("Break");
  // By then the tool before it has left its file.
  await logged(jobId, "sleep 600");
  await client.mutation(api.steering.interrupt, { jobId });
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "canceled" }, charged: 0 });
  expect(job.latest?.report?.changes?.patch).toContain("Break");
  expect(requestsOf("Break")).toHaveLength(2);
  expect(await orderOf(jobId)).toMatchObject({ state: "acknowledged" });
});

it("stop after this turn: the tool under way ends, and the model is not asked again", async () => {
  const jobId = await submit("Halt");
  await toolRuns(jobId);
  await client.mutation(api.steering.stopAfterTurn, { jobId });
  await acknowledged(jobId);
  giveSign("Halt");
  const job = await stack.ended(jobId);
  expect(job.state.kind).toBe("canceled");
  expect(await logOf(jobId)).toContain("ended");
  expect(job.latest?.report?.changes?.patch).toContain("Halt");
  expect(requestsOf("Halt")).toHaveLength(1);
});

it("a call that waits for a person frees the slot; the answer resumes the run on another executor", async () => {
  const jobId = await submit("Ask", { approval: { tools: ["Bash(touch *)"] } });
  await waitFor("the question", async () => {
    const [question] = await client.query(api.questions.list, { jobId });
    return question?.state === "open";
  });
  expect((await stack.people.getJob(jobId)).state).toMatchObject({
    ...{ kind: "waiting", reason: "answer" },
  });
  // The only slot is free: another job runs meanwhile.
  expect((await stack.ended(await submit("Other"))).state.kind).toBe("succeeded");
  const pid = stack.executors.get("executor-1")?.pid ?? 0;
  const all = descendantsOf(pid);
  await stack.killExecutor("executor-1");
  for (const one of all) killHard(one);
  await waitFor("the loss of the first executor", async () => {
    const [first] = await stack.executorViews();
    return first?.presence === "lost";
  });
  await stack.addExecutor("executor-2");
  const [question] = await client.query(api.questions.open, {});
  if (question === undefined) throw new Error("no open question");
  expect(question).toMatchObject({ jobId, tool: "Bash", attempt: 1 });
  expect(question.input).toContain("touch asked");
  await client.mutation(api.questions.answer, { questionId: question.questionId, allow: true });
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, charged: 1 });
  expect(job).toMatchObject({ interruptions: 0, resumed: 1 });
  const patch = job.latest?.report?.changes?.patch ?? "";
  expect([patch.includes("Ask"), patch.includes("asked")]).toEqual([true, true]);
  // One request a turn: nothing was asked twice.
  expect(requestsOf("Ask").map(({ turn }) => turn)).toEqual([0, 1, 2]);
});

it("nobody answers in time: the call is refused, the model hears why, and the run goes on", async () => {
  const jobId = await submit("Late", { approval: { tools: ["Bash"], answerMs: 1_500 } });
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 2, charged: 1 });
  expect(job.latest?.report?.changes?.files).toBe(0);
  expect(await client.query(api.questions.list, { jobId })).toMatchObject([{ state: "expired" }]);
  expect(requestsOf("Late").at(-1)?.toolResults.join()).toContain("Nobody allowed this call");
});

it("a follow-up goes on with an ended job's session and tree in a new job", async () => {
  const first = await submit("Line");
  expect((await stack.ended(first)).state.kind).toBe("succeeded");
  const { jobId } = await client.mutation(api.jobs.followUp, { jobId: first, text: "Once more" });
  const job = await stack.ended(jobId);
  expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1, resumed: 1 });
  expect(job.latest?.report?.changes?.patch).toContain("+one\n+two");
  expect(requestsOf("Line").map(({ turn }) => turn)).toEqual([0, 1, 2, 3]);
});

it("all of it from the command line", async () => {
  const made = { name: "shell", role: "operator", lifeMs: 3_600_000 } as const;
  const { key } = await client.mutation(api.apiKeys.create, made);
  const env = { PATH: process.env["PATH"], FONDATION_URL: stack.url, FONDATION_API_KEY: key };
  /** Exit code and what was said. */
  const fondation = (...args: string[]): Promise<[number, string]> =>
    new Promise((resolve) => {
      const file = path.join(findRoot(), "dist", "cli.mjs");
      execFile(process.execPath, [file, ...args], { env }, (error, out, err) => {
        resolve([error === null ? 0 : Number(error.code), `${out}${err}`.trim()]);
      });
    });
  const [, jobId] = await fondation(
    ...["run", repo.path, "Shell", "--no-key", "--ask", "Bash(touch *)", "--detach"],
  );
  await waitFor("the question", async () =>
    (await fondation("jobs", "questions"))[1].includes(jobId),
  );
  expect((await fondation("jobs", "answer", jobId, "maybe"))[0]).toBe(64);
  expect((await fondation("jobs", "interrupt", jobId))[0]).toBe(1);
  expect(await fondation("jobs", "answer", jobId, "allow", "Gently")).toEqual([0, "Bash: allowed"]);
  expect((await fondation("jobs", "watch", jobId, "--quiet"))[0]).toBe(0);
  expect((await fondation("jobs", "answer", jobId, "deny"))[0]).toBe(5);
  const [code, why] = await fondation("jobs", "message", jobId, "Too late");
  expect([code, why]).toEqual([1, expect.stringContaining("followUp")]);
  const [, next] = await fondation("jobs", "follow-up", jobId, "And then");
  expect((await fondation("jobs", "watch", next, "--quiet"))[0]).toBe(0);
});

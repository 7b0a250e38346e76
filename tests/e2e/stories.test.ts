/** What a person sees of one job: real backend, real executor, real git, the real CLI on a scripted model. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { faults, repeated, type Script } from "../../cli/demo/messagesScript.js";
import { gitRepo } from "../support/gitRepo.js";
import { killHard, noneLeftWith, processesWith, running } from "../support/processes.js";
import { afterFaults, always, editsReadme, runsLong, say, waitsAt } from "../support/scripts.js";
import { startStack } from "../support/stack.js";

const repo = gitRepo();
const repositories = [repo.path];

describe("a job", () => {
  it("edits a file and succeeds, with its result, cost, commit and changes", async () => {
    const stack = await startStack({ script: editsReadme(), repositories });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Greet the world" });
    const job = await stack.ended(jobId);
    expect(job.state.kind).toBe("succeeded");
    expect(job).toMatchObject({ attempt: 1, charged: 1, interruptions: 0 });
    const report = job.latest?.report;
    expect(report).toMatchObject({
      result: "README.md says hello to the world.",
      commit: repo.commit,
      turns: 4,
      permissionDenials: 0,
      changes: { files: 1, insertions: 1, deletions: 1, patchTruncated: false },
    });
    expect(report?.changes?.patch).toContain("+hello, world");
    expect(report?.costUsd).toBeGreaterThan(0);
    expect(report?.tokens.output).toBeGreaterThan(0);
    expect(job.latest?.phases.map((p) => p.phase)).toEqual(["cloning", "running", "collecting"]);
    const log = await stack.people.getLogTail(jobId, 1);
    expect(log.tail.some((e) => e.kind === "tool" && e.text.includes("README.md"))).toBe(true);
    expect(log.tail.some((e) => e.kind === "text" && e.text.includes("I will read it."))).toBe(
      true,
    );
    // The repository the job came from is as it was.
    expect(repo.git("status", "--porcelain")).toBe("");
  });

  it("names a repository that does not exist, and is not retried", async () => {
    const stack = await startStack({
      script: say("never"),
      repositories: [path.dirname(repo.path)],
    });
    const repository = `${repo.path}-missing`;
    const job = await stack.ended(await stack.submit({ repository, prompt: "Look" }));
    expect(job.state).toMatchObject({ kind: "failed", reason: "repositoryNotFound" });
    expect(job.attempt).toBe(1);
    expect(job.latest?.end?.message).toContain("missing");
    expect(stack.api.requests).toEqual([]);
  });

  it("names a ref that does not exist, and is not retried", async () => {
    const stack = await startStack({ script: say("never"), repositories });
    const job = await stack.ended(
      await stack.submit({ repository: repo.path, ref: "no-such-branch", prompt: "Look" }),
    );
    expect(job.state).toMatchObject({ kind: "failed", reason: "refNotFound" });
    expect(job.attempt).toBe(1);
    expect(job.latest?.end?.message).toContain("no-such-branch");
    expect(stack.api.requests).toEqual([]);
  });

  it("succeeds at the first attempt when the API answers 500 twice and then works", async () => {
    const stack = await startStack({
      script: afterFaults(repeated(faults.serverError(), 2)),
      repositories,
    });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Try" });
    const job = await stack.ended(jobId);
    expect(job.state.kind).toBe("succeeded");
    expect(job).toMatchObject({ attempt: 1, interruptions: 0 });
    expect(stack.api.requests.filter((r) => r.fault !== undefined)).toHaveLength(2);
    const { tail } = await stack.people.getLogTail(jobId, 1);
    expect(tail.filter((e) => e.kind === "retry")).not.toEqual([]);
  });

  it("is retried after its CLI was killed", async () => {
    const stack = await startStack({ script: waitsAt("answer"), repositories });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Wait" });
    await stack.running(jobId);
    await stack.api.reached("answer");
    for (const pid of processesWith(`FONDATION_JOB=${jobId}:1`)) killHard(pid);
    stack.api.release("answer");
    const job = await stack.ended(jobId);
    expect(job.state.kind).toBe("succeeded");
    expect(job).toMatchObject({ attempt: 2, charged: 2 });
    const [, first] = await stack.people.listAttempts(jobId);
    expect(first?.end).toMatchObject({ kind: "failed", reason: "cliKilled", charged: true });
  });

  it("canceled while a tool runs: state canceled, no process left", async () => {
    const stack = await startStack({ script: runsLong(), repositories });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Sleep" });
    const marker = `FONDATION_JOB=${jobId}:1`;
    await stack.running(jobId);
    // The CLI, the shell of its Bash tool, and the sleep.
    await running(marker, "sleep 600");
    await stack.people.cancel(jobId);
    const job = await stack.ended(jobId);
    expect(job.state.kind).toBe("canceled");
    await noneLeftWith(marker);
  });
});

describe("a login that the API refuses", () => {
  it("marks the executor unhealthy, charges no attempt, and leaves the job to another", async () => {
    const refused: Script = always(faults.unauthorized());
    const answered: Script = say("With a good key.");
    const stack = await startStack({
      script: ({ headers }) => (headers["x-api-key"] === "sk-good" ? answered : refused),
      repositories,
    });
    const jobId = await stack.submit({ repository: repo.path, prompt: "Try" });
    const waiting = await stack.job(jobId, (job) => job.interruptions === 1);
    expect(waiting.state.kind).toBe("pending");
    expect(waiting).toMatchObject({ attempt: 1, charged: 0 });
    expect(waiting.latest?.end).toMatchObject({ reason: "cliAuth", charged: false });
    const [executor] = await stack.executorViews();
    expect(executor?.unhealthy?.reason).toBe("cliAuth");
    expect(executor?.freeSlots).toBe(0);

    await stack.addExecutor("executor-2", { ANTHROPIC_API_KEY: "sk-good" });
    const job = await stack.ended(jobId);
    expect(job.state.kind).toBe("succeeded");
    expect(job).toMatchObject({ attempt: 2, charged: 1 });
  });
});

describe("twenty jobs over two executors with two slots each", () => {
  it("every job runs exactly once", async () => {
    const stack = await startStack({ script: say("Done."), repositories, executors: 2, slots: 2 });
    const prompts = Array.from({ length: 20 }, (_, i) => `Job number ${String(i)}.`);
    const jobIds = await Promise.all(
      prompts.map((prompt) =>
        stack.submit({ repository: repo.path, prompt, concurrencyKey: null }),
      ),
    );
    const jobs = await Promise.all(jobIds.map((jobId) => stack.ended(jobId)));
    expect(jobs.map((job) => job.state.kind)).toEqual(jobs.map(() => "succeeded"));
    expect(jobs.map((job) => job.attempt)).toEqual(jobs.map(() => 1));
    // One conversation, of one answer, for each job: nothing ran twice unseen.
    const sessions = stack.api.requests.filter((r) => r.kind === "main");
    expect(sessions).toHaveLength(20);
    expect(new Set(sessions.map((r) => r.conversation.sessionId))).toEqual(
      new Set(jobs.map((job) => job.latest?.sessionId)),
    );
    expect(new Set(jobs.map((job) => job.latest?.executorId)).size).toBe(2);
    const executors = await stack.executorViews();
    expect(executors.map((e) => e.freeSlots)).toEqual([2, 2]);
  });
});

/** What an operator does with the official CLI and the deployment key. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { findRoot } from "../../cli/root.js";
import { gitRepo } from "../support/gitRepo.js";
import { say } from "../support/scripts.js";
import { startStack, type Stack } from "../support/stack.js";

const HOUR_MS = 3_600_000;

const repo = gitRepo();

/** `npx convex run name '{…}'`, and what it printed as a value. */
async function run(stack: Stack, name: string, args: Record<string, unknown>): Promise<unknown> {
  const cli = path.join(findRoot(), "node_modules", "convex", "bin", "main.js");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cli, "run", name, JSON.stringify(args)],
    {
      cwd: findRoot(),
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        CI: "1",
        CONVEX_SELF_HOSTED_URL: stack.url,
        CONVEX_SELF_HOSTED_ADMIN_KEY: stack.adminKey,
      },
    },
  );
  // The CLI prints nothing for null.
  return stdout.trim() === "" ? null : JSON.parse(stdout);
}

it("submits a job, shows it, and reclaims by hand", async () => {
  const stack = await startStack({ script: say("Done."), repositories: [repo.path] });
  const submission = { repository: repo.path, prompt: "Say done." };
  const submitted = await run(stack, "admin:submitJob", submission);
  expect(submitted).toMatchObject({ deduplicated: false });
  // The reply of admin:submitJob names the job as text.
  const { jobId } = submitted as { jobId: Parameters<Stack["ended"]>[0] };
  await stack.ended(jobId);
  const shown = await run(stack, "admin:showJob", { jobId });
  expect(shown).toMatchObject({ job: { state: { kind: "succeeded" }, attempt: 1 } });
  expect(await run(stack, "maintenance:reclaimExpired", {})).toEqual({ leases: 0, jobs: 0 });
});

it("a mistake of the operator is told with its reason, and submits nothing", async () => {
  const stack = await startStack({ script: say("Done."), repositories: [repo.path] });
  const malformed = { repository: "--upload-pack=evil", prompt: "Say done." };
  await expect(run(stack, "admin:submitJob", malformed)).rejects.toMatchObject({
    stderr: expect.stringContaining("INVALID_ARGUMENT") as string,
  });
  expect(await stack.people.listJobs(10)).toEqual([]);
});

it("has every function of the operators' list, by its name and without an identity", async () => {
  const stack = await startStack({ script: say("Done."), repositories: [repo.path] });
  const [executor] = await stack.executorViews();
  if (executor === undefined) throw new Error("no executor joined");
  const { executorId } = executor;
  const paused = run(stack, "admin:pauseQueue", { reason: "the operator tries everything" });
  expect(await paused).toBeNull();
  const submission = { repository: repo.path, prompt: "Say done." };
  // The reply of admin:submitJob names the job as text.
  const { jobId } = (await run(stack, "admin:submitJob", submission)) as { jobId: string };
  expect(await run(stack, "admin:listJobs", {})).toMatchObject([{ jobId }]);
  expect(await run(stack, "admin:showJob", { jobId })).toMatchObject({ prompt: "Say done." });
  expect(await run(stack, "admin:holdJob", { jobId })).toMatchObject({ kind: "waiting" });
  expect(await run(stack, "admin:releaseJob", { jobId })).toMatchObject({ kind: "pending" });
  const until = Date.now() + HOUR_MS;
  expect(await run(stack, "admin:snoozeJob", { jobId, until })).toMatchObject({ kind: "waiting" });
  expect(await run(stack, "admin:requeueJob", { jobId })).toMatchObject({ kind: "pending" });
  expect(await run(stack, "admin:cancelJob", { jobId })).toMatchObject({ kind: "canceled" });
  expect(await run(stack, "admin:retryJob", { jobId })).toMatchObject({ kind: "pending" });
  expect(await run(stack, "admin:cancelJob", { jobId })).toMatchObject({ kind: "canceled" });
  expect(await run(stack, "admin:drainExecutor", { executorId })).toBeNull();
  expect(await run(stack, "admin:resumeExecutor", { executorId })).toBeNull();
  expect(await run(stack, "admin:resumeQueue", {})).toBeNull();
  expect(await run(stack, "maintenance:reclaimExpired", {})).toEqual({ leases: 0, jobs: 0 });
  expect(await run(stack, "retention:prune", { dryRun: true })).toMatchObject({ isComplete: true });
  // The audit recounts every counter; it finds nothing, and says that it looked at all of it.
  const audit = { violations: [], isComplete: true, unchecked: [] };
  expect(await run(stack, "selfAudit:run", {})).toMatchObject(audit);
  expect(await run(stack, "metrics:recount", { repair: true })).toMatchObject({ off: {} });
  await expect(run(stack, "alerts:replay", {})).rejects.toMatchObject({
    stderr: expect.stringContaining("NOT_FOUND") as string,
  });
});

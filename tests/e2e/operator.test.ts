/** What an operator does with the official CLI and the deployment key. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { findRoot } from "../../cli/root.js";
import { gitRepo } from "../support/gitRepo.js";
import { say } from "../support/scripts.js";
import { startStack, type Stack } from "../support/stack.js";

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
  return JSON.parse(stdout);
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

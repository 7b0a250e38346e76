/** The demo as a person runs it: the bundle, as its own process. */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { existsSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { findRoot } from "../../cli/root.js";
import { gitRepo } from "../support/gitRepo.js";
import { descendantsOf, isAlive, killHard, noneLeft, processesWith } from "../support/processes.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

const repo = gitRepo();
const started = new Set<ChildProcess>();

afterAll(() => {
  for (const child of started) {
    if (child.pid !== undefined) [child.pid, ...descendantsOf(child.pid)].forEach(killHard);
  }
});

type Demo = {
  pid: number;
  stdout: () => string;
  stderr: () => string;
  /** Waits until stderr holds the text. */
  says: (text: string) => Promise<unknown>;
  interrupt: () => void;
  exitCode: Promise<number | null>;
};

function demo(
  args: string[],
  { environment = {}, stdin = "" }: { environment?: Record<string, string>; stdin?: string } = {},
): Demo {
  const child = spawn(process.execPath, [path.join(findRoot(), "dist/cli.mjs"), "demo", ...args], {
    env: { PATH: process.env["PATH"], HOME: tempDir("home"), ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  started.add(child);
  // It may refuse before it has read all.
  child.stdin.on("error", () => undefined).end(stdin);
  const texts = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.stderr += text));
  const exitCode = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      started.delete(child);
      resolve(code);
    });
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    says: (text) => waitFor(`the demo to say ${text}`, () => texts.stderr.includes(text), 60_000),
    interrupt: () => child.kill("SIGINT"),
    exitCode,
  };
}

describe("the demo", () => {
  test("--once --json: one object with the promised fields on stdout, exit code 0, no process left", async () => {
    const dataDir = path.join(tempDir(), "data");
    const run = demo(["--once", "--json", "--data", dataDir, "--repo", repo.path]);
    await run.says("executor online");
    const children = descendantsOf(run.pid);
    expect(children.length).toBeGreaterThanOrEqual(2);
    expect(await run.exitCode).toBe(0);
    await noneLeft(children);

    const report = JSON.parse(run.stdout()) as Record<string, unknown>;
    expect(run.stdout().trim().split("\n")).toHaveLength(1);
    expect(Object.keys(report)).toEqual([
      ...["jobId", "state", "reason", "attempts", "commit", "result", "costUsd", "tokens", "ms"],
    ]);
    expect(report).toMatchObject({
      state: "succeeded",
      reason: null,
      attempts: 1,
      commit: repo.commit,
      tokens: { input: 24_000, output: 1_080, cacheRead: 72_000, cacheCreation: 0 },
      ms: {
        deploy: expect.any(Number) as number,
        submitToAssigned: expect.any(Number) as number,
        assignedToCliStarted: expect.any(Number) as number,
        total: expect.any(Number) as number,
      },
    });
    expect(run.stderr()).toContain("fixed script");
    expect(run.stderr()).toContain("$ Bash git log");
    expect(repo.git("status", "--porcelain")).toBe("");
    expect(statSync(path.join(dataDir, "demo.json")).mode & 0o777).toBe(0o600);
    expect(existsSync(path.join(findRoot(), ".env.local"))).toBe(false);

    // A second run on the same folder: a relative name, the first job listed, a failing job.
    const missing = ["--ref", "no-such-branch", "--repo", repo.path];
    const again = demo(["--once", "--json", "--data", dataDir, ...missing]);
    expect(await again.exitCode).toBe(1);
    expect(again.stderr()).toContain(String(report["jobId"]));
    expect(JSON.parse(again.stdout())).toMatchObject({
      state: "failed",
      reason: "refNotFound",
      commit: null,
    });
  });

  test("without --once it stays up and says how to go on; Ctrl-C → 130 and no process left", async () => {
    const dataDir = path.join(tempDir(), "data");
    const run = demo(["--data", dataDir, "--repo", repo.path]);
    await run.says("npx convex run admin:submitJob");
    expect(run.stdout()).toContain("succeeded after 1 attempt");
    const children = descendantsOf(run.pid);

    const other = demo(["--once", "--data", dataDir, "--repo", repo.path]);
    expect(await other.exitCode).toBe(70);
    expect(other.stderr().trim().split("\n").at(-1)).toMatch(/^fondation: .*in use/);
    expect(children.every(isAlive)).toBe(true);

    run.interrupt();
    expect(await run.exitCode).toBe(130);
    await noneLeft(children);
  });

  test.each(["starting the backend", "pushing convex/", "starting the executor", "step 2 of 5"])(
    "Ctrl-C at %j → 130 and no process left",
    async (moment) => {
      const run = demo(["--data", path.join(tempDir(), "data"), "--repo", repo.path]);
      const seen = new Set<number>();
      await waitFor(moment, () => {
        for (const pid of descendantsOf(run.pid)) seen.add(pid);
        return run.stderr().includes(moment);
      });
      for (const pid of descendantsOf(run.pid)) seen.add(pid);
      run.interrupt();
      expect(await run.exitCode).toBe(130);
      await noneLeft([...seen]);
    },
  );

  test("an executor that dies mid-run is named, and what it had started is ended too", async () => {
    const dataDir = path.join(tempDir(), "data");
    const run = demo(["--data", dataDir, "--repo", repo.path]);
    await run.says("executor online");
    const executor = Number(/executor online \(pid (\d+)/.exec(run.stderr())?.[1]);
    const marker = `TMPDIR=${dataDir}/executor/temp/`;
    const cli = await waitFor("the CLI to run", () => processesWith(marker)[0]);
    const all = [cli, ...descendantsOf(run.pid)];
    killHard(executor);
    expect(await run.exitCode).toBe(70);
    expect(run.stderr()).toContain("executor demo ended by itself");
    await noneLeft(all);
  });
});

describe("bad input → one sentence, and nothing half-done", () => {
  const file = path.join(tempDir(), "file");
  writeFileSync(file, "");

  test.each([
    ["an unknown option", ["--bogus"], 64],
    ["a malformed repository", ["--repo", "not a repository"], 64],
    ["an empty prompt", ["--prompt", ""], 64],
    ["a malformed ref", ["--ref", "a..b"], 64],
    ["a data folder that is a file", ["--data", file], 64],
    ["--live without any login", ["--live"], 70],
  ])("%s", async (_, args, code) => {
    const dataDir = path.join(tempDir(), "data");
    const run = demo(["--data", dataDir, "--repo", repo.path, "--once", ...args]);
    expect(await run.exitCode).toBe(code);
    expect(run.stdout()).toBe("");
    expect(run.stderr().trim().split("\n")).toHaveLength(1);
    expect(existsSync(dataDir)).toBe(false);
  });

  test("a prompt of 1 MB", async () => {
    const dataDir = path.join(tempDir(), "data");
    const args = ["--data", dataDir, "--repo", repo.path, "--once", "--prompt", "-"];
    const run = demo(args, { stdin: "x".repeat(1024 * 1024) });
    expect(await run.exitCode).toBe(64);
    expect(run.stderr()).toMatch(/^fondation: --prompt has \d+ characters; at most 200000/);
    expect(existsSync(dataDir)).toBe(false);
  });

  test("a port in use", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? String(address?.port) : "";
    try {
      const data = ["--data", path.join(tempDir(), "data"), "--repo", repo.path];
      const run = demo(["--once", ...data, "--port", port]);
      expect(await run.exitCode).toBe(70);
      expect(run.stderr().trim().split("\n").at(-1)).toContain(port);
    } finally {
      server.close();
    }
  });

  test("a data folder from a newer version", async () => {
    const dataDir = tempDir();
    writeFileSync(path.join(dataDir, "demo.json"), JSON.stringify({ version: 999 }));
    const run = demo(["--once", "--data", dataDir, "--repo", repo.path]);
    expect(await run.exitCode).toBe(70);
    expect(run.stderr().trim().split("\n").at(-1)).toContain("another version");
  });
});

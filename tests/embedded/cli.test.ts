/** Official commands that stay up, and those that look without touching. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../support/waitFor.js";
import {
  cliEnvironment,
  convexCli,
  copyOfApp,
  httpClient,
  rows,
  startDeployed,
  type BackendProcess,
} from "./wireSupport.js";

const CLI = path.resolve("node_modules/convex/bin/main.js");

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed();
});

const running: ChildProcess[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
});

/** Starts a command that does not end by itself, and collects what it prints. */
function follow(args: readonly string[], cwd = path.join(import.meta.dirname, "fixtures/app")) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd, env: cliEnvironment(backend) });
  running.push(child);
  const seen = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (seen.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (seen.stderr += chunk.toString()));
  return seen;
}

test("run --watch prints the result again after each change", async () => {
  const seen = follow(["run", "--watch", "rows:list", '{"tag":"watched"}']);
  await waitFor("the first result", () => seen.stdout.includes("[]"));
  await httpClient(backend).mutation(rows.add, { tag: "watched", n: 41 });
  await waitFor("the change", () => seen.stdout.includes("41"));
});

test("dev stays up, pushes each change of a file, and prints what functions log", async () => {
  const app = copyOfApp();
  const seen = follow(["dev", "--typecheck", "disable", "--tail-logs", "always"], app);
  await waitFor("the first push", () => seen.stderr.includes("Convex functions ready"));
  const file = path.join(app, "convex/rows.ts");
  const before = readFileSync(file, "utf8");
  writeFileSync(file, before.replace('process.env["GREETING"] ?? null', '"pushed by dev"'));
  const http = httpClient(backend);
  await waitFor("the push", async () => (await http.query(rows.greeting, {})) === "pushed by dev");
  await http.mutation(rows.say, { text: "heard by dev" });
  await waitFor("the line", () => (seen.stderr + seen.stdout).includes("heard by dev"));
});

test("deploy --dry-run says what would change and changes nothing", async () => {
  const app = copyOfApp();
  const file = path.join(app, "convex/schema.ts");
  const wanted = '.index("by_tag", ["tag"]).index("by_n", ["n"])';
  writeFileSync(file, readFileSync(file, "utf8").replace('.index("by_tag", ["tag"])', wanted));
  const args = ["deploy", "--dry-run", "--typecheck", "disable", "--codegen", "disable"];
  const { code, stderr } = await convexCli(backend, args, app);
  expect([code, stderr]).toEqual([0, expect.stringContaining("by_n")]);
  const again = await convexCli(backend, args, app);
  expect(again.stderr).toContain("by_n");
});

describe("logs", () => {
  test("--history shows what was, failures with their message, before it follows", async () => {
    const http = httpClient(backend);
    await http.mutation(rows.say, { text: "said before" });
    await expect(http.query(rows.crash, {})).rejects.toThrow();
    const seen = follow(["logs", "--history", "100"]);
    await waitFor("history", () => seen.stdout.includes("broken on purpose"));
    expect(seen.stdout).toMatch(/M\(rows:say\)\].*said before/);
    await http.mutation(rows.say, { text: "said after" });
    await waitFor("the new line", () => seen.stdout.includes("said after"));
  });

  test("--jsonl gives each execution as one JSON line", async () => {
    await httpClient(backend).mutation(rows.say, { text: "as JSON" });
    const seen = follow(["logs", "--history", "1", "--jsonl"]);
    await waitFor("a line", () => seen.stdout.includes("\n"));
    const [line = ""] = seen.stdout.split("\n");
    expect(JSON.parse(line)).toMatchObject({ kind: "Completion", identifier: "rows:say" });
  });
});

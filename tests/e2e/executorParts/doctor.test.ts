import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aFolder } from "./fixtures.js";

const BUNDLE = path.resolve(import.meta.dirname, "../../../dist/executor.mjs");
const HOUR_MS = 60 * 60_000;

type Findings = { ok: boolean; failed: number; findings: Finding[] };
type Finding = { name: string; status: string; says: string; fix?: string };

let folder = { root: "", remove: (): Promise<void> => Promise.resolve() };
let deployment: { url: string; date: Date; close: () => Promise<void> };
beforeEach(async () => {
  folder = await aFolder();
  deployment = await aDeployment();
});
afterEach(async () => {
  await deployment.close();
  await folder.remove();
});

/** Answers as a deployment does to whoever asks for its version, with a clock of its own. */
async function aDeployment(): Promise<typeof deployment> {
  const state = { date: new Date() };
  const server = createServer((_, response) => {
    response.sendDate = false;
    response.setHeader("date", state.date.toUTCString()).end("unknown");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, {
    url: `http://127.0.0.1:${String(port)}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
}

/** A machine where everything is as it should be, but for what a test changes. */
async function consult(more: Record<string, string> = {}, ...args: string[]) {
  const child = spawn(process.execPath, [BUNDLE, "doctor", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: folder.root,
      CONVEX_URL: deployment.url,
      FONDATION_ENROL_TOKEN: "fen_doctor-token-0123456789",
      STATE_DIR: path.join(folder.root, "state"),
      TEMP_DIR: path.join(folder.root, "temp"),
      PORT: "0",
      ANTHROPIC_API_KEY: "sk-ant-doctor-0123456789",
      ANTHROPIC_BASE_URL: deployment.url,
      GIT_HOSTS: new URL(deployment.url).host,
      WORKSPACE_MB_MAX: "100",
      DISK_FREE_MB_MIN: "10",
      ...more,
    },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  await once(child, "close");
  return { code: child.exitCode, stdout, stderr };
}
async function findings(more: Record<string, string> = {}): Promise<Findings> {
  const { stdout } = await consult(more, "--json");
  return JSON.parse(stdout) as Findings;
}
async function finding(name: string, more: Record<string, string> = {}) {
  return (await findings(more)).findings.find((one) => one.name === name);
}
async function aLoginFile(content: object, mode: number): Promise<string> {
  const configDir = path.join(folder.root, "claude");
  await mkdir(configDir);
  const file = path.join(configDir, ".credentials.json");
  await writeFile(file, JSON.stringify(content));
  await chmod(file, mode);
  return configDir;
}

describe("fondation-executor doctor", () => {
  it("nothing wrong → exit 0, a line for each place, and no secret in it", async () => {
    const { code, stdout, stderr } = await consult();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const named = ["node", "configuration", "git", "claude", "login", "identity", "jail"];
    for (const name of [...named, "workspaces", "deployment", "clock", "health page"]) {
      expect(stdout).toMatch(new RegExp(`^ok {4}${name} `, "m"));
    }
    expect(stdout).not.toContain("doctor-token");
    expect(stdout).not.toContain("sk-ant-doctor");
    expect(stdout).toMatch(/\n0 failed, \d warned\n$/);
  });

  it("changes nothing: the token is not spent, no identity is made", async () => {
    const before = await findings();
    const identity = before.findings.find(({ name }) => name === "identity");
    expect(identity?.says).toContain("not enrolled yet");
    expect(await findings()).toEqual(before);
  });

  it.each([
    ["configuration", { MAX_CONCURRENT_JOBS: "none" }, "MAX_CONCURRENT_JOBS"],
    ["deployment", { CONVEX_URL: "http://127.0.0.1:9" }, "does not answer"],
    ["git", { PATH: "/nonexistent" }, "no git"],
    ["jail", { PATH: "/nonexistent" }, "apt install bubblewrap"],
    ["jail", { JAIL_READABLE: "/nonexistent" }, "/nonexistent"],
    ["claude", { CLAUDE_BIN: "/nonexistent/claude" }, "/nonexistent/claude"],
    ["identity", { FONDATION_ENROL_TOKEN: "" }, "not enrolled"],
    ["identity", { STATE_DIR: "/etc/passwd/state" }, "/etc/passwd/state"],
    ["workspaces", { DISK_FREE_MB_MIN: "1000000000" }, "it takes no work"],
    ["workspaces", { TEMP_DIR: "/etc/passwd/temp" }, "/etc/passwd/temp"],
    ["local repositories", { LOCAL_REPOSITORIES: "/nonexistent/repo" }, "/nonexistent/repo"],
  ])("%s: %j → exit 1, says what and what to do", async (name, more, says) => {
    const { code, stdout } = await consult(more, "--json");
    expect(code).toBe(1);
    const found = (JSON.parse(stdout) as Findings).findings.find((one) => one.name === name);
    expect(found?.status).toBe("fail");
    expect(found?.fix).toMatch(/\w/);
    expect(found?.says).toContain(says);
  });

  it("less room than the slots' workspaces may take → warns", async () => {
    const found = await finding("workspaces", { WORKSPACE_MB_MAX: "1000000000" });
    expect(found).toMatchObject({ status: "warn" });
    expect(found?.fix).toContain("WORKSPACE_MB_MAX");
  });

  it("a port that something else uses → fails, an executor's own health page → fine", async () => {
    const taken = createServer((request, response) => {
      response.statusCode = request.url === "/health" ? 200 : 404;
      response.end();
    });
    taken.listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    expect(await finding("health page", { PORT: String(port) })).toMatchObject({ status: "ok" });
    taken.removeAllListeners("request").on("request", (_, response) => {
      response.statusCode = 404;
      response.end();
    });
    expect(await finding("health page", { PORT: String(port) })).toMatchObject({ status: "fail" });
    taken.close();
    await once(taken, "close");
  });

  it.each([
    [10_000, "warn"],
    [10 * 60_000, "fail"],
  ])("a clock %d ms behind the deployment's → %s", async (apartMs, status) => {
    deployment.date = new Date(Date.now() + apartMs);
    const found = await finding("clock");
    expect(found?.status).toBe(status);
    expect(found?.fix).toContain("NTP");
  });

  it("a login that was renewed elsewhere and is blank now → fails; one others can read → warns", async () => {
    const blank = { claudeAiOauth: { accessToken: "", refreshToken: "", expiresAt: 0 } };
    const login = { ANTHROPIC_API_KEY: "" };
    const configDir = await aLoginFile(blank, 0o600);
    const given = { ...login, CLAUDE_CONFIG_DIR: configDir };
    expect(await finding("login", given)).toMatchObject({ status: "fail" });
    const good = { accessToken: "a", refreshToken: "r", expiresAt: Date.now() + HOUR_MS };
    const file = path.join(configDir, ".credentials.json");
    await writeFile(file, JSON.stringify({ claudeAiOauth: good }));
    expect(await finding("login", given)).toMatchObject({ status: "ok" });
    await chmod(file, 0o644);
    expect(await finding("login", given)).toMatchObject({ status: "warn" });
  });

  it("an unknown command → exit 64 and the commands there are", async () => {
    const { code, stderr } = await consult({}, "--verbose");
    expect(code).toBe(64);
    expect(stderr).toContain("doctor [--json]");
  });
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aFolder, until } from "./fixtures.js";
import { aToken, Refusal, WireBackend, type WireAnswers } from "./wireBackend.js";

const BUNDLE = path.resolve(import.meta.dirname, "../../../dist/executor.mjs");

/** Beyond the leeway of ten seconds in which the client renews a token. */
const SHORT_TOKEN_SECONDS = 12;
const granted = (seconds: number) => ({
  ...{ ok: true, accessToken: aToken(seconds) },
  expiresAt: Date.now() + seconds * 1_000,
});

type Line = { event: string; port?: number; jail?: string };
let folder = { root: "", remove: (): Promise<void> => Promise.resolve() };
let backend: WireBackend | undefined;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await aFolder();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await backend?.close();
  await folder.remove();
});

/** The bundled executor as a process of its own, with nothing of this process's environment. */
function anExecutor(url: string, more: Record<string, string> = {}) {
  const child = spawn(process.execPath, [BUNDLE], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: folder.root,
      CONVEX_URL: url,
      WORKER_ID: "executor-1",
      FONDATION_ENROL_TOKEN: "fen_test-token-0123456789",
      STATE_DIR: path.join(folder.root, "state"),
      TEMP_DIR: path.join(folder.root, "temp"),
      PORT: "0",
      ...more,
    },
  });
  children.push(child);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  const ended = once(child, "close").then(() => child.exitCode);
  const lines = (): Line[] =>
    stderr
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Line);
  const event = (name: string): Promise<Line> => until(() => lines().find((l) => l.event === name));
  return { child, ended, event, said: () => stderr };
}
async function aBackend(answers: WireAnswers = {}): Promise<WireBackend> {
  backend = await WireBackend.start(answers);
  return backend;
}
async function read(
  port: number | undefined,
  page: string,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port ?? 0}${page}`);
  return { status: response.status, body: await response.json() };
}

describe("the executor's process", () => {
  it("enrols, registers, subscribes, serves its health and leaves in order", async () => {
    const wire = await aBackend();
    const executor = anExecutor(wire.url, { ANTHROPIC_API_KEY: "sk-ant-test-0123456789" });
    const { port } = await executor.event("subscribed");
    expect(wire.calls.slice(0, 4)).toEqual([
      "executors:enrol",
      "executors:token",
      "executors:register",
      "executors:assignments",
    ]);
    expect(await read(port, "/health")).toEqual({
      status: 200,
      body: { status: "ok", problems: [] },
    });
    expect(await read(port, "/ready")).toMatchObject({ status: 200, body: { ready: true } });
    expect(await read(port, "/metrics")).toMatchObject({
      body: { running: 0, slots: 1, connected: 1 },
    });
    const scraped = await fetch(`http://127.0.0.1:${port ?? 0}/metrics`, {
      headers: { accept: "text/plain;version=0.0.4;q=0.5,*/*;q=0.1" },
    });
    expect(scraped.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(await scraped.text()).toContain("\nfondation_executor_slots 1\n");
    expect(await read(port, "/else")).toMatchObject({ status: 404 });
    executor.child.kill("SIGTERM");
    expect(await executor.ended).toBe(0);
    expect(wire.calls).toContain("executors:goOffline");
    expect(executor.said()).not.toContain("sk-ant-test");
    expect(executor.said()).not.toContain("fen_test-token");
  });

  it("needs no enrolment on its second start", async () => {
    const wire = await aBackend();
    const first = anExecutor(wire.url);
    await first.event("subscribed");
    first.child.kill("SIGINT");
    expect(await first.ended).toBe(0);
    const second = anExecutor(wire.url, { FONDATION_ENROL_TOKEN: "" });
    await second.event("subscribed");
    expect(wire.calls.filter((call) => call === "executors:enrol")).toHaveLength(1);
  });

  it("says in /ready why it cannot work", async () => {
    const wire = await aBackend();
    const executor = anExecutor(wire.url, {
      CLAUDE_BIN: "/nonexistent/claude",
      DISK_FREE_MB_MIN: "1000000000",
    });
    const { port } = await executor.event("subscribed");
    expect(await read(port, "/ready")).toEqual({
      status: 503,
      body: {
        ready: false,
        problems: [
          "the disk of TEMP_DIR has less free than DISK_FREE_MB_MIN: takes no new work",
          "no claude binary; set CLAUDE_BIN or install it",
          "no login for the CLI",
        ],
      },
    });
  });

  it("starts what is assigned to it and reports its end", async () => {
    let isFinished = false;
    let reported: unknown;
    const row = { jobId: "job1", attempt: 1, token: 4, started: false, cancelRequested: false };
    const wire = await aBackend({
      "executors:assignments": () => (isFinished ? [] : [row]),
      "executors:start": () => ({
        repository: { kind: "local", path: path.join(folder.root, "missing") },
        ref: "HEAD",
        prompt: "x",
        limits: {},
        sessionId: crypto.randomUUID(),
      }),
      "executors:finish": (args) => {
        isFinished = true;
        reported = args;
        return { accepted: true };
      },
    });
    const executor = anExecutor(wire.url, { LOCAL_REPOSITORIES: folder.root });
    await executor.event("attemptFinished");
    expect(reported).toMatchObject({
      jobId: "job1",
      token: 4,
      outcome: { kind: "failed", reason: "repositoryNotFound" },
    });
  });

  it("23: the answer to a result that is lost → the same result again, and no other", async () => {
    const reports: unknown[] = [];
    const row = { jobId: "job1", attempt: 1, token: 4, started: false, cancelRequested: false };
    const wire = await aBackend({
      "executors:assignments": () => (reports.length > 1 ? [] : [row]),
      "executors:start": () => ({
        repository: { kind: "local", path: path.join(folder.root, "missing") },
        ...{ ref: "HEAD", prompt: "x", limits: {}, sessionId: crypto.randomUUID() },
      }),
      "executors:finish": (args) => {
        reports.push(args);
        if (reports.length === 1) wire.disconnect();
        return { accepted: true };
      },
    });
    const executor = anExecutor(wire.url, { LOCAL_REPOSITORIES: folder.root });
    await executor.event("attemptFinished");
    expect(reports.length).toBeGreaterThan(1);
    expect(new Set(reports.map((report) => JSON.stringify(report))).size).toBe(1);
  });

  it("26: tokens refused, missing or unreachable at start and later → it waits, and works on", async () => {
    const first = await aBackend();
    const early = anExecutor(first.url);
    await early.event("subscribed");
    early.child.kill("SIGTERM");
    await early.ended;
    const { url } = first;
    await first.close();
    // Nobody listens: the identity is there, a token is not to be had.
    const executor = anExecutor(url, { HEARTBEAT_INTERVAL: "200" });
    await executor.event("tokenRefused");
    // What the endpoint says, in turn: the third and sixth answers are tokens, the third a short one.
    const replies: unknown[] = [
      { ok: false, code: "RATE_LIMITED" },
      null,
      granted(SHORT_TOKEN_SECONDS),
      { ok: false, code: "RATE_LIMITED" },
      null,
    ];
    let asked = 0;
    const answers = {
      "executors:token": () => {
        asked += 1;
        return replies[asked - 1] ?? (asked <= replies.length ? null : granted(600));
      },
    };
    backend = await WireBackend.start(answers, Number(new URL(url).port));
    const wire = backend;
    await until(() => (asked > replies.length ? true : undefined));
    const before = wire.calls.length;
    await until(() =>
      wire.calls.slice(before).includes("executors:heartbeat") ? true : undefined,
    );
    expect(executor.child.exitCode).toBeNull();
    // A fetcher that spins would have asked many times more.
    expect(asked).toBe(replies.length + 1);
  });

  it("48: its pages are for this machine alone, and hold no secret", async () => {
    const wire = await aBackend();
    const secrets = { ANTHROPIC_API_KEY: "sk-ant-test-0123456789" };
    const executor = anExecutor(wire.url, secrets);
    const { port = 0 } = await executor.event("subscribed");
    const identity = await readFile(path.join(folder.root, "state", "identity.json"), "utf8");
    const { privateJwk } = JSON.parse(identity) as { privateJwk: { d: string } };
    for (const page of ["/health", "/ready", "/metrics", "/else", "/health?x=../../state"]) {
      const text = await (await fetch(`http://127.0.0.1:${port}${page}`)).text();
      for (const secret of ["sk-ant-test", "fen_test-token", privateJwk.d, folder.root]) {
        expect(text).not.toContain(secret);
      }
    }
    // Another address of the same machine, on which nobody may listen.
    await expect(fetch(`http://127.0.0.2:${port}/health`)).rejects.toThrow("fetch failed");
  });

  it("comes back by itself when the connection is cut", async () => {
    const wire = await aBackend();
    const executor = anExecutor(wire.url, { HEARTBEAT_INTERVAL: "200" });
    await executor.event("subscribed");
    wire.disconnect();
    const before = wire.calls.length;
    await until(() =>
      wire.calls.slice(before).includes("executors:heartbeat") ? true : undefined,
    );
    expect(executor.child.exitCode).toBeNull();
  });

  it.each([
    [
      "a newer process with its identity",
      { "executors:register": () => new Refusal("SUPERSEDED") },
      76,
      "A newer process took over",
    ],
    [
      "a revoked identity",
      { "executors:token": () => ({ ok: false, code: "REVOKED" }) },
      77,
      "This executor was revoked",
    ],
    [
      "revocation while it is subscribed",
      { "executors:assignments": () => new Refusal("REVOKED") },
      77,
      "This executor was revoked",
    ],
    [
      "a refused enrolment",
      { "executors:enrol": () => ({ ok: false, code: "UNAUTHENTICATED" }) },
      77,
      "create a new enrolment",
    ],
  ] as [string, WireAnswers, number, string][])(
    "%s → ends with a code and a sentence",
    async (...[, answers, code, sentence]) => {
      const wire = await aBackend(answers);
      const executor = anExecutor(wire.url);
      expect(await executor.ended).toBe(code);
      expect(executor.said()).toContain(sentence);
    },
  );

  it.each([
    ["a variable that cannot be right", { PORT: "x" }, 64, 'PORT is "x"; it must be'],
    [
      "neither identity nor token",
      { FONDATION_ENROL_TOKEN: "" },
      64,
      "FONDATION_ENROL_TOKEN is not set",
    ],
    [
      "a deployment that does not answer",
      { CONVEX_URL: "http://127.0.0.1:9" },
      69,
      "did not answer",
    ],
  ] as [string, Record<string, string>, number, string][])(
    "%s → ends with a code and a sentence",
    async (...[, variables, code, sentence]) => {
      const executor = anExecutor("http://127.0.0.1:9", variables);
      expect(await executor.ended).toBe(code);
      expect(executor.said()).toContain(sentence);
      expect(executor.said().trim().split("\n")).toHaveLength(1);
    },
  );

  it("47: a jail that is not to be had, and no other level chosen → does not start, says how to", async () => {
    const without = { PATH: "/nonexistent" };
    const refused = anExecutor("http://127.0.0.1:9", without);
    expect(await refused.ended).toBe(69);
    expect(refused.said()).toContain("apt install bubblewrap");
    expect(refused.said()).toContain("JAIL_LEVEL");
    const bounded = anExecutor("http://127.0.0.1:9", { ...without, JAIL_LEVEL: "uid" });
    expect(await bounded.ended).toBe(69);
    expect(bounded.said()).toContain("setpriv");
    const wire = await aBackend();
    const open = anExecutor(wire.url, { ...without, JAIL_LEVEL: "best" });
    expect(await open.event("subscribed")).toMatchObject({ jail: "none" });
  });

  it("a port in use → says which, and how to choose another", async () => {
    const wire = await aBackend();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    const executor = anExecutor(wire.url, { PORT: String(port) });
    expect(await executor.ended).toBe(69);
    expect(executor.said()).toContain(`127.0.0.1:${port}`);
    expect(executor.said()).toContain("Set PORT to a free port");
    await new Promise((resolve) => taken.close(resolve));
  });
});

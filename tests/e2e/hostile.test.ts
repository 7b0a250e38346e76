/**
 * A hostile repository, and a model in somebody else's hands, against the real CLI in the jail: nothing
 * of theirs runs with our rights, nothing of ours leaks, nothing hangs. One stack for all of it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Conversation, Script } from "../../cli/demo/messagesScript.js";
import type { JobId } from "../../cli/backend.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import { gitRepo } from "../support/gitRepo.js";
import { commandLines, noneLeftWith } from "../support/processes.js";
import { startStack, type Stack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";
import { answerOf, attacks } from "./hostileParts/attack.js";
import { hostileRepo, INJECTED, TRAP } from "./hostileParts/clone.js";
import { type Listener, startAttacker, startRecorder } from "./hostileParts/listeners.js";

const KEY = "sk-ant-api03-the-real-key-0123456789";
const plain = gitRepo();
const trap = path.join(tempDir("trap"), "touched");
const bash = (command: string) => ({
  name: "Bash",
  input: { command, description: "Run", timeout: 60_000 },
});
const runs = (...commands: string[]): Script => ({
  steps: [...commands.map((command) => ({ tools: [bash(command)] })), { text: "Done." }],
});

/** Leaves the kernel no room: as many processes as it is let. */
const BOMB = "sh -c 'b() { b | b & }; b' >/dev/null 2>&1; sleep 1; echo over";
/** Processes that leave their parent, their session, and their environment. */
const STRAYS = [
  "nohup sleep 611 >/dev/null 2>&1 &",
  "setsid sleep 612 >/dev/null 2>&1 &",
  "(setsid sh -c '(sleep 613 &) &' >/dev/null 2>&1 &)",
  "env -i setsid sh -c '(sleep 614 &) &' >/dev/null 2>&1",
].join("\n");

let attacker: Listener;
let recorder: Listener;
let stack: Stack;
let hostile: { path: string };
/** By the first word of the prompt. */
let scripts: Record<string, Script> = {};
let tried: ReturnType<typeof attacks> = [];

/** Leaves behind what whoever runs git or reads files here later might follow. */
const pointOut = (secretFile: string): string =>
  [
    `mkdir evil && printf '[core]\\n\\tfsmonitor = touch ${trap}\\n' > evil/config`,
    "echo evil > .git/commondir",
    `ln -s ${secretFile} secret.txt`,
    `printf '[diff]\\n\\texternal = touch ${trap}\\n' > ~/.gitconfig`,
    "echo changed >> README.md",
  ].join("; ");

beforeAll(async () => {
  attacker = await startAttacker();
  stack = await startStack({
    script: (conversation: Conversation) =>
      scripts[conversation.prompt.split(" ")[0] ?? ""] ?? {
        steps: [],
      },
    repositories: [plain.path, path.dirname(plain.path)],
    executors: 0,
    slots: 3,
  });
  recorder = await startRecorder(stack.api.url);
  const secretFile = path.join(stack.stateDir("executor-1"), "identity.json");
  hostile = hostileRepo({ attackerUrl: attacker.url, trap, secretFile });
  tried = attacks({
    ports: [attacker.port, recorder.port, Number(new URL(stack.url).port)],
    paths: [
      ...[secretFile, stack.backendFolder, plain.path, process.cwd(), trap],
      ...["/root", "/home", "/work", "/etc/shadow", "/var", "/opt", "/sys"],
    ],
  });
  scripts = {
    clone: runs("git status --short; git diff; ls -a"),
    attack: {
      steps: [
        { tools: tried.map(({ command }) => bash(command)) },
        { tools: [bash(pointOut(secretFile))] },
        { text: "Done." },
      ],
    },
    bomb: runs(BOMB, "echo alive"),
    strays: runs(`${STRAYS}\necho started`),
    sleeper: runs(`${STRAYS}\nsleep 600`),
    flood: runs("yes flood | head -c 10M", "yes flood | head -c 10M >&2"),
  };
  await stack.addExecutor("executor-1", {
    JAIL_LEVEL: "jail",
    ANTHROPIC_BASE_URL: recorder.url,
    ANTHROPIC_API_KEY: KEY,
    LOCAL_REPOSITORIES: path.dirname(plain.path),
  });
});
afterAll(async () => {
  await recorder.close();
  await attacker.close();
});

type Ran = { jobId: JobId; job: JobDetail; outputs: string[] };

async function ran(
  prompt: string,
  repository = plain.path,
  limits: { timeoutMs?: number } = {},
): Promise<Ran> {
  const jobId = await stack.submit({ repository, prompt, limits });
  const job = await stack.ended(jobId);
  const mine = stack.api.requests.filter(({ conversation }) =>
    conversation.prompt.startsWith(prompt),
  );
  return { jobId, job, outputs: mine.at(-1)?.conversation.toolResults ?? [] };
}

let clone: Ran;
let attack: Ran;
let answers: Record<string, string> = {};
beforeAll(async () => {
  [clone, attack] = await Promise.all([ran("clone", hostile.path), ran("attack")]);
  answers = Object.fromEntries(
    tried.map(({ name }, index) => [name, answerOf(attack.outputs[index] ?? "not run")]),
  );
});

describe("42: a hostile clone", () => {
  it("the run succeeds, and its tool worked", () => {
    expect(clone.job.state.kind).toBe("succeeded");
    expect(clone.outputs[0]).toContain("README.md");
  });
  it("hooks, helpers, MCP servers, status line, plugins and profiles of the clone → none ran", () => {
    expect(clone.outputs[0]).not.toContain(TRAP);
    expect(existsSync(trap)).toBe(false);
  });
  it("base URL, proxy and headers of its settings → nobody else was asked, nothing was added", () => {
    expect(attacker.seen).toEqual([]);
    expect(recorder.seen.length).toBeGreaterThan(1);
    for (const { path: asked, headers } of recorder.seen) {
      expect(asked).toMatch(/^\/v1\/messages/);
      expect(headers["x-api-key"]).toBe(KEY);
      expect(headers).not.toHaveProperty(`x-${TRAP.toLowerCase()}`);
    }
  });
  it("CLAUDE.md, skills, agents, commands and output styles of the clone → the model is told of none", () => {
    const bodies = recorder.seen.map(({ body }) => body);
    expect(bodies.some((body) => body.includes("clone"))).toBe(true);
    expect(bodies.filter((body) => body.includes(INJECTED))).toEqual([]);
  });
  it("filters and text conversions of the clone → not run by the checkout nor by the collection", () => {
    expect(clone.job.latest?.report?.changes).toMatchObject({ files: 0 });
    expect(existsSync(trap)).toBe(false);
  });
});

describe("a model in somebody else's hands", () => {
  it("outside of the jail, the same probes find what they look for", () => {
    const found = (probe: string): string => {
      const command = tried.find(({ name }) => name === probe)?.command ?? "";
      return execFileSync("bash", ["-c", command], { cwd: hostile.path, encoding: "utf8" });
    };
    expect(found("network")).toBe("open\nopen\nopen\nend\n");
    expect(found("seen")).toContain("seen /etc/shadow");
    expect(found("links")).toContain("identity.json");
    expect(found("environments")).toContain("CONVEX_URL=");
  });
  it("43: environments and command lines of all it sees → neither the key nor anything of the executor", () => {
    expect(answers["environments"]).toContain("FONDATION_JOB=");
    for (const text of [answers["environments"], answers["commandLines"]]) {
      for (const secret of [KEY, "fen_", "CONVEX_URL", "STATE_DIR", stack.adminKey]) {
        expect(text).not.toContain(secret);
      }
    }
    expect(answers["memory"]).toBe("0");
    // Its own shell and tools, the CLI, the bridge and the jail's first process.
    expect(Number(answers["processes"])).toBeLessThan(20);
  });
  it("43: no network but the gateway, whatever listens on this machine", () => {
    expect(answers).toMatchObject({ network: "", outside: "", names: "", interfaces: "lo" });
  });
  it("43: writes nowhere outside its folders, and not to git's settings and hooks", () => {
    expect(answers).toMatchObject({ written: "", gitConfig: "", gitHooks: "" });
  });
  it("43: has no rights to give, and bounds that it cannot lift", () => {
    expect(answers["rights"]).toContain("CapEff:\t0000000000000000");
    expect(answers["rights"]).toContain("CapBnd:\t0000000000000000");
    expect(answers["rights"]).toContain("NoNewPrivs:\t1");
    expect(answers["rights"]).toMatch(/Uid:\t(?!0\b)\d+/);
    expect(answers).toMatchObject({ bounds: "1024", memoryDisks: "" });
  });
  it("44: the gateway answers nothing but the two calls, to nobody but the run", () => {
    expect(answers["gateway"]?.split("\n")).toEqual([
      ...["wrong token 401", "no token 401", "other path 403"],
      ...["dotted path 403", "other method 403", "admin path 403"],
    ]);
  });
  it("45: links and git's own pointers out of the clone → nothing to be read there, nothing run here", async () => {
    expect(answers).toMatchObject({ seen: "", links: "" });
    expect(existsSync(trap)).toBe(false);
    const patch = attack.job.latest?.report?.changes?.patch ?? "";
    expect(patch).toContain("+changed");
    const identity = readFileSync(path.join(stack.stateDir("executor-1"), "identity.json"), "utf8");
    const told = JSON.stringify(await stack.people.getLogTail(attack.jobId, 1));
    for (const line of identity.split("\n").filter((each) => each.length > 20)) {
      expect(patch + told).not.toContain(line);
    }
  });
});

describe("43: a run that takes all it can get", () => {
  it("a fork bomb, children that leave in every way → ended with their run, the executor works on", async () => {
    const [bomb, strays] = await Promise.all([ran("bomb"), ran("strays")]);
    expect(bomb.outputs.join("\n")).toContain("over");
    expect(strays).toMatchObject({ job: { state: { kind: "succeeded" } }, outputs: ["started"] });
    for (const { jobId } of [bomb, strays]) await noneLeftWith(`FONDATION_JOB=${jobId}`);
    expect(commandLines().filter((line) => /^sleep 61[1-4]/.test(line))).toEqual([]);
    const views = await stack.executorViews();
    expect(views).toMatchObject([{ presence: "online", unhealthy: null }]);
  });
  it("a sleep of ten minutes, and a flood of output → ended in time, and kept small", async () => {
    const [sleeper, flood] = await Promise.all([
      ran("sleeper", plain.path, { timeoutMs: 8_000 }),
      ran("flood"),
    ]);
    expect(sleeper.job.state).toMatchObject({ kind: "failed", reason: "timedOut" });
    expect(commandLines().filter((line) => line.startsWith("sleep 6"))).toEqual([]);
    expect(flood.job.state.kind).toBe("succeeded");
    const told = JSON.stringify(await stack.people.getLogTail(flood.jobId, 1));
    expect(told.length).toBeLessThan(200_000);
  });
});

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { HeldAttempt, JailLevel, Work } from "../../../convex/protocol/executor.js";
import type { Outcome } from "../../../convex/protocol/job.js";
import type { LogEntry } from "../../../convex/protocol/log.js";
import { type AttemptDependencies, startAttempt } from "../../../executor/attempt.js";
import {
  type Backend,
  BackendError,
  type Ending,
  type PhaseStep,
} from "../../../executor/backend.js";
import { findCli } from "../../../executor/claude/binary.js";
import { systemClock } from "../../../executor/clock.js";
import { provideJail } from "../../../executor/jail/jail.js";
import { createRedactor } from "../../../executor/redact.js";
import { anAssignment, silent } from "../../unit/executor/factories.js";

const SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";

/** A folder of a test's own; the answer to `remove` is that it is gone. */
export async function aFolder(): Promise<{ root: string; remove: () => Promise<void> }> {
  const root = await mkdtemp(path.join(tmpdir(), "executor-parts-"));
  return { root, remove: () => rm(root, { recursive: true, force: true }) };
}

/** Runs git as a person would on this machine, without this machine's settings. */
export function git(cwd: string, ...args: string[]): string {
  const who = { name: "Test", email: "test@localhost" };
  return execFileSync("git", args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: SEARCH_PATH,
      HOME: cwd,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_AUTHOR_NAME: who.name,
      GIT_AUTHOR_EMAIL: who.email,
      GIT_COMMITTER_NAME: who.name,
      GIT_COMMITTER_EMAIL: who.email,
    },
  }).trim();
}

/** A repository with these files, two commits and a tag; the answer is its path and its head. */
export async function aRepository(
  root: string,
  files: Record<string, string>,
): Promise<{ path: string; head: string; first: string }> {
  const folder = path.join(root, "origin");
  await mkdir(folder, { recursive: true });
  git(folder, "init", "--quiet", "--initial-branch=main");
  await writeFile(path.join(folder, "README.md"), "first\n");
  git(folder, "add", "--all");
  git(folder, "commit", "--quiet", "--message=first");
  git(folder, "tag", "v1");
  const first = git(folder, "rev-parse", "HEAD");
  for (const [name, content] of Object.entries({ "README.md": "hello\n", ...files })) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  git(folder, "add", "--all");
  git(folder, "commit", "--quiet", "--message=second");
  return { path: folder, head: git(folder, "rev-parse", "HEAD"), first };
}

/** The queue as one attempt sees it: everything is kept and accepted, unless it was made stale. */
export class FakeBackend implements Backend {
  readonly work: Work;
  readonly phases: PhaseStep[] = [];
  readonly log: LogEntry[] = [];
  ending: Ending | undefined;
  isStale = false;

  constructor(work: Partial<Work> & Pick<Work, "repository">) {
    const sessionId = crypto.randomUUID();
    this.work = { ref: "HEAD", prompt: "Do the task.", limits: {}, sessionId, ...work };
  }
  start(): Promise<Work> {
    return this.#guarded(() => this.work);
  }
  phase(_: HeldAttempt, step: PhaseStep): Promise<void> {
    return this.#guarded(() => {
      this.phases.push(step);
    });
  }
  appendLog(_: HeldAttempt, seq: number, entries: LogEntry[]): Promise<{ nextSeq: number }> {
    return this.#guarded(() => {
      this.log.push(...entries.slice(this.log.length - seq));
      return { nextSeq: this.log.length };
    });
  }
  finish(_: HeldAttempt, ending: Ending): Promise<void> {
    return this.#guarded(() => {
      this.ending = ending;
    });
  }
  texts(kind: LogEntry["kind"]): string[] {
    return this.log.filter((entry) => entry.kind === kind).map((entry) => entry.text);
  }
  register = () => Promise.resolve({ leaseMs: 30_000 });
  watchAssignments = () => undefined;
  meter = () => Promise.resolve();
  takeOrders = () => Promise.resolve([]);
  acknowledgeOrder = () => Promise.resolve();
  heartbeat = () => Promise.resolve({ leaseMs: 30_000, drain: false, directives: [] });
  uploadUrls = () =>
    Promise.reject(new BackendError("INVALID_ARGUMENT", "there is no storage here"));
  attachCheckpoint = () => Promise.resolve();
  restored = () => Promise.resolve();
  attachArtifact = () => Promise.resolve();
  goOffline = () => Promise.resolve();
  issueSecret = () => Promise.resolve(null);
  rotateKey = () => Promise.resolve({ ok: true as const });
  isConnected = () => true;
  close = () => Promise.resolve();

  #guarded<T>(answer: () => T): Promise<T> {
    if (this.isStale) return Promise.reject(new BackendError("STALE_LEASE", "stale"));
    return Promise.resolve(answer());
  }
}

/** What an attempt needs, with the real git and the real CLI against the API at `apiUrl`. */
export async function attemptDependencies(options: {
  root: string;
  backend: Backend;
  apiUrl: string;
  cliFile?: string;
  answerMs?: number;
  workspaceBytesMax?: number;
  /** none unless told. */
  jail?: JailLevel;
}): Promise<AttemptDependencies> {
  const cli = await findCli({ given: undefined, searchPath: SEARCH_PATH, clock: systemClock });
  const apiKey = "sk-ant-test-0123456789abcdef";
  return {
    backend: options.backend,
    clock: systemClock,
    logger: silent,
    redactor: createRedactor([apiKey]),
    markers: new Set(),
    workspaceBytesMax: options.workspaceBytesMax ?? 1024 ** 3,
    journals: path.join(options.root, "journal"),
    tempDir: path.join(options.root, "temp"),
    jail: await provideJail(options.jail ?? "none", {
      ...{ searchPath: SEARCH_PATH, clock: systemClock, uid: process.getuid?.(), readable: [] },
      bundle: path.resolve(import.meta.dirname, "../../../dist/executor.mjs"),
    }),
    git: { searchPath: SEARCH_PATH, hosts: ["github.com"], localFolders: [options.root] },
    cli: {
      file: options.cliFile ?? cli?.file,
      login: { baseUrl: options.apiUrl, apiKey, oauthToken: undefined, configDir: options.root },
      searchPath: SEARCH_PATH,
      isRoot: process.getuid?.() === 0,
      projectNotes: false,
      answerMs: options.answerMs ?? 60_000,
    },
  };
}

/** Runs one attempt to its end. */
export function runAttempt(deps: AttemptDependencies): {
  stop: (reason: Parameters<ReturnType<typeof startAttempt>["stop"]>[0]) => void;
  done: Promise<Outcome | undefined>;
} {
  const attempt = startAttempt(anAssignment(), deps);
  return {
    done: attempt.done,
    stop: (reason) => {
      attempt.stop(reason);
    },
  };
}

const POLL_MS = 20;
const WAIT_MS_MAX = 60_000;

/** Waits until `read` answers something; fails after a minute. */
export async function until<T>(read: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let waited = 0; waited < WAIT_MS_MAX; waited += POLL_MS) {
    const value = await read();
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("waited for a minute in vain");
}

/**
 * `npm run bench`: how fast the product is on this machine, over the real parts. Prints figures beside
 * their aims and judges none of them; medians of several runs, with the machine's load.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { Backend } from "../../cli/backend.js";
import { killChildrenOnExit, type Child } from "../../cli/childProcess.js";
import { readConfig } from "../../cli/config.js";
import { joinExecutor, openDeployment, type Deployment } from "../../cli/demo/deployment.js";
import { startExecutor, type ExecutorStart } from "../../cli/demo/executorProcess.js";
import { scriptedLogin } from "../../cli/demo/login.js";
import { startMessagesApi } from "../../cli/demo/messagesApi.js";
import { findRoot } from "../../cli/root.js";

const PICKUP_RUNS = 15;
const START_RUNS = 7;
const READY_MS_MAX = 30_000;
const JOB_MS_MAX = 60_000;
/** Memory is read this often after the executor subscribed; the median is quoted. */
const IDLE_READINGS = 5;
const IDLE_READING_EVERY_MS = 1_000;
const STOP_MS = 8_000;

type World = {
  deployment: Deployment;
  repository: string;
  executor: Omit<ExecutorStart, "url" | "enrolToken" | "onLog">;
};

async function main(): Promise<void> {
  killChildrenOnExit();
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "fondation-bench-")));
  const root = findRoot();
  const environment = readConfig().childEnvironment;
  const api = await startMessagesApi({ script: { steps: [{ text: "Done." }] } });
  const deployment = await openDeployment({
    root,
    dataDir: path.join(folder, "data"),
    port: 0,
    environment,
  });
  try {
    const repository = makeRepository(path.join(folder, "repository"));
    const executor = {
      root,
      name: "bench",
      stateDir: path.join(folder, "state"),
      tempDir: path.join(folder, "temp"),
      slots: 1,
      localRepositories: [repository],
      login: scriptedLogin(api.url, path.join(folder, "claude")),
      environment,
    };
    const world: World = { deployment, repository, executor };
    say(`Node ${process.version}, ${String(cpus().length)} cores, load ${load()} at the start`);
    say("backend: embedded, durable (every commit synced to disk before it is answered)");
    await pickup(world);
    await starts(world);
    bundle(root);
    say(`load ${load()} at the end`);
  } finally {
    await deployment.close();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From the acknowledged submit to the CLI's process, less the clone: dispatch, push, start, spawn. */
async function pickup({ deployment, repository, executor }: World): Promise<void> {
  const child = await joinExecutor({ deployment, ...executor });
  try {
    const taken: number[] = [];
    const clones: number[] = [];
    // The first run warms caches of the machine and is not counted.
    for (let run = 0; run <= PICKUP_RUNS; run += 1) {
      const measured = await oneJob(deployment.people, repository);
      if (run === 0) continue;
      taken.push(measured.ms);
      clones.push(measured.cloneMs);
    }
    figure("submit acknowledged to CLI spawned, without the clone", taken, {
      unit: "ms",
      aim: "p50 under 50",
    });
    figure("the clone of a one-file repository", clones, { unit: "ms" });
  } finally {
    await child.stop(STOP_MS);
  }
}

async function oneJob(
  people: Backend,
  repository: string,
): Promise<{ ms: number; cloneMs: number }> {
  const jobId = await people.submit({ repository, prompt: "Say done." });
  // Both clocks are this machine's.
  const acknowledgedAt = Date.now();
  let unsubscribe: (() => void) | undefined;
  const limit = AbortSignal.timeout(JOB_MS_MAX);
  try {
    return await new Promise((resolve, reject) => {
      limit.addEventListener("abort", () => {
        reject(new Error(`job ${jobId} did not succeed in time`));
      });
      unsubscribe = people.watchJob(jobId, {
        onValue: ({ state, latest }) => {
          if (state.kind === "failed") reject(new Error(`the job failed: ${state.reason}`));
          if (state.kind !== "succeeded") return;
          const spawnedAt = latest?.spawnedAt ?? NaN;
          const cloneMs = latest?.report?.cloneMs ?? NaN;
          resolve({ ms: spawnedAt - acknowledgedAt - cloneMs, cloneMs });
        },
        onError: reject,
      });
    });
  } finally {
    unsubscribe?.();
  }
}

/** From spawning the executor's process to its subscription, and its memory while it has nothing to do. */
async function starts({ deployment, executor }: World): Promise<void> {
  const taken: number[] = [];
  const memory: number[] = [];
  for (let run = 0; run < START_RUNS; run += 1) {
    const startedAt = performance.now();
    const { child, subscribed } = startAndWatch(deployment, executor);
    try {
      await subscribed;
      taken.push(performance.now() - startedAt);
      if (run === 0) memory.push(...(await idleMemory(child)));
    } finally {
      await child.stop(STOP_MS);
    }
  }
  figure("executor start to subscribed", taken, { unit: "ms", aim: "under 1000" });
  figure("executor idle memory (RSS)", memory, { unit: "MB", aim: "under 65" });
}

function startAndWatch(
  { backend }: Deployment,
  executor: World["executor"],
): { child: Child; subscribed: Promise<void> } {
  let onSubscribed: () => void = () => undefined;
  const seen = new Promise<void>((resolve) => {
    onSubscribed = resolve;
  });
  const child = startExecutor({
    ...executor,
    url: backend.url,
    enrolToken: "unused-enrolled-already",
    onLog: (line) => {
      if (line.includes('"event":"subscribed"')) onSubscribed();
    },
  });
  const failed = child.exited.then(() => {
    throw new Error(`the executor ended: ${child.lastWords()}`);
  });
  const late = new Promise<never>((_, reject) => {
    AbortSignal.timeout(READY_MS_MAX).addEventListener("abort", () => {
      reject(new Error("the executor did not subscribe in time"));
    });
  });
  // Whichever loses the race may reject later; nobody waits for it then.
  failed.catch(() => undefined);
  late.catch(() => undefined);
  return { child, subscribed: Promise.race([seen, failed, late]) };
}

async function idleMemory(child: Child): Promise<number[]> {
  const readings: number[] = [];
  for (let i = 0; i < IDLE_READINGS; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, IDLE_READING_EVERY_MS));
    const status = readFileSync(`/proc/${String(child.pid)}/status`, "utf8");
    readings.push(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024);
  }
  return readings;
}

function bundle(root: string): void {
  const file = path.join(root, "dist", "executor.mjs");
  const zipped = gzipSync(readFileSync(file)).length / 1000;
  say(
    `${"executor bundle, minified".padEnd(56)} ${(statSync(file).size / 1000).toFixed(0)} kB ` +
      `(${zipped.toFixed(0)} kB gzipped; aim: under 200 kB)`,
  );
}

function makeRepository(folder: string): string {
  const git = (...args: string[]): void => {
    execFileSync("git", args, {
      cwd: folder,
      env: {
        ...process.env,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_AUTHOR_NAME: "Bench",
        GIT_AUTHOR_EMAIL: "bench@example.invalid",
        GIT_COMMITTER_NAME: "Bench",
        GIT_COMMITTER_EMAIL: "bench@example.invalid",
      },
    });
  };
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", folder]);
  writeFileSync(path.join(folder, "README.md"), "# Bench\n");
  git("add", "--all");
  git("commit", "--quiet", "--message", "First");
  return folder;
}

function figure(
  name: string,
  values: readonly number[],
  { unit, aim }: { unit: string; aim?: string },
): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(1);
  say(
    `${name.padEnd(56)} p50 ${at(0.5)} ${unit} (min ${at(0)}, max ${at(1)}, n ${String(sorted.length)}` +
      `${aim === undefined ? "" : `; aim: ${aim} ${unit}`}; load ${load()})`,
  );
}

function load(): string {
  return loadavg()
    .slice(0, 1)
    .map((n) => n.toFixed(1))
    .join();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();

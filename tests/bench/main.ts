/**
 * `npm run bench`: how fast the product is on this machine, over the real parts. Prints figures beside
 * their aims and judges none of them; medians of several runs, with the machine's load. `bench:executor` tells of its process.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import type { Backend } from "../../cli/backend.js";
import { killChildrenOnExit } from "../../cli/childProcess.js";
import { readConfig } from "../../cli/config.js";
import { joinExecutor, openDeployment, type Deployment } from "../../cli/demo/deployment.js";
import type { ExecutorStart } from "../../cli/demo/executorProcess.js";
import { scriptedLogin } from "../../cli/demo/login.js";
import { startMessagesApi } from "../../cli/demo/messagesApi.js";
import { findRoot } from "../../cli/root.js";
import { figure, load, say } from "./embedded/stats.js";
import { makeRepository } from "./executor/repository.js";

const PICKUP_RUNS = 15;
const JOB_MS_MAX = 60_000;
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
    figure("submit to CLI spawned, without the clone", taken, "p50 under 50 ms");
    figure("the clone of a one-file repository", clones);
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

await main();

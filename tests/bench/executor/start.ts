/** What an executor costs before it has anything to do. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { Child } from "../../../cli/childProcess.js";
import type { Deployment } from "../../../cli/demo/deployment.js";
import { startExecutor } from "../../../cli/demo/executorProcess.js";
import { figure, median, note, shown } from "../embedded/stats.js";
import type { World } from "./world.js";

const START_RUNS = 7;
const READY_MS_MAX = 30_000;
const STOP_MS = 8_000;
/** Memory is read this often after the executor subscribed; the median is quoted. */
const IDLE_READINGS = 5;
const IDLE_READING_EVERY_MS = 1_000;

/** From spawning the executor's process to its subscription, and its memory while it has nothing to do. */
export async function starts({ deployment, executor }: World): Promise<void> {
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
  figure("start to subscribed", taken, "under 1000 ms");
  note("idle memory (RSS)", `${shown(median(memory))} MB`, "under 65 MB");
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

export function bundle(root: string): void {
  const file = path.join(root, "dist", "executor.mjs");
  const zipped = gzipSync(readFileSync(file)).length / 1000;
  const size = (statSync(file).size / 1000).toFixed(0);
  note("bundle, minified", `${size} kB (${zipped.toFixed(0)} kB gzipped)`, "under 200 kB");
}

/** What a run costs by an executor beside the bare CLI, and what is told of it to whom. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, mkdirSync } from "node:fs";
import path from "node:path";
import type { Child } from "../../../cli/childProcess.js";
import type { LogEntry } from "../../../convex/protocol/log.js";
import { buildCommand } from "../../../executor/claude/command.js";
import { findCli } from "../../../executor/claude/binary.js";
import { systemClock } from "../../../executor/clock.js";
import { figure, median, note, shown } from "../embedded/stats.js";
import { LINES, TURNS } from "./scripts.js";
import { join, memoryOf, submit, succeeded, watch, type World } from "./world.js";

const RUNS = 5;
const STOP_MS = 8_000;
const SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin";

export async function runs(world: World): Promise<void> {
  const child = await join(world);
  try {
    await overhead(world, child);
    await checkpoints(world);
    await logs(world);
    await amplification(world);
  } finally {
    await child.stop(STOP_MS);
  }
}

/** One answer of the model, bare and by the queue, in turns: both meet the same machine. */
async function overhead(world: World, child: Child): Promise<void> {
  const [bare, ours]: [number[], number[]] = [[], []];
  for (let run = 0; run <= RUNS; run += 1) {
    const startedAt = performance.now();
    await bareRun(world, "Once");
    const between = performance.now();
    await watch(world, await submit(world, "Once"), succeeded);
    // The first warms the machine's caches.
    if (run === 0) continue;
    bare.push(between - startedAt);
    ours.push(performance.now() - between);
  }
  figure("a run of one answer, bare CLI", bare);
  figure("the same from submit to success", ours);
  note("overhead in time", `${shown(median(ours) - median(bare))} ms a run`);
  const idle = memoryOf(child, "VmRSS");
  const jobId = await submit(world, "Held");
  await world.api.reached("held");
  const during = memoryOf(child, "VmRSS");
  world.api.release("held");
  await watch(world, jobId, succeeded);
  const most = memoryOf(child, "VmHWM");
  note("memory between, during, at most", `${[idle, during, most].map(shown).join(", ")} MB`);
}

async function checkpoints(world: World): Promise<void> {
  const job = await watch(world, await submit(world, "Turns"), succeeded);
  const { taken = 0, bytes = 0, ms = 0 } = job.latest?.report?.checkpoints ?? {};
  const each = (sum: number): string => shown(sum / Math.max(1, taken));
  const text = `${String(taken)} in ${String(TURNS)} turns, each ${each(bytes / 1000)} kB and ${each(ms)} ms`;
  note("checkpoints", text);
}

/** From the line that the executor read to the reader who subscribed to the log. */
async function logs(world: World): Promise<void> {
  const jobId = await submit(world, "Talk");
  const seen = new Map<number, number>();
  let told = 0;
  const stop = world.deployment.people.watchLogTail(
    { jobId, attempt: 1 },
    {
      onValue: ({ tailSeq, tail }) => {
        told += JSON.stringify(tail).length;
        for (const [i, entry] of tail.entries()) {
          if (!seen.has(tailSeq + i)) seen.set(tailSeq + i, Date.now() - entry.at);
        }
      },
      onError: () => undefined,
    },
  );
  await watch(world, jobId, succeeded);
  stop();
  figure(
    `log latency, ${String(LINES)} lines 200 ms apart`,
    [...seen.values()],
    "p95 under 1500 ms",
  );
  const bytes = JSON.stringify(await wholeLog(world, jobId)).length;
  note("sent to a reader of the whole tail", `${shown(told / bytes)} times the log`);
}

async function wholeLog(
  { deployment }: World,
  jobId: Awaited<ReturnType<typeof submit>>,
): Promise<LogEntry[]> {
  const { sealedChunks, tail } = await deployment.people.getLogTail(jobId, 1);
  const entries: LogEntry[] = [];
  for (let index = 0; index < sealedChunks; index += 1) {
    entries.push(...(await deployment.people.getLogChunk({ jobId, attempt: 1, index })).entries);
  }
  return [...entries, ...tail];
}

/** What the CLI writes for a change in a file of 330 kB, and what of it goes into the log. */
async function amplification(world: World): Promise<void> {
  const bytes = await bareRun(world, "Large");
  const jobId = await submit(world, "Large");
  await watch(world, jobId, succeeded);
  const log = JSON.stringify(await wholeLog(world, jobId)).length;
  const text = `${shown(bytes / 1000)} kB of the CLI's events, ${shown(log / 1000)} kB of log`;
  note(
    "amplification, an edit in a file of 330 kB",
    `${text}: ${((100 * log) / bytes).toFixed(1)} %`,
  );
}

const BARE_ARGUMENTS = [
  ...["-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"],
  ...["--setting-sources", "user", "--strict-mcp-config"],
];
let bareRuns = 0;
/** The CLI in the executor's environment, as a script would call it; answers how much it wrote to stdout. */
async function bareRun({ folder, repository, executor }: World, prompt: string): Promise<number> {
  const place = path.join(folder, `bare${String((bareRuns += 1))}`);
  const at = (name: string): string => path.join(place, name);
  for (const name of ["home", "config", "tmp"]) mkdirSync(at(name), { recursive: true });
  cpSync(repository, at("repo"), { recursive: true });
  const cli = await findCli({ given: undefined, searchPath: SEARCH_PATH, clock: systemClock });
  if (cli === undefined) throw new Error("there is no claude binary here");
  const { login } = executor;
  const command = buildCommand({
    ...{ file: cli.file, searchPath: SEARCH_PATH, marker: `bare${String(bareRuns)}` },
    isRoot: process.getuid?.() === 0,
    work: { prompt, limits: {}, sessionId: randomUUID() },
    folders: { repo: at("repo"), home: at("home"), config: at("config"), tmp: at("tmp") },
    login: {
      baseUrl: login["ANTHROPIC_BASE_URL"],
      apiKey: login["ANTHROPIC_API_KEY"],
      oauthToken: undefined,
      configDir: at("config"),
    },
  });
  const { file, cwd, env } = command;
  const child = spawn(file, BARE_ARGUMENTS, {
    ...{ cwd, env: { ...env } },
    stdio: ["pipe", "pipe", "ignore"],
  });
  let bytes = 0;
  child.stdout.on("data", (piece: Buffer) => {
    bytes += piece.length;
  });
  child.stdin.end(prompt);
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`the bare CLI ended with ${String(code)}`);
  return bytes;
}

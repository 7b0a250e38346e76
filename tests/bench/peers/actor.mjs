// One producer or worker of another queue, as a process of its own: `node actor.mjs SYSTEM ROLE`.
// It speaks with tests/bench/queue/race.ts over IPC; what it is told and tells is listed there.
import { clearInterval, setInterval, setTimeout } from "node:timers";

const CONCURRENCY = 10;
const now = () => performance.timeOrigin + performance.now();
const [, , system, role] = process.argv;
const { PGURL: connectionString, REDIS_PORT } = process.env;
const quietly = () => undefined;

/** Each answers how to add a job, or how to work; `hold` keeps a job for ever. */
const SYSTEMS = {
  async bullmq() {
    const { Queue, Worker } = await import("bullmq");
    const connection = { host: "127.0.0.1", port: Number(REDIS_PORT), maxRetriesPerRequest: null };
    return {
      async producer() {
        const queue = new Queue("bench", { connection });
        await queue.waitUntilReady();
        return (i) => queue.add("n", { i }, { removeOnComplete: true });
      },
      async worker(onJob) {
        const options = { connection, concurrency: CONCURRENCY };
        const worker = new Worker("bench", (job) => onJob(job.data.i), options);
        worker.on("error", quietly);
        await worker.waitUntilReady();
      },
    };
  },
  async pgBoss() {
    const { PgBoss } = await import("pg-boss");
    const boss = new PgBoss({ connectionString, max: CONCURRENCY + 2, useListenNotify: true });
    boss.on("error", quietly);
    await boss.start();
    if ((await boss.getQueue("bench")) === null) {
      await boss.createQueue("bench", { notify: true }).catch(quietly);
    }
    return {
      producer: async () => (i) => boss.send("bench", { i }),
      worker: async (onJob) => {
        const options = { localConcurrency: CONCURRENCY, pollingIntervalSeconds: 0.5 };
        await boss.work("bench", options, async ([job]) => onJob(job.data.i));
      },
    };
  },
  async graphile() {
    const { run, makeWorkerUtils, Logger } = await import("graphile-worker");
    const logger = new Logger(() => quietly);
    const utils = await makeWorkerUtils({ connectionString, logger });
    await utils.migrate();
    return {
      producer: async () => (i) => utils.addJob("bench", { i }),
      worker: async (onJob) => {
        const { concurrency, maxPoolSize } = { concurrency: CONCURRENCY, maxPoolSize: 12 };
        const settings = { connectionString, concurrentJobs: concurrency, maxPoolSize, logger };
        await run({
          preset: { worker: settings },
          noHandleSignals: true,
          taskList: { bench: async ({ i }) => onJob(i) },
        });
      },
    };
  },
};

async function produce(make) {
  const add = await make();
  process.on("message", async ({ from, count, gapMs, parallel }) => {
    const sent = [];
    let next = from;
    const lane = async () => {
      while (next < from + count) {
        const i = next;
        next += 1;
        const at = now();
        await add(i);
        sent.push([i, at, now()]);
        if (gapMs > 0) await new Promise((r) => setTimeout(r, gapMs * (1 + Math.random())));
      }
    };
    await Promise.all(Array.from({ length: parallel }, lane));
    process.send({ sent });
  });
}

async function work(start, isVictim) {
  const ran = [];
  const timer = setInterval(() => {
    if (ran.length > 0) process.send({ ran: ran.splice(0) });
  }, 5);
  process.once("disconnect", () => clearInterval(timer));
  await start((i) => {
    ran.push([i, now(), now()]);
    return isVictim ? new Promise(() => undefined) : Promise.resolve();
  });
}

const parts = await SYSTEMS[system]();
if (role === "producer") await produce(parts.producer);
else await work(parts.worker, role === "victim");
process.send({ ready: true });
process.once("disconnect", () => process.exit(0));

/** From a write to those who see it, and how many writes there can be. */
import type { ConvexClient } from "convex/browser";
import { api, startServer, type BenchServer } from "./server.js";
import { figure, note, shown, timed } from "./stats.js";

const UPDATE_RUNS = 500;
const UPDATE_WARM_UP = 200;
const COMMITS = 10_000;
const COMMITS_WARM_UP = 2_000;
/** Mutations that a socket sends before it waits for answers. */
const WINDOW = 500;
const SOCKETS = 50;
const SUBSCRIBERS = 500;
const FAN_OUT_RUNS = 30;

const modes = [
  { isSynced: true, mode: "durable", aim: "< 5 ms" },
  { isSynced: false, mode: "no fsync", aim: "< 2.5 ms" },
];

/** A mutation on one client until the update on another. */
export async function updates(): Promise<void> {
  for (const { isSynced, mode, aim } of modes) {
    const server = await startServer({ isSynced });
    const writer = server.client();
    const seen = watch(server.client(), "update");
    await seen.until(null);
    const taken = await timed({ runs: UPDATE_RUNS, warmUp: UPDATE_WARM_UP }, async (n) => {
      const written = writer.mutation(api.set, { tag: "update", n });
      await seen.until(n);
      await written;
    });
    figure(`mutation to update elsewhere, ${mode}`, taken, aim);
    await server.end();
  }
}

/** Mutations that insert one document each, sent without waiting for the one before. */
export async function commits(): Promise<void> {
  for (const { isSynced, mode } of modes) {
    const server = await startServer({ isSynced });
    for (const sockets of [1, 16]) {
      const clients = Array.from({ length: sockets }, () => server.client());
      await pipeline(clients, COMMITS_WARM_UP);
      const cpuBefore = server.cpuMs();
      const start = performance.now();
      await pipeline(clients, COMMITS);
      const cpuMs = (server.cpuMs() - cpuBefore) / COMMITS;
      const perSecond = COMMITS / ((performance.now() - start) / 1000);
      note(
        `commits a second, ${mode}, ${String(sockets)} sockets`,
        `${perSecond.toFixed(0)} (${String(COMMITS)} mutations, ${shown(cpuMs)} ms of processor each)`,
        isSynced ? "> 1,000" : "",
      );
    }
    await server.end();
  }
}

/** Each socket has up to WINDOW mutations under way all the time. */
async function pipeline(clients: readonly ConvexClient[], total: number): Promise<void> {
  const each = total / clients.length;
  const slots = clients.flatMap((client, who) => {
    let n = 0;
    return Array.from({ length: Math.min(WINDOW, each) }, async () => {
      while (n < each) {
        n += 1;
        await client.mutation(api.add, { tag: `socket${String(who)}`, n });
      }
    });
  });
  await Promise.all(slots);
}

/** One write seen by all, and a write that concerns one of many. */
export async function fanOut(): Promise<void> {
  const server = await startServer();
  const writer = server.client();
  const one = await measureFanOut(server, { writer, tagOf: () => "lonely", count: 1 });
  const single = figure("one subscriber", one);
  const mine = await measureFanOut(server, {
    writer,
    tagOf: (at) => `own${String(at)}`,
    count: SUBSCRIBERS,
  });
  const concerned = figure(`1 of ${String(SUBSCRIBERS)} subscribers concerned`, mine);
  note("  ratio to one subscriber alone", shown(concerned / single), "cost follows the one");
  const all = await measureFanOut(server, {
    writer,
    tagOf: () => "shared",
    count: SUBSCRIBERS,
  });
  figure(`all of ${String(SUBSCRIBERS)} subscribers on ${String(SOCKETS)} sockets`, all);
  await server.end();
}

async function measureFanOut(
  server: BenchServer,
  options: { writer: ConvexClient; tagOf: (at: number) => string; count: number },
): Promise<number[]> {
  const clients = Array.from({ length: Math.min(SOCKETS, options.count) }, () => server.client());
  const watches = Array.from({ length: options.count }, (_, at) => {
    const client = clients[at % clients.length];
    if (client === undefined) throw new Error("There is no client.");
    return { tag: options.tagOf(at), seen: watch(client, options.tagOf(at)) };
  });
  await Promise.all(watches.map(({ seen }) => seen.first));
  const tag = options.tagOf(0);
  const concerned = watches.filter((one) => one.tag === tag);
  const taken = await timed({ runs: FAN_OUT_RUNS, warmUp: 10 }, async (n) => {
    const written = options.writer.mutation(api.set, { tag, n });
    await Promise.all(concerned.map(({ seen }) => seen.until(n)));
    await written;
  });
  for (const client of clients) await client.close();
  return taken;
}

/** Subscribes, and lets one wait for a value at a time. */
function watch(client: ConvexClient, tag: string) {
  let last: number | null | undefined;
  let waiting: { value: number | null; resolve: () => void } | null = null;
  let markFirst: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    markFirst = resolve;
  });
  client.onUpdate(api.value, { tag }, (value) => {
    last = value;
    markFirst();
    if (waiting?.value === value) waiting.resolve();
  });
  const until = (value: number | null): Promise<void> =>
    last === value
      ? Promise.resolve()
      : new Promise((resolve) => {
          waiting = { value, resolve };
        });
  return { first, until };
}

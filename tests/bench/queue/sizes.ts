/** The same lives beside few and beside a million other jobs; and how near functions come to limits. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { api, internal } from "../../../convex/_generated/api.js";
import { RETENTION_KINDS } from "../../../convex/protocol/retention.js";
import { findRoot } from "../../../cli/root.js";
import { DEFAULT_LIMITS, type Limits } from "../../../embedded/engine/limits.js";
import { crowd } from "./crowd.js";
import { costOf, load, say } from "./figures.js";
import { LIFE_NAMES, live } from "./lives.js";
import { type Run, sumOf } from "./meter.js";
import { Place } from "./place.js";

const TIMED_LIVES = 60;
const WARM_UP = 10;
const DAY_MS = 86_400_000;
/** Documents that one function may read, where a plan allows fewer than the others. */
const DOCUMENTS_READ_LEAST = 16_384;

/** Lives at each size: counts that must not differ, and the times of one of them, in turns. */
export async function sizes(counts: readonly number[]): Promise<void> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "fondation-queue-")));
  const places: { others: number; place: Place }[] = [];
  try {
    say("\nBeside other jobs of every state, data on disk, fsync before each answer");
    for (const others of counts) {
      const startedAt = performance.now();
      const dataDir = path.join(folder, String(others));
      const fill = (backend: Place["backend"]) => crowd(backend, others);
      places.push({ others, place: await Place.open({ root: findRoot(), dataDir, fill }) });
      say(`${named(others)} put there in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
    }
    await sameCounts(places);
    await times(places);
    const last = places.at(-1);
    if (last !== undefined) await limits(last.place, last.others);
  } finally {
    for (const { place } of places) await place.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Sized = { others: number; place: Place };

async function sameCounts(places: readonly Sized[]): Promise<void> {
  for (const life of LIFE_NAMES) {
    const lines: string[] = [];
    for (const { others, place } of places) {
      const { calls, read, written } = costOf(await live(place, life));
      lines.push(`${named(others)}: ${calls} calls, ${read} read, ${written} written`);
    }
    const isSame = new Set(lines.map((line) => line.split(": ")[1])).size === 1;
    say(`${life.padEnd(52)} ${isSame ? "the same" : "DIFFERENT"}: ${lines.join("; ")}`);
  }
}

async function times(places: readonly Sized[]): Promise<void> {
  const taken = new Map<number, number[]>(places.map(({ others }) => [others, []]));
  // In turns, so that all suffer the same from what else the machine does.
  for (let run = 0; run < WARM_UP + TIMED_LIVES; run += 1) {
    for (const { others, place } of places) {
      const runs = await live(place, "straight success");
      const ms = runs.reduce((sum, each) => sum + each.ms, 0);
      if (run >= WARM_UP) taken.get(others)?.push(ms);
    }
  }
  const median = (ms: readonly number[]) => ms.toSorted((a, b) => a - b)[ms.length >> 1] ?? NaN;
  const [first = NaN] = [...taken.values()].map(median);
  for (const [others, ms] of taken) {
    say(
      `straight success beside ${named(others)}: p50 ${median(ms).toFixed(1)} ms in all its functions, ` +
        `${(median(ms) / first).toFixed(2)} times the first (aim: at most 1.3); load ${load()}`,
    );
  }
}

const named = (others: number): string => `${others.toLocaleString("en")} others`;

/** The largest share of any limit that each function uses; those that people, crons and chains call. */
async function limits(place: Place, others: number): Promise<void> {
  const person = place.person("reader");
  const page = { numItems: 1_000, cursor: null };
  place.meter.take();
  for (const life of LIFE_NAMES) await live(place, life);
  const runs = [...place.meter.take()];
  await place.query(api.jobs.list, { paginationOpts: page }, person);
  const { page: some } = await place.query(api.jobs.list, { paginationOpts: page }, person);
  for (const state of ["pending", "running", "succeeded"] as const) {
    await place.query(api.jobs.list, { state, paginationOpts: page }, person);
  }
  for (const { jobId } of some.slice(0, 8)) {
    await place.query(api.jobs.waiting, { jobId }, person);
    await place.query(api.jobs.get, { jobId }, person);
    await place.query(api.jobs.events, { jobId }, person);
  }
  await place.query(api.executors.list, {}, person);
  await place.query(api.queue.status, {}, person);
  await place.query(api.metrics.now, {}, person);
  await place.query(api.metrics.series, { range: "quarter" }, person);
  await place.query(api.metrics.spend, { range: "quarter" }, person);
  await place.query(api.alerts.list, {}, person);
  await place.query(api.selfAudit.status, { live: true }, person);
  for (const part of [
    "system",
    "counters",
    "executors",
    "slots",
    "leases",
    "live",
    "ended",
  ] as const) {
    await place.query(internal.selfAudit.check, { part });
  }
  await place.mutation(internal.metrics.tick, {});
  await place.mutation(internal.alerts.evaluate, {});
  await place.mutation(internal.maintenance.reclaimExpired, {});
  const before = place.clock.nowMs() + DAY_MS;
  for (const kind of RETENTION_KINDS) {
    await place.query(internal.retention.preview, { kind, before, cursor: 0 });
  }
  runs.push(...place.meter.take());
  say(`\nShares of Convex's limits at ${named(others)}, the largest of each function`);
  for (const line of nearest(runs)) say(line);
}

const COUNTED: readonly [what: string, of: (run: Run) => number, limit: number][] = [
  ["documents read", (run) => sumOf(run.read), DOCUMENTS_READ_LEAST],
  ["bytes read", (run) => run.bytesRead, bytes("bytesRead")],
  ["ranges", (run) => run.ranges, bytes("databaseQueries")],
  ["documents written", (run) => sumOf(run.written), bytes("documentsWritten")],
  ["bytes written", (run) => run.bytesWritten, bytes("bytesWritten")],
  ["scheduled", (run) => run.scheduled, bytes("functionsScheduled")],
];

function bytes(kind: keyof Limits): number {
  return DEFAULT_LIMITS[kind];
}

/** For each function its largest share of a limit, the largest first. */
function nearest(runs: readonly Run[]): string[] {
  const found = new Map<string, { share: number; text: string }>();
  for (const run of runs) {
    for (const [what, of, limit] of COUNTED) {
      const share = of(run) / limit;
      if (share <= (found.get(run.name)?.share ?? -1)) continue;
      found.set(run.name, { share, text: `${of(run)} of ${limit} ${what}` });
    }
  }
  return [...found]
    .sort(([, a], [, b]) => b.share - a.share)
    .map(([name, { share, text }]) => {
      const isNear = share > 0.1 ? "  NEARER THAN A TENTH" : "";
      return `  ${name.padEnd(40)} ${(share * 100).toFixed(2).padStart(6)} %  ${text}${isNear}`;
    });
}

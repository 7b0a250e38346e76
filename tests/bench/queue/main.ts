/**
 * `npm run bench:queue [-- --only lives,burst,sizes,peers] [-- --others 64,10000,1000000]`: what the queue costs and how fast it is.
 * Counts come from the transactions of the engine; they are the same in each run. Figures are printed
 * beside their aims, and none is judged.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { findRoot } from "../../../cli/root.js";
import { anatomy, COST_HEAD, costLine, costOf, load, say } from "./figures.js";
import { burst, BURST_JOBS, LIFE_NAMES, live } from "./lives.js";
import { actOurs, type OursArgs } from "./ours.js";
import { peers } from "./peers.js";
import { sizes } from "./sizes.js";
import { Place } from "./place.js";

/** How many other jobs there are, eight of each state on; a million takes some minutes to put there. */
const OTHERS = "64,10000,1000000";

async function main(): Promise<void> {
  const act = process.env["FONDATION_BENCH_ACT"];
  if (act !== undefined) {
    // Written by peers.ts, of this same program.
    await actOurs(JSON.parse(act) as OursArgs);
    return;
  }
  const { values } = parseArgs({
    options: { only: { type: "string" }, others: { type: "string" } },
  });
  const others = (values.others ?? OTHERS).split(",").map(Number);
  if (!others.every((count) => Number.isInteger(count) && count > 0)) {
    throw new Error(`--others takes numbers of jobs like ${OTHERS}, not "${values.others ?? ""}"`);
  }
  const parts = new Map<string, () => Promise<void>>([
    ["lives", lives],
    ["burst", bursts],
    ["sizes", () => sizes(others)],
    ["peers", peers],
  ]);
  const names = values.only === undefined ? [...parts.keys()] : values.only.split(",");
  say(`Node ${process.version}, ${String(cpus().length)} cores, load ${load()} at the start`);
  for (const name of names) {
    const part = parts.get(name);
    if (part === undefined) {
      throw new Error(`--only takes ${[...parts.keys()].join(", ")}, not "${name}"`);
    }
    await part();
  }
  say(`load ${load()} at the end`);
}

async function lives(): Promise<void> {
  const place = await Place.open({ root: findRoot(), dataDir: null });
  say(`\nThe lives of a job, one at a time, everybody else idle\n${COST_HEAD}`);
  for (const name of LIFE_NAMES) {
    const runs = await live(place, name);
    say(costLine(name, costOf(runs)));
    for (const line of anatomy(runs)) say(line);
  }
  await place.close();
}

async function bursts(): Promise<void> {
  say(`\n${BURST_JOBS} jobs at once, for each job\n${COST_HEAD}`);
  for (const slots of [8, 1]) {
    const place = await Place.open({ root: findRoot(), dataDir: null });
    const runs = await burst(place, { slots });
    say(costLine(`eight executors of ${slots}`, costOf(runs), BURST_JOBS));
    for (const line of anatomy(runs)) say(line);
    await place.close();
  }
}

main().then(
  () => {
    // An actor lives on until its parent ends it.
    if (process.env["FONDATION_BENCH_ACT"] === undefined) process.exit(0);
  },
  (error: unknown) => {
    process.stderr.write(
      `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(1);
  },
);

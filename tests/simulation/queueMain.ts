/**
 * `npm run test:simulate -- [--seed N] [--steps M] [--world S]`: one world after the other, each from a
 * seed of its own beginning with N, until M steps were made. A world lives S steps, then it is healed
 * and must come to its end. Without --seed a random one, which is printed.
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { QueueWorld } from "./queueWorld.js";

/** Between two lines of progress. */
const REPORT_MS = 15_000;
const COUNTED = ["steps", "calls", "refused", "conflicts", "jobs", "succeeded"] as const;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    steps: { type: "string", default: "100000" },
    world: { type: "string", default: "2000" },
  },
});

function numberOf(name: "seed" | "steps" | "world"): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`--${name} must be a whole number\n`);
  return process.exit(64);
}

const first = numberOf("seed");
const wanted = numberOf("steps");
const world = numberOf("world");
const hash = createHash("sha256");
const total = { worlds: 0, steps: 0, calls: 0, refused: 0, conflicts: 0, jobs: 0, succeeded: 0 };
const startedAt = performance.now();
let reportedAt = startedAt;

function told(): string {
  const perSecond = (total.steps / (performance.now() - startedAt)) * 1_000;
  const counts = Object.entries(total).map(([name, count]) => `${count} ${name}`);
  return `from seed ${first}: ${counts.join(", ")}; ${perSecond.toFixed(0)} steps/s\n`;
}

try {
  for (let seed = first; total.steps < wanted; seed += 1) {
    const tally = await QueueWorld.run({ seed, steps: world });
    hash.update(tally.digest);
    total.worlds += 1;
    for (const name of COUNTED) total[name] += tally[name];
    if (performance.now() - reportedAt < REPORT_MS) continue;
    reportedAt = performance.now();
    process.stderr.write(told());
  }
  process.stdout.write(`${told()}trace ${hash.digest("hex").slice(0, 16)}\nno violation\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${told()}`);
  process.exitCode = 1;
}

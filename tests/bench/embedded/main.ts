/**
 * `npm run bench:embedded [-- --only NAME] [-- --docs N]`: how fast the embedded backend is on this
 * machine, as a process of its own, by official clients. Prints figures beside their aims, judges none.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { idleMemory, reads, restart } from "./size.js";
import { load, say } from "./stats.js";
import { week } from "./week.js";
import { commits, fanOut, updates } from "./writes.js";

const DOCUMENTS = 1_000_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { only: { type: "string" }, docs: { type: "string" } },
  });
  const documents = Number(values.docs ?? DOCUMENTS);
  if (!Number.isInteger(documents) || documents < 1_000) {
    throw new Error("--docs must be a number from 1000");
  }
  const figures = new Map<string, () => Promise<void>>([
    ["updates", updates],
    ["commits", commits],
    ["fanOut", fanOut],
    ["restart", restart],
    ["idle", idleMemory],
    ["reads", () => reads(documents)],
    ["week", week],
  ]);
  const names = values.only === undefined ? [...figures.keys()] : values.only.split(",");
  say(
    `Node ${process.version}, ${String(cpus().length)} cores, load ${load()} at the start; clients in one process, the backend in another`,
  );
  say("fsync before every answer (synchronous=FULL) unless a line says otherwise");
  for (const name of names) {
    const measure = figures.get(name);
    if (measure === undefined) {
      throw new Error(`--only takes ${[...figures.keys()].join(", ")}, not "${name}"`);
    }
    await measure();
  }
  say(`load ${load()} at the end`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);

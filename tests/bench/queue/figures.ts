/** Sums of runs, and tables of them. */
import { loadavg } from "node:os";
import { type Rows, type Run, sumOf } from "./meter.js";

export type Cost = {
  calls: number;
  read: number;
  written: number;
  bytesRead: number;
  bytesWritten: number;
  scheduled: number;
  conflicts: number;
};

const NO_COST: Cost = {
  calls: 0,
  read: 0,
  written: 0,
  bytesRead: 0,
  bytesWritten: 0,
  scheduled: 0,
  conflicts: 0,
};

/** What runs cost together. */
export function costOf(runs: readonly Run[]): Cost {
  return runs.reduce(
    (sum, run) => ({
      calls: sum.calls + 1,
      read: sum.read + sumOf(run.read),
      written: sum.written + sumOf(run.written),
      bytesRead: sum.bytesRead + run.bytesRead,
      bytesWritten: sum.bytesWritten + run.bytesWritten,
      scheduled: sum.scheduled + run.scheduled,
      conflicts: sum.conflicts + run.conflicts,
    }),
    NO_COST,
  );
}

/** Runs by the name of their function, in the order in which the names first come. */
function byName(runs: readonly Run[]): Map<string, Run[]> {
  const named = new Map<string, Run[]>();
  for (const run of runs) named.set(run.name, [...(named.get(run.name) ?? []), run]);
  return named;
}

/** One line of the table of costs; `per` divides, for bursts. */
export function costLine(name: string, cost: Cost, per = 1): string {
  const each = (n: number): string => (per === 1 ? String(n) : (n / per).toFixed(2));
  const columns = [cost.calls, cost.read, cost.written];
  const kilo = [cost.bytesRead, cost.bytesWritten].map((n) => (n / per / 1000).toFixed(1));
  const rest = [each(cost.scheduled), each(cost.conflicts)];
  const cells = [...columns.map(each), ...kilo, ...rest].map((cell) => cell.padStart(10));
  return `${name.padEnd(52)}${cells.join("")}`;
}

export const COST_HEAD = `${"".padEnd(52)}${["calls", "read", "written", "kB read", "kB written", "scheduled", "conflicts"].map((head) => head.padStart(10)).join("")}`;

/** Where the reads and writes of a life go: one line a function and its tables. */
export function anatomy(runs: readonly Run[]): string[] {
  return [...byName(runs)].flatMap(([name, own]) => {
    const cost = costOf(own);
    const tables = (which: "read" | "written"): string => shown(own.map((run) => run[which]));
    return [
      costLine(`  ${name}`, cost),
      `      reads ${tables("read")}; writes ${tables("written")}`,
    ];
  });
}

function shown(all: readonly Rows[]): string {
  const sum: Rows = {};
  for (const rows of all) {
    for (const [table, n] of Object.entries(rows)) sum[table] = (sum[table] ?? 0) + n;
  }
  const parts = Object.entries(sum).map(([table, n]) => `${table} ${n}`);
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const load = (): string => (loadavg()[0] ?? 0).toFixed(1);

/** Figures: measured, summed up, printed beside their aims. */
import { loadavg } from "node:os";

export const median = (values: readonly number[]): number => quantile(values, 0.5);

function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const load = (): string => (loadavg()[0] ?? 0).toFixed(1);

export const shown = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

/** One line: name, p50 and p95 in ms, aim, load. Answers the p50. */
export function figure(name: string, ms: readonly number[], aim = ""): number {
  const p50 = median(ms);
  const figures = `p50 ${shown(p50)} ms, p95 ${shown(quantile(ms, 0.95))} ms`;
  note(name, `${figures} (${String(ms.length)} runs)`, aim);
  return p50;
}

export function note(name: string, text: string, aim = ""): void {
  say(`${name.padEnd(44)} ${text}${aim === "" ? "" : `; aim ${aim}`}; load ${load()}`);
}

/** Calls `run` again and again; answers the ms each took, less the first `warmUp`. */
export async function timed(
  options: { runs: number; warmUp: number },
  run: (at: number) => Promise<void>,
): Promise<number[]> {
  const taken: number[] = [];
  for (let at = 0; at < options.runs + options.warmUp; at += 1) {
    const start = performance.now();
    await run(at);
    if (at >= options.warmUp) taken.push(performance.now() - start);
  }
  return taken;
}

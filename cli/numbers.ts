/** Numbers and durations as typed. */
import { usageError } from "./errors.js";

/** A whole number within bounds; the error names the option. */
export function readCount(text: string, option: string, [min, max]: [number, number]): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw usageError(
    `${option} is "${text}"; it must be a whole number from ${String(min)} to ${String(max)}.`,
  );
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "90s", "30m", "2h", "7d" in milliseconds. */
export function readDuration(text: string, option: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined) {
    throw usageError(`${option} is "${text}"; it must be a number with s, m, h or d, like 30m.`);
  }
  // The expression lets no other letter through.
  return Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** An amount of money above 0. */
export function readDollars(text: string, option: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value;
  throw usageError(`${option} is "${text}"; it must be an amount in US dollars, like 2.50.`);
}

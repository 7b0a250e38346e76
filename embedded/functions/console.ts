/** Collects what a function prints, in the text form of Convex. */
import { inspect } from "node:util";

const LINE_CHARS_MAX = 32_768;
const LINES_MAX = 256;
export const CONSOLE_LEVELS = ["log", "info", "warn", "error", "debug", "trace"] as const;
export type ConsoleLevel = (typeof CONSOLE_LEVELS)[number];

export class LogLines {
  readonly lines: string[] = [];

  add(level: ConsoleLevel, args: readonly unknown[]): void {
    if (this.lines.length > LINES_MAX) return;
    if (this.lines.length === LINES_MAX) {
      this.lines.push(`[ERROR] Log overflow (maximum ${LINES_MAX}). Remaining log lines omitted.`);
      return;
    }
    const text = args.map((arg) => inspect(arg, { depth: 4 })).join(" ");
    const label = level === "trace" ? "LOG" : level.toUpperCase();
    const line = `[${label}] ${text}`;
    this.lines.push(
      line.length > LINE_CHARS_MAX ? `${line.slice(0, LINE_CHARS_MAX)} (truncated)` : line,
    );
  }
}

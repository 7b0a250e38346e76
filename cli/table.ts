/** Rows of text for people, in columns. Colours only where the stream shows them. */
import { styleText } from "node:util";

/** Pads each column but the last to its widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...all.map((cells) => (cells[column] ?? "").length)),
  );
  return all
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
    .map((cells, row) => paint(row === 0 ? "bold" : undefined, cells.join("  ").trimEnd()))
    .join("\n");
}

const COLOURS: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  succeeded: "green",
  running: "cyan",
  assigned: "cyan",
  failed: "red",
  lost: "red",
  canceled: "yellow",
};

/** A state in its colour; to be used outside of columns, whose widths it would change. */
export function stateText(state: string): string {
  return paint(COLOURS[state], state);
}

function paint(format: Parameters<typeof styleText>[0] | undefined, text: string): string {
  return format === undefined ? text : styleText(format, text, { stream: process.stdout });
}

/** "3 min ago", "in 2 h": times for people; programs get ISO. */
export function relative(at: number, now: number): string {
  const seconds = Math.round(Math.abs(now - at) / 1_000);
  const [count, unit] =
    seconds < 60
      ? [seconds, "s"]
      : seconds < 3_600
        ? [Math.round(seconds / 60), "min"]
        : seconds < 172_800
          ? [Math.round(seconds / 3_600), "h"]
          : [Math.round(seconds / 86_400), "d"];
  return at <= now ? `${String(count)} ${unit} ago` : `in ${String(count)} ${unit}`;
}

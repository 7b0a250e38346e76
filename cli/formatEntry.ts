import type { LogEntry, LogKind } from "../convex/protocol/log.js";

/** Lines and characters of one entry that the terminal shows; the rest stays in the log. */
const LINES_MAX = 12;
const LINE_CHARS_MAX = 200;

const SIGNS: Record<LogKind, string> = {
  marker: "·",
  text: "»",
  tool: "$",
  toolResult: " ",
  retry: "!",
  stderr: "!",
};

/** One entry of a log as indented lines behind the sign of its kind. */
export function formatEntry({ kind, text }: LogEntry): string {
  const lines = text.trimEnd().split("\n");
  const shown = lines
    .slice(0, LINES_MAX)
    .map((line) => (line.length > LINE_CHARS_MAX ? `${line.slice(0, LINE_CHARS_MAX)}…` : line));
  if (lines.length > LINES_MAX) shown.push(`… ${String(lines.length - LINES_MAX)} more lines`);
  return shown.map((line, i) => `  ${i === 0 ? SIGNS[kind] : " "} ${line}`.trimEnd()).join("\n");
}

/** A log as lines, turns and tools. Grows at its end alone; what is there does not change. No React. */
import type { LogEntry, LogKind } from "../../../../convex/protocol/log.js";
import { plain, settle } from "./ansi.js";

export type Line = {
  /** Number of its entry, and which line of that entry it is. */
  seq: number;
  part: number;
  kind: LogKind;
  /** Without colours: what is searched. */
  text: string;
  turn: number;
  /** The tool whose output it is, or which it calls; -1 where there is none. */
  tool: number;
};

/** What the model does until the next answer of a tool; the first is what comes before it speaks. */
export type Turn = { at: number; endAt: number; firstLine: number; lines: number; tools: string[] };

/** A call of a tool. */
export type Tool = { line: number; call: string | undefined; outputLines: number };

/** What is folded away: turns and tools by their numbers. */
export type Folds = { turns: ReadonlySet<number>; tools: ReadonlySet<number> };
export const NO_FOLDS: Folds = { turns: new Set(), tools: new Set() };

/** A row as one number: a line's, or -1 - n for the head of turn n. */
export type RowCode = number;
const headOf = (turn: number): RowCode => -1 - turn;

export class LogModel {
  readonly entries: LogEntry[] = [];
  readonly lines: Line[] = [];
  readonly turns: Turn[] = [];
  readonly tools: Tool[] = [];
  /** All rows, none folded. */
  readonly #rows: RowCode[] = [];
  readonly #toolOfCall = new Map<string, number>();
  /** Whether the model may go on with the turn: no tool has answered since. */
  #isTurnOpen = false;
  longestLine = 0;
  #found: { query: string; looked: number; hits: number[] } = { query: "", looked: 0, hits: [] };

  append(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#add(entry);
  }

  /** Rows that are not folded away, top down. */
  rows({ turns, tools }: Folds): readonly RowCode[] {
    if (turns.size === 0 && tools.size === 0) return this.#rows;
    return this.#rows.filter((code) => {
      const line = this.lines[code];
      if (line === undefined) return true;
      return !turns.has(line.turn) && !(isOutput(line) && tools.has(line.tool));
    });
  }

  /** Numbers of all lines that hold the text, in whatever case, folded or not. Looks at each line once. */
  find(text: string): readonly number[] {
    const query = text.toLowerCase();
    if (query === "") return [];
    if (this.#found.query !== query) this.#found = { query, looked: 0, hits: [] };
    const found = this.#found;
    for (; found.looked < this.lines.length; found.looked += 1) {
      if (this.lines[found.looked]?.text.toLowerCase().includes(query) === true) {
        found.hits.push(found.looked);
      }
    }
    return found.hits;
  }

  #add(entry: LogEntry): void {
    const seq = this.entries.length;
    this.entries.push(entry);
    const turn = this.#turnFor(entry);
    const tool = this.#toolFor(entry);
    const texts = plain(settle(entry.text)).split("\n");
    for (const [part, text] of texts.entries()) {
      this.#rows.push(this.lines.length);
      this.lines.push({ seq, part, kind: entry.kind, text, turn, tool });
      this.longestLine = Math.max(this.longestLine, text.length);
    }
    const row = this.turns[turn];
    if (row !== undefined) {
      row.lines += texts.length;
      row.endAt = Math.max(row.endAt, entry.at);
    }
    const output = this.tools[tool];
    if (entry.kind === "toolResult" && output !== undefined) output.outputLines += texts.length;
  }

  #turnFor({ kind, at }: LogEntry): number {
    const isModel = kind === "text" || kind === "tool";
    const isNew = this.turns.length === 0 || (isModel && !this.#isTurnOpen);
    // What comes before the model's first word is a turn of its own, the set-up.
    if (isNew && isModel && this.turns.length === 0) this.#openTurn(at);
    if (isNew) this.#openTurn(at);
    if (isModel) this.#isTurnOpen = true;
    else if (kind === "toolResult") this.#isTurnOpen = false;
    return this.turns.length - 1;
  }

  #openTurn(at: number): void {
    this.turns.push({ at, endAt: at, firstLine: this.lines.length, lines: 0, tools: [] });
    this.#rows.push(headOf(this.turns.length - 1));
  }

  #toolFor({ kind, text, call }: LogEntry): number {
    if (kind === "toolResult") {
      return (call === undefined ? undefined : this.#toolOfCall.get(call)) ?? this.tools.length - 1;
    }
    if (kind !== "tool") return -1;
    const tool = this.tools.length;
    this.tools.push({ line: this.lines.length, call, outputLines: 0 });
    if (call !== undefined) this.#toolOfCall.set(call, tool);
    this.turns.at(-1)?.tools.push(text.split(" ", 1)[0] ?? "");
    return tool;
  }
}

/** Whether a line is what a tool answered. */
export function isOutput({ kind, tool }: Line): boolean {
  return kind === "toolResult" && tool >= 0;
}

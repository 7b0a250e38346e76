/** A log as the conversation it tells of: what was said, which tools were called and what they answered. Pure. */
import type { LogEntry } from "../../../../convex/protocol/log.js";

export type ToolInput = Readonly<Record<string, unknown>>;

/** One call of a tool; without `output` it has not answered. */
export type ToolCall = {
  name: string;
  /** One line of what it does. */
  summary: string;
  input: ToolInput | null;
  at: number;
  output?: { text: string; isError: boolean; at: number };
};

export type Block = { key: string; at: number } & (
  | { kind: "text"; text: string }
  | { kind: "tool"; tool: ToolCall }
  /** The executor's own words, git's, and those of the CLI that are no events; lines that came together. */
  | { kind: "notes"; lines: { text: string; isError: boolean }[] }
  /** A request is repeated, or a limit was met. */
  | { kind: "retry"; text: string }
  /** How long the model took for what comes next, ms; only where that was long. */
  | { kind: "thinking"; ms: number }
);

/** Shorter pauses are not worth a line. */
const THINKING_MS_MIN = 2_000;
const ERROR = "error: ";
/** How the executor tells that the CLI is there. */
const STARTED = "claude started";
/** Where an executor puts the clone: paths in it are read without. */
const WORKSPACE = /\/\S*?\/job-\w+\/repo\//g;

export function conversationOf(entries: readonly LogEntry[]): Block[] {
  const reader = new Reader();
  for (const [seq, entry] of entries.entries()) reader.read(String(seq), entry);
  return reader.blocks;
}

class Reader {
  readonly blocks: Block[] = [];
  readonly #open = new Map<string, ToolCall>();
  #last: ToolCall | undefined;
  /** When the model was last given something to think about. */
  #givenAt: number | undefined;

  read(key: string, entry: LogEntry): void {
    const { kind, at, text } = entry;
    switch (kind) {
      case "text":
        this.#addThinking(key, at);
        if (text.trim() !== "") this.blocks.push({ key, at, kind, text });
        break;
      case "tool":
        this.#addThinking(key, at);
        this.#last = toolOf(entry);
        if (entry.call !== undefined) this.#open.set(entry.call, this.#last);
        this.blocks.push({ key, at, kind, tool: this.#last });
        break;
      case "toolResult":
        this.#answer(entry);
        break;
      case "retry":
        this.blocks.push({ key, at, kind, text });
        break;
      case "marker":
      case "stderr":
        addNote(this.blocks, key, entry);
        if (kind === "marker" && text.startsWith(STARTED)) this.#givenAt = at;
        break;
    }
  }

  #addThinking(key: string, at: number): void {
    const from = this.#givenAt;
    this.#givenAt = undefined;
    if (from === undefined || at - from < THINKING_MS_MIN) return;
    this.blocks.push({ key: `${key}-thinking`, at: from, kind: "thinking", ms: at - from });
  }

  #answer(entry: LogEntry): void {
    const { call, at } = entry;
    const tool = (call === undefined ? undefined : this.#open.get(call)) ?? this.#last;
    if (tool !== undefined) tool.output = outputOf(entry);
    this.#givenAt = at;
  }
}

function toolOf({ text, at, input }: LogEntry): ToolCall {
  const cut = text.indexOf(" ");
  const name = cut < 0 ? text : text.slice(0, cut);
  return { name, summary: cut < 0 ? "" : inClone(text.slice(cut + 1)), at, input: parsed(input) };
}

function outputOf({ text, at }: LogEntry): NonNullable<ToolCall["output"]> {
  const isError = text.startsWith(ERROR);
  return { text: isError ? text.slice(ERROR.length) : text, isError, at };
}

function addNote(blocks: Block[], key: string, { kind, text, at }: LogEntry): void {
  const line = { text, isError: kind === "stderr" };
  const before = blocks.at(-1);
  if (before?.kind === "notes") before.lines.push(line);
  else blocks.push({ key, at, kind: "notes", lines: [line] });
}

/** The input of a tool; null where it was too long to be kept, or is no object. */
function parsed(json: string | undefined): ToolInput | null {
  if (json === undefined) return null;
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    // An object that is neither null nor an array may be read by any key; each read is checked.
    return value as ToolInput;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Paths as they are in the repository. */
export function inClone(text: string): string {
  return text.replaceAll(WORKSPACE, "");
}

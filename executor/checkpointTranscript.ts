import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

/**
 * The CLI's transcript as it tells of it on stdout (`--session-mirror`), packed for a checkpoint and
 * unpacked for a restore. Pure.
 */

/** One line of one file of the transcript; `file` is relative to the folder of the session's project. */
export type TranscriptLine = { file: string; text: string };

/** Unpacked, a part of a transcript may have this much: a bomb is not unpacked. */
const UNPACKED_BYTES_MAX = 512 * 1024 * 1024;

/** A session's own file, and those of its subagents: no other path is written by a restore. */
const FILE = /^[0-9a-f-]{36}(?:\/subagents\/agent-[A-Za-z0-9_-]{1,100})?\.jsonl$/;

/** The lines that a line of stdout tells of; undefined when it tells of something else. */
export function parseMirror(line: string): TranscriptLine[] | undefined {
  if (!line.startsWith('{"type":"transcript_mirror"')) return undefined;
  const event = parse(line);
  const { filePath, entries } = (event ?? {}) as { filePath?: unknown; entries?: unknown };
  if (typeof filePath !== "string" || !Array.isArray(entries)) return [];
  const file = /\/projects\/[^/]+\/(.+)$/.exec(filePath)?.[1] ?? "";
  if (!FILE.test(file)) return [];
  return entries.map((entry) => ({ file, text: JSON.stringify(entry) }));
}

/** Whether a line holds results of tools for the session's own conversation. */
export function isToolResult({ file, text }: TranscriptLine): boolean {
  if (file.includes("/")) return false;
  const entry = readEntry(text);
  if (entry?.type !== "user" || !Array.isArray(entry.message?.content)) return false;
  return entry.message.content.some((block) => isRecord(block) && block["type"] === "tool_result");
}

export function packLines(lines: readonly TranscriptLine[]): Buffer {
  return gzipSync(lines.map(({ file, text }) => `${file}\t${text}\n`).join(""));
}

/** The lines of a packed part; throws when it is none. */
export function unpackLines(packed: Buffer): TranscriptLine[] {
  const text = gunzipSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const tab = line.indexOf("\t");
      const file = line.slice(0, Math.max(0, tab));
      if (!FILE.test(file))
        throw new Error("the transcript names a file that is none of a session");
      return { file, text: line.slice(tab + 1) };
    });
}

/**
 * The transcript as a resumed CLI needs it. A final answer at its end is taken back: the CLI would find
 * nothing to go on with and end without a result, so it is asked for again.
 */
export function untilInterruption(lines: readonly TranscriptLine[]): TranscriptLine[] {
  const own = (line: TranscriptLine): boolean => !line.file.includes("/");
  const last = lines.findLastIndex(
    (line) => own(line) && readEntry(line.text)?.type === "user" && !isSidechain(line),
  );
  const after = lines.slice(last + 1).filter(own);
  const hasAnswer = after.some((line) => readEntry(line.text)?.type === "assistant");
  const isCut = after.some((line) => line.text.includes('"type":"tool_use"'));
  if (!hasAnswer || isCut) return [...lines];
  return lines.filter((line, i) => i <= last || !own(line));
}

/** The same transcript for a clone in another place. */
export function moveTo(
  lines: readonly TranscriptLine[],
  from: string,
  to: string,
): TranscriptLine[] {
  if (from === to) return [...lines];
  const [old, now] = [from, to].map((folder) => JSON.stringify(folder).slice(1, -1));
  return lines.map(({ file, text }) => ({ file, text: text.replaceAll(old ?? from, now ?? to) }));
}

/** The folder of a project below the CLI's configuration, by the folder it runs in. */
export function projectFolder(config: string, cwd: string): string {
  return path.join(config, "projects", cwd.replaceAll(/[^A-Za-z0-9]/g, "-"));
}

type Entry = { type?: unknown; isSidechain?: unknown; message?: { content?: unknown } };

function isSidechain(line: TranscriptLine): boolean {
  return readEntry(line.text)?.isSidechain === true;
}

function readEntry(text: string): Entry | undefined {
  const value = parse(text);
  // Each field is checked where it is used.
  return isRecord(value) ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

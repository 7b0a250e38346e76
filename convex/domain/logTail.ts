import type { LogEntry } from "../protocol/log.js";
import {
  LOG_APPEND_CHARS_MAX,
  LOG_CALL_CHARS_MAX,
  LOG_CHUNKS_PER_ATTEMPT_MAX,
  LOG_ENTRIES_PER_APPEND_MAX,
  LOG_ENTRIES_PER_ATTEMPT_MAX,
  LOG_ENTRY_CHARS_MAX,
  LOG_ENTRY_OVERHEAD_CHARS,
  LOG_TAIL_CHARS_MAX,
} from "../protocol/limits.js";
import { type Checked, passed, refused } from "./checked.js";

/** The live end of a log, as its row holds it. */
export type Tail = {
  nextSeq: number;
  sealedChunks: number;
  tailSeq: number;
  tail: LogEntry[];
  dropped: number;
};
export type Chunk = { index: number; firstSeq: number; entries: LogEntry[] };

export type Batch = { seq: number; entries: LogEntry[] };

export const EMPTY: Tail = { nextSeq: 0, sealedChunks: 0, tailSeq: 0, tail: [], dropped: 0 };

/**
 * Adds entries, the first of which has this sequence number. What is kept already is skipped; a gap
 * changes nothing, for the sender goes on from nextSeq; a tail that would grow past its bound is
 * sealed; what comes after the bound of an attempt is counted, not kept.
 */
export function append(
  before: Tail,
  seq: number,
  entries: readonly LogEntry[],
): { after: Tail; sealed: Chunk[] } {
  const after = { ...before, tail: [...before.tail] };
  const sealed: Chunk[] = [];
  if (seq > before.nextSeq) return { after, sealed };
  let chars = after.tail.reduce((sum, entry) => sum + sizeOf(entry), 0);
  for (const entry of entries.slice(before.nextSeq - seq)) {
    after.nextSeq += 1;
    if (
      after.nextSeq > LOG_ENTRIES_PER_ATTEMPT_MAX ||
      after.sealedChunks >= LOG_CHUNKS_PER_ATTEMPT_MAX
    ) {
      after.dropped += 1;
      continue;
    }
    if (after.tail.length > 0 && chars + sizeOf(entry) > LOG_TAIL_CHARS_MAX) {
      sealed.push({ index: after.sealedChunks, firstSeq: after.tailSeq, entries: after.tail });
      after.sealedChunks += 1;
      after.tailSeq = after.nextSeq - 1;
      after.tail = [];
      chars = 0;
    }
    after.tail.push(entry);
    chars += sizeOf(entry);
  }
  return { after, sealed };
}

/** Empty entries count too, or a tail could hold any number of them. */
function sizeOf(entry: LogEntry): number {
  return charsOf(entry) + LOG_ENTRY_OVERHEAD_CHARS;
}
function charsOf({ text, input = "" }: LogEntry): number {
  return text.length + input.length;
}
function isTooLong({ text, input = "", call = "" }: LogEntry): boolean {
  return (
    Math.max(text.length, input.length) > LOG_ENTRY_CHARS_MAX || call.length > LOG_CALL_CHARS_MAX
  );
}

/** Checks the bounds of one append call. */
export function checkAppend(batch: Batch): Checked<Batch> {
  const { seq, entries } = batch;
  if (!Number.isInteger(seq) || seq < 0) return refused(`seq is ${seq}; it counts from 0.`);
  if (entries.length > LOG_ENTRIES_PER_APPEND_MAX) {
    return refused(`${entries.length} entries at once; at most ${LOG_ENTRIES_PER_APPEND_MAX}.`);
  }
  if (entries.some(isTooLong)) {
    return refused(`An entry is longer than ${LOG_ENTRY_CHARS_MAX} characters; cut it.`);
  }
  const chars = entries.reduce((sum, entry) => sum + charsOf(entry), 0);
  if (chars > LOG_APPEND_CHARS_MAX) {
    return refused(`${chars} characters at once; at most ${LOG_APPEND_CHARS_MAX}.`);
  }
  return passed(batch);
}

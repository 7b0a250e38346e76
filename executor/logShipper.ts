import {
  LOG_APPEND_CHARS_MAX,
  LOG_CHARS_PER_ATTEMPT_MAX,
  LOG_ENTRIES_PER_APPEND_MAX,
  LOG_ENTRIES_PER_ATTEMPT_MAX,
  LOG_ENTRY_CHARS_MAX,
} from "../convex/protocol/limits.js";
import type { AppendReply, LogEntry } from "../convex/protocol/log.js";
import { type Cancel, type Clock, within } from "./clock.js";
import { cap } from "./claude/stream.js";
import type { Journal } from "./journal.js";

/** Carries the log of one attempt to the backend: in order, without gaps, in few calls. */
export interface LogShipper {
  add(entry: LogEntry): void;
  /** Sends what is left; false if that took longer than `ms` or was refused. */
  flush(ms: number): Promise<boolean>;
  /** Sends nothing more. */
  stop(): void;
}

type ShipperOptions = {
  clock: Clock;
  append: (seq: number, entries: LogEntry[]) => Promise<AppendReply>;
  /** Whether a refusal is for good: the attempt is no longer ours. */
  isFinal: (error: unknown) => boolean;
  onFailure: (error: unknown) => void;
  /** Told of each entry as it gets its number, and of those the deployment does not have yet. */
  journal?: Pick<Journal, "add" | "acknowledge">;
};

/** Calls are this far apart unless enough has come together; the first goes out sooner. */
const BATCH_MS = 1_000;
const FIRST_BATCH_MS = 100;
const BATCH_CHARS = 64 * 1024;
const RETRY_MS = 2_000;
/** What may wait in memory while the backend cannot be reached. */
const BUFFER_CHARS_MAX = 8 * 1024 * 1024;
const BUFFER_ENTRIES_MAX = 20_000;
/** What an entry costs on top of its text. */
const ENTRY_CHARS = 64;

export function createLogShipper(options: ShipperOptions): LogShipper {
  return new Shipper(options);
}

class Shipper implements LogShipper {
  readonly #options: ShipperOptions;
  /** Entries that the backend has not acknowledged; the first has the number `#seq`. */
  #buffer: LogEntry[] = [];
  #bufferChars = 0;
  /** Of all that was ever taken. */
  #chars = 0;
  #seq = 0;
  #dropped = 0;
  #isSending = false;
  #isStopped = false;
  #isUrgent = false;
  #lastSentAt: number | undefined;
  #cancelTimer: Cancel | undefined;
  #whenEmpty: (() => void)[] = [];

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  add(entry: LogEntry): void {
    if (this.#isStopped) return;
    const isFull =
      this.#bufferChars > BUFFER_CHARS_MAX || this.#buffer.length >= BUFFER_ENTRIES_MAX;
    const isOverCap =
      this.#seq + this.#buffer.length >= LOG_ENTRIES_PER_ATTEMPT_MAX - 1 ||
      this.#chars >= LOG_CHARS_PER_ATTEMPT_MAX;
    if (isFull || isOverCap) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) this.#put(this.#dropNote(entry.at));
    this.#put(cut(entry));
    this.#schedule();
  }

  async flush(ms: number): Promise<boolean> {
    if (this.#dropped > 0) this.#put(this.#dropNote(this.#options.clock.now()));
    this.#isUrgent = true;
    const empty = new Promise<true>((resolve) => {
      this.#whenEmpty.push(() => {
        resolve(true);
      });
    });
    this.#settle();
    this.#schedule();
    await within(this.#options.clock, ms, empty);
    return this.#buffer.length === 0;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#settle();
  }

  #put(entry: LogEntry): void {
    this.#buffer.push(entry);
    this.#options.journal?.add(entry);
    this.#chars += entry.text.length;
    this.#bufferChars += charsOf(entry);
  }

  #dropNote(at: number): LogEntry {
    const text = `${this.#dropped} log entries dropped: they came faster than they could be sent, or were too many`;
    this.#dropped = 0;
    return { at, kind: "marker", text };
  }

  #schedule(): void {
    if (this.#isStopped || this.#isSending || this.#buffer.length === 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.after(this.#waitMs(), () => {
      this.#cancelTimer = undefined;
      void this.#send();
    });
  }

  #waitMs(): number {
    if (this.#isUrgent || this.#bufferChars >= BATCH_CHARS) return 0;
    if (this.#lastSentAt === undefined) return FIRST_BATCH_MS;
    return Math.max(0, this.#lastSentAt + BATCH_MS - this.#options.clock.monotonic());
  }

  async #send(): Promise<void> {
    const { clock, append, isFinal, onFailure } = this.#options;
    this.#isSending = true;
    this.#lastSentAt = clock.monotonic();
    try {
      const { nextSeq } = await append(this.#seq, batchOf(this.#buffer));
      this.#acknowledge(nextSeq);
      this.#isSending = false;
      this.#settle();
      this.#schedule();
    } catch (error) {
      onFailure(error);
      if (isFinal(error)) this.stop();
      else this.#retryLater();
    }
  }

  /** Stays in the sending state until then, so that nothing else schedules a call. */
  #retryLater(): void {
    if (this.#isStopped) return;
    this.#cancelTimer = this.#options.clock.after(RETRY_MS, () => void this.#send());
  }

  #acknowledge(nextSeq: number): void {
    const kept = Math.min(Math.max(0, nextSeq - this.#seq), this.#buffer.length);
    for (const entry of this.#buffer.splice(0, kept)) {
      this.#bufferChars -= charsOf(entry);
    }
    this.#seq += kept;
    this.#options.journal?.acknowledge(this.#seq, this.#buffer);
  }

  #settle(): void {
    if (this.#buffer.length > 0 && !this.#isStopped) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

/** As many of the first entries as one call may carry. */
export function batchOf(entries: readonly LogEntry[]): LogEntry[] {
  let chars = 0;
  let length = 0;
  for (const entry of entries) {
    chars += charsOf(entry);
    if (length >= LOG_ENTRIES_PER_APPEND_MAX || chars > LOG_APPEND_CHARS_MAX) break;
    length += 1;
  }
  return entries.slice(0, length);
}

/** Taking secrets out may have made it longer than it was cut to. */
function cut({ input, ...entry }: LogEntry): LogEntry {
  const text = cap(entry.text, LOG_ENTRY_CHARS_MAX);
  const isKept = input !== undefined && input.length <= LOG_ENTRY_CHARS_MAX;
  return { ...entry, text, ...(isKept ? { input } : {}) };
}

function charsOf({ text, input = "" }: LogEntry): number {
  return text.length + input.length + ENTRY_CHARS;
}

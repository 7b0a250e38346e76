import type { HeldAttempt } from "../convex/protocol/executor.js";
import { LOG_ENTRY_CHARS_MAX } from "../convex/protocol/limits.js";
import type { LogEntry } from "../convex/protocol/log.js";
import { isStale } from "./attemptEnding.js";
import type { Backend, Ending } from "./backend.js";
import type { Clock } from "./clock.js";
import { type Journal, openJournal } from "./journal.js";
import { createLogShipper, type LogShipper } from "./logShipper.js";
import type { RedactingStream, Redactor } from "./redact.js";

/** What one attempt tells people: redacted here, kept on disk until the deployment has it. */
export interface AttemptLog {
  /** The executor's own words. */
  mark(text: string): void;
  add(entries: readonly LogEntry[]): void;
  stderr(piece: string): void;
  /** The end of what came by `stderr`, without secrets. */
  endStderr(): string;
  /** Sends what is left while there is somebody to send it to, and keeps how the attempt ended. */
  close(ending: Ending): Promise<void>;
  /** Sends nothing more. What is kept stays for the next process, unless it is worth nothing. */
  stop(isWorthless: boolean): Promise<void>;
}

type AttemptLogOptions = {
  held: HeldAttempt;
  backend: Pick<Backend, "appendLog" | "isConnected">;
  clock: Clock;
  redactor: Redactor;
  /** Where journals are kept. */
  journals: string;
  onFailure: (error: unknown, event: string) => void;
};

const FLUSH_MS = 5_000;
/** Flushes without a connection; then the journal has it for the next process. */
const OFFLINE_FLUSHES_MAX = 720;
const STDERR_TAIL_CHARS = 8 * 1024;
/** Characters of stderr that are read; a flood is not worth its time. */
const STDERR_CHARS_MAX = 16 * 1024 * 1024;

export function openAttemptLog(options: AttemptLogOptions): AttemptLog {
  return new Log(options);
}

class Log implements AttemptLog {
  readonly #options: AttemptLogOptions;
  readonly #journal: Journal;
  readonly #shipper: LogShipper;
  readonly #stderr: RedactingStream;
  #stderrChars = 0;
  #tail = "";
  #line = "";
  #isStopped = false;

  constructor(options: AttemptLogOptions) {
    this.#options = options;
    const { held, backend, clock, redactor, onFailure } = options;
    this.#stderr = redactor.stream();
    this.#journal = openJournal({
      ...{ folder: options.journals, held },
      onFailure: (error) => {
        onFailure(error, "journalFailed");
      },
    });
    this.#shipper = createLogShipper({
      clock,
      journal: this.#journal,
      append: (seq, entries) => backend.appendLog(held, seq, entries),
      isFinal: isStale,
      onFailure: (error) => {
        onFailure(error, "logRefused");
      },
    });
  }

  mark(text: string): void {
    this.#put({ at: this.#options.clock.now(), kind: "marker", text });
  }

  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#put(entry);
  }

  stderr(piece: string): void {
    const before = this.#stderrChars;
    this.#stderrChars += piece.length;
    if (before <= STDERR_CHARS_MAX) this.#lines(this.#stderr.push(piece));
  }

  endStderr(): string {
    this.#lines(`${this.#stderr.end()}\n`);
    const dropped = this.#stderrChars - STDERR_CHARS_MAX;
    if (dropped > 0) this.mark(`about ${dropped} characters of stderr dropped: too many`);
    return this.#tail;
  }

  async close(ending: Ending): Promise<void> {
    await this.#journal.end(ending);
    for (let tries = 0; tries < OFFLINE_FLUSHES_MAX && !this.#isStopped; tries += 1) {
      if ((await this.#shipper.flush(FLUSH_MS)) || this.#options.backend.isConnected()) return;
    }
  }

  async stop(isWorthless: boolean): Promise<void> {
    this.#isStopped = true;
    this.#shipper.stop();
    await (isWorthless ? this.#journal.remove() : this.#journal.close());
  }

  #lines(text: string): void {
    this.#tail = (this.#tail + text).slice(-STDERR_TAIL_CHARS);
    const [first = "", ...rest] = text.split("\n");
    const at = this.#options.clock.now();
    this.#line += first;
    if (this.#line.length > LOG_ENTRY_CHARS_MAX) rest.unshift("");
    for (const next of rest) {
      if (this.#line !== "") this.#put({ at, kind: "stderr", text: this.#line });
      this.#line = next;
    }
  }

  /** Once more, whatever it went through: what is clean stays as it is. */
  #put(entry: LogEntry): void {
    const { redactor } = this.#options;
    const input = entry.input === undefined ? {} : { input: redactor.text(entry.input) };
    this.#shipper.add({ ...entry, text: redactor.text(entry.text), ...input });
  }
}

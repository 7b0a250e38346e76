/**
 * What functions did lately, for `convex logs`: a bounded ring, and pollers that wait for more.
 * Cursors are epoch milliseconds, made strictly increasing.
 */
import type { FunctionError, UdfType } from "../functions/types.js";

export const functionLogLimits = {
  entriesMax: 1_000,
  /** Characters of log lines kept in all. */
  charsMax: 16_000_000,
  pollersMax: 100,
  pollMs: 60_000,
} as const;

/** One finished run at the top level (nested calls belong to their caller). */
export type Execution = {
  udfType: UdfType;
  /** Path as the caller wrote it. */
  path: string;
  componentPath: string;
  requestId: string;
  caller: string;
  identityType: string;
  logLines: string[];
  error: FunctionError | null;
  startedMs: number;
  durationMs: number;
};

export type LogEntry = { cursor: number; chars: number; execution: Execution };
export type LogPage = { entries: Execution[]; newCursor: number };

export class FunctionLog {
  readonly #entries: LogEntry[] = [];
  #chars = 0;
  #lastCursor = 0;
  readonly #waiting = new Set<() => void>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(execution: Execution): void {
    const chars = execution.logLines.reduce((sum, line) => sum + line.length, 0);
    this.#entries.push({ cursor: this.#nextCursor(), chars, execution });
    this.#chars += chars;
    while (this.#isFull()) this.#chars -= this.#entries.shift()?.chars ?? 0;
    for (const wake of this.#waiting) wake();
  }

  /**
   * Entries after `cursor`. With nothing new it waits until there is, `pollMs` have passed, or
   * `signal` aborts. Cursor 0 asks for the present state and never waits.
   */
  async poll(cursor: number, signal: AbortSignal): Promise<LogPage> {
    const mustWait = cursor > 0 && cursor >= this.#lastCursor;
    if (mustWait && this.#waiting.size < functionLogLimits.pollersMax) await this.#next(signal);
    const fresh = this.#entries.filter((entry) => entry.cursor > cursor);
    const newCursor = fresh.at(-1)?.cursor ?? (cursor > 0 ? cursor : this.#nextCursor());
    return { entries: fresh.map((entry) => entry.execution), newCursor };
  }

  /** Lets all pollers go, with what there is. */
  close(): void {
    for (const wake of this.#waiting) wake();
  }

  #isFull(): boolean {
    const { entriesMax, charsMax } = functionLogLimits;
    return this.#entries.length > entriesMax || this.#chars > charsMax;
  }

  #nextCursor(): number {
    this.#lastCursor = Math.max(this.#nowMs(), this.#lastCursor + 1);
    return this.#lastCursor;
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, functionLogLimits.pollMs);
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }
}

const NO_USAGE = {
  databaseReadBytes: 0,
  databaseWriteBytes: 0,
  databaseIoReadBytes: 0,
  databaseIoWriteBytes: 0,
  databaseReadDocuments: 0,
  databaseWriteDocuments: 0,
  databaseWriteIndexRows: 0,
  storageReadBytes: 0,
  storageWriteBytes: 0,
  vectorIndexReadBytes: 0,
  vectorIndexWriteBytes: 0,
  textIndexQueryBytes: 0,
  textIndexWriteQueryBytes: 0,
  vectorIndexReadQueryBytes: 0,
  vectorIndexWriteQueryBytes: 0,
  networkEgressBytes: 0,
  memoryUsedMb: 0,
};

/** An execution as the official CLI reads it; times in seconds. */
export function toWireEntry(execution: Execution) {
  const finishedS = (execution.startedMs + execution.durationMs) / 1000;
  return {
    kind: "Completion",
    udfType: execution.udfType,
    componentPath: execution.componentPath === "" ? null : execution.componentPath,
    identifier: execution.path,
    logLines: execution.logLines,
    timestamp: finishedS,
    executionTimestamp: execution.startedMs / 1000,
    executionTime: execution.durationMs / 1000,
    cachedResult: false,
    caller: execution.caller,
    requestId: execution.requestId,
    executionId: execution.requestId,
    identityType: execution.identityType,
    environment: "isolate",
    willRetry: false,
    usageStats: NO_USAGE,
    ...(execution.error === null ? { success: null } : { error: execution.error.message }),
  };
}

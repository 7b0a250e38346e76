/** What one function execution may use: the documented limits of Convex, on by default. */
import { UserError } from "./errors.js";

const MIB = 1024 * 1024;

export type Limits = {
  documentsRead: number;
  bytesRead: number;
  databaseQueries: number;
  documentsWritten: number;
  bytesWritten: number;
  functionsScheduled: number;
  scheduledFunctionArgsBytes: number;
};
export const DEFAULT_LIMITS: Limits = {
  documentsRead: 32_000,
  bytesRead: 16 * MIB,
  databaseQueries: 4_096,
  documentsWritten: 16_000,
  bytesWritten: 16 * MIB,
  functionsScheduled: 1_000,
  scheduledFunctionArgsBytes: 16 * MIB,
};
/** System transactions are bounded by their code. */
export const NO_LIMITS: Limits = {
  documentsRead: Infinity,
  bytesRead: Infinity,
  databaseQueries: Infinity,
  documentsWritten: Infinity,
  bytesWritten: Infinity,
  functionsScheduled: Infinity,
  scheduledFunctionArgsBytes: Infinity,
};
export const DOCUMENT_BYTES_MAX = MIB;
export const DOCUMENT_NESTING_MAX = 16;
/** Of arguments and results. */
export const VALUE_NESTING_MAX = 64;

const BREACHES: Record<keyof Limits, { shortName: string; what: string }> = {
  documentsRead: { shortName: "TooManyDocumentsRead", what: "documents read" },
  bytesRead: { shortName: "TooManyBytesRead", what: "bytes read" },
  databaseQueries: { shortName: "TooManyReads", what: "reads" },
  documentsWritten: { shortName: "TooManyWrites", what: "writes" },
  bytesWritten: { shortName: "TooManyBytesWritten", what: "bytes written" },
  functionsScheduled: { shortName: "TooManyFunctionsScheduled", what: "functions scheduled" },
  scheduledFunctionArgsBytes: {
    shortName: "ScheduledFunctionsArgumentsTooLarge",
    what: "bytes of scheduled function arguments",
  },
};

/** Counts what an execution uses; a sub-call may be given tighter limits for its duration. */
export class Usage {
  readonly #used: Limits = {
    documentsRead: 0,
    bytesRead: 0,
    databaseQueries: 0,
    documentsWritten: 0,
    bytesWritten: 0,
    functionsScheduled: 0,
    scheduledFunctionArgsBytes: 0,
  };
  #limits: Limits;
  #isPaused = false;
  #isEnforced = true;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Throws UserError when the limit is passed. */
  add(kind: keyof Limits, amount: number): void {
    if (this.#isPaused) return;
    this.#used[kind] += amount;
    if (!this.#isEnforced || this.#used[kind] <= this.#limits[kind]) return;
    const { shortName, what } = BREACHES[kind];
    throw new UserError(
      shortName,
      `Too many ${what} in a single function execution (limit: ${this.#limits[kind]}).`,
    );
  }

  used(kind: keyof Limits): number {
    return this.#used[kind];
  }

  remaining(kind: keyof Limits): number {
    return Math.max(0, this.#limits[kind] - this.#used[kind]);
  }

  /** What the body does is not counted. */
  paused<T>(body: () => T): T {
    this.#isPaused = true;
    try {
      return body();
    } finally {
      this.#isPaused = false;
    }
  }

  /** From here on use is counted and not limited, except in sub-calls with limits of their own. */
  countOnly(): void {
    this.#isEnforced = false;
  }

  /** Tightens limits relative to what is used already; returns how to undo it. */
  tighten(extra: Partial<Limits>): () => void {
    const before = this.#limits;
    const wasEnforced = this.#isEnforced;
    const tightened = { ...before };
    // The keys of a Limits-typed constant are its keys.
    for (const kind of Object.keys(BREACHES) as (keyof Limits)[]) {
      const more = extra[kind];
      if (more === undefined) continue;
      tightened[kind] = Math.min(before[kind], this.#used[kind] + more);
      this.#isEnforced = true;
    }
    this.#limits = tightened;
    return () => {
      this.#limits = before;
      this.#isEnforced = wasEnforced;
    };
  }
}

/** Runs a transaction again when it lost to another one, and sees to it that it wins in the end. */
import { type Engine, ConflictError } from "../engine/engine.js";
import { FunctionFailure } from "./failure.js";

const ATTEMPTS_MAX = 5;
const BACKOFF_FIRST_MS = 10;
const BACKOFF_MAX_MS = 2_000;

/**
 * The last attempt runs while nobody else may commit, so it cannot lose again (but for conflicts
 * that tests inject). Scheduled runs never give up.
 */
export async function withRetries<T>(
  engine: Engine,
  attempt: (isExclusive: boolean) => Promise<T>,
  isForever: boolean,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    const isLast = tried >= ATTEMPTS_MAX;
    try {
      return await (isLast ? engine.lock.exclusive(() => attempt(true)) : attempt(false));
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      if (isLast && !isForever) {
        throw new FunctionFailure(
          `Documents read from or written to the "${error.table}" table changed while this mutation was being run and on every subsequent retry. Another call to this mutation changed the same document. See https://docs.convex.dev/error#1`,
          { code: "Conflict" },
        );
      }
    }
    const ceiling = Math.min(
      BACKOFF_MAX_MS,
      BACKOFF_FIRST_MS * 2 ** Math.min(tried, ATTEMPTS_MAX * 2),
    );
    await pause(engine, ceiling * (0.5 + engine.chance.fraction() / 2));
  }
}

const pause = ({ clock }: Engine, ms: number): Promise<void> =>
  clock.pause?.(ms) ?? new Promise((resolve) => setTimeout(resolve, ms));

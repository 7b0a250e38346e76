import type { Cancel, Clock } from "../clock.js";
import type { Steering } from "./conversation.js";
import { type CliUsage, laterUsage, NO_USAGE } from "./usage.js";

type MeterOptions = {
  clock: Clock;
  /** Tells what the run has cost so far; undefined: nobody must know before it ends. */
  tell: ((usage: CliUsage) => Promise<void>) | undefined;
  onFailure: (error: unknown) => void;
};

/** Knows what a run has cost while it runs, and tells who must know. */
export interface Meter {
  /** Whom to ask, from now on; the answer comes by `onUsage`. */
  attach(run: Pick<Steering, "askUsage">): void;
  /** An event of the run: it may have spent. */
  onEvent(): void;
  onUsage(usage: CliUsage): void;
  /** The last word. */
  usage(): CliUsage;
  stop(): void;
}

/** The CLI counts an answer of the model a moment after the first event of it. */
const SETTLE_MS = 100;
/** Questions are this far apart; words to the backend too, and there is one only where the cost has grown. */
const ASK_MS = 500;

/** One question and one call at a time, however fast events come; the last event is always asked after. */
export function createMeter({ clock, tell, onFailure }: MeterOptions): Meter {
  let run: Pick<Steering, "askUsage"> | undefined;
  let usage = NO_USAGE;
  let told = 0;
  let isTelling = false;
  let isStopped = false;
  let askedAt = -Infinity;
  let cancelAsk: Cancel | undefined;

  const tellLatest = async (): Promise<void> => {
    if (tell === undefined || isTelling || isStopped || usage.costUsd <= told) return;
    isTelling = true;
    const word = usage;
    try {
      await tell(word);
      told = word.costUsd;
    } catch (error) {
      // The next event asks, and tells, again.
      onFailure(error);
      isTelling = false;
      return;
    }
    isTelling = false;
    await tellLatest();
  };
  return {
    attach: (started) => {
      run = started;
    },
    onEvent: () => {
      if (isStopped || cancelAsk !== undefined) return;
      const waitMs = Math.max(SETTLE_MS, askedAt + ASK_MS - clock.monotonic());
      cancelAsk = clock.after(waitMs, () => {
        cancelAsk = undefined;
        askedAt = clock.monotonic();
        run?.askUsage();
      });
    },
    onUsage: (next) => {
      usage = laterUsage(usage, next);
      void tellLatest();
    },
    usage: () => usage,
    stop: () => {
      isStopped = true;
      cancelAsk?.();
    },
  };
}

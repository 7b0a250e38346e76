/**
 * Lets code of isolates go on that waits for promises of the host (fetch, streams): nobody tells when
 * one of them is settled. All isolates that may wait are looked at after each turn of the event loop
 * in which something happened, and, since promises are also settled where no such look follows, now
 * and then while nothing does. It keeps neither the loop turning nor the process alive.
 */
import { cancelTurn, nextTurn, startTimer, stopTimer } from "./turns.js";

/** A look costs a good part of a tenth of it. */
const EVERY_MS = 2;
/** After the last thing that happened: soon, and then ever more seldom. */
const FIRST_QUIET_MS = 4;
const QUIET_MS_MAX = 250;

// Taken when loaded: tests put fakes in the place of the global.
const now = performance.now.bind(performance);

class Pump {
  readonly #looks = new Set<() => void>();
  #turn: NodeJS.Immediate | null = null;
  #timer: { handle: NodeJS.Timeout; at: number } | null = null;
  #lookedAt = 0;
  #quietMs = FIRST_QUIET_MS;
  /** This turn of the loop came from our own timer: nothing else happened. */
  #isOwnTurn = false;

  start(look: () => void): void {
    this.#looks.add(look);
    this.#quietMs = FIRST_QUIET_MS;
    this.#awaitTurn();
    this.#lookIn(FIRST_QUIET_MS);
  }

  stop(look: () => void): void {
    this.#looks.delete(look);
    if (this.#looks.size > 0) return;
    if (this.#turn !== null) cancelTurn(this.#turn);
    if (this.#timer !== null) stopTimer(this.#timer.handle);
    this.#turn = null;
    this.#timer = null;
  }

  #awaitTurn(): void {
    // Not to be waited for: it runs when the loop turns for another reason.
    this.#turn ??= nextTurn(() => {
      this.#turn = null;
      this.#awaitTurn();
      if (this.#isOwnTurn) {
        this.#isOwnTurn = false;
        return;
      }
      this.#quietMs = FIRST_QUIET_MS;
      const waitMs = this.#lookedAt + EVERY_MS - now();
      if (waitMs <= 0) this.#look();
      else this.#lookIn(waitMs);
    }).unref();
  }

  #look(): void {
    this.#lookedAt = now();
    // Those that end meanwhile leave the set.
    for (const look of [...this.#looks]) if (this.#looks.has(look)) look();
    if (this.#looks.size > 0) this.#lookIn(this.#quietMs);
  }

  /** Or earlier, when that is planned already. */
  #lookIn(ms: number): void {
    const at = now() + ms;
    if (this.#timer !== null && this.#timer.at <= at) return;
    if (this.#timer !== null) stopTimer(this.#timer.handle);
    const handle = startTimer(() => {
      this.#timer = null;
      this.#isOwnTurn = true;
      this.#quietMs = Math.min(2 * this.#quietMs, QUIET_MS_MAX);
      this.#look();
    }, ms).unref();
    this.#timer = { handle, at };
  }
}

/** The one of the process. */
export const pump = new Pump();

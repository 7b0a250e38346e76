/**
 * Lets code of an isolate go on that waits for promises of the host (fetch, streams): nobody tells
 * when one of them is settled. It looks after each turn of the event loop in which something
 * happened; it keeps neither the loop turning nor the process alive.
 */
import { cancelTurn, nextTurn, startTimer, stopTimer } from "./turns.js";

/** A look costs a good part of a tenth of it. */
const EVERY_MS = 2;

// Taken when loaded: tests put fakes in the place of the global.
const now = performance.now.bind(performance);

export class Pump {
  readonly #look: () => void;
  #turn: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #lookedAt = 0;

  constructor(look: () => void) {
    this.#look = look;
  }

  start(): void {
    // Not to be waited for: it runs when the loop turns for another reason.
    this.#turn ??= nextTurn(() => {
      this.#turn = null;
      this.start();
      this.#lookNowOrSoon();
    }).unref();
  }

  stop(): void {
    if (this.#turn !== null) cancelTurn(this.#turn);
    if (this.#timer !== null) stopTimer(this.#timer);
    this.#turn = null;
    this.#timer = null;
  }

  #lookNowOrSoon(): void {
    if (this.#timer !== null) return;
    const waitMs = this.#lookedAt + EVERY_MS - now();
    if (waitMs <= 0) {
      this.#lookedAt = now();
      this.#look();
      return;
    }
    this.#timer = startTimer(() => {
      this.#timer = null;
      this.#lookedAt = now();
      this.#look();
    }, waitMs);
  }
}

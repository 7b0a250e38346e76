/** Time that passes only when the simulation says so. */
import type { Alarm, TimedClock } from "../../embedded/control.js";

const PAUSE_TURNS_MAX = 20;

type Pending = { atMs: number; ring: () => void };

export class VirtualClock implements TimedClock {
  #nowMs: number;
  readonly #pending = new Set<Pending>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  alarm(atMs: number, ring: () => void): Alarm {
    const pending = { atMs, ring };
    this.#pending.add(pending);
    // What is due already rings soon, never before this returns.
    if (atMs <= this.#nowMs)
      setImmediate(() => {
        this.#ring(pending);
      });
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Waits so many turns instead: nobody has to let time pass for it. */
  async pause(ms: number): Promise<void> {
    const turns = Math.min(Math.ceil(ms), PAUSE_TURNS_MAX);
    for (let turn = 0; turn < turns; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Lets time pass (backwards for a clock that is set back); what has become due rings. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const pending of [...this.#pending]) if (pending.atMs <= this.#nowMs) this.#ring(pending);
  }

  /** The process whose alarms these were is gone. */
  silence(): void {
    this.#pending.clear();
  }

  #ring(pending: Pending): void {
    if (this.#pending.delete(pending)) pending.ring();
  }
}

/**
 * The one clock of the process. The server asks it for the time and for wake-ups; a test, behind a
 * flag, moves it. Time never stops by itself: moving shifts it against the system's clock.
 */
import type { Clock } from "./engine/engine.js";

/** Ends a wake-up that has not come yet. */
export type Alarm = { cancel(): void };

export interface TimedClock extends Clock {
  /** Calls `ring` once, when the clock has reached `atMs` (epoch ms), never before this returns. */
  alarm(atMs: number, ring: () => void): Alarm;
}

export interface ControlledClock extends TimedClock {
  /** Moves the clock by `ms`, which may be negative; alarms that have become due ring. */
  advance(ms: number): void;
  /** Moves the clock to an instant (epoch ms). */
  set(atMs: number): void;
}

/**
 * A long wait is made of several. Timers do not follow the system's clock: when that is set, or the
 * machine slept, an alarm notices within this time.
 */
const TIMEOUT_MS_MAX = 60_000;

export function createClock(): ControlledClock {
  let offsetMs = 0;
  const pending = new Set<() => void>();
  const nowMs = () => Date.now() + offsetMs;
  const advance = (ms: number) => {
    offsetMs += ms;
    for (const rearm of [...pending]) rearm();
  };
  return {
    nowMs,
    advance,
    set: (atMs) => {
      advance(atMs - nowMs());
    },
    alarm: (atMs, ring) => {
      let timer: NodeJS.Timeout | undefined;
      const arm = () => {
        clearTimeout(timer);
        timer = setTimeout(check, Math.min(Math.max(atMs - nowMs(), 0), TIMEOUT_MS_MAX));
      };
      const check = () => {
        if (nowMs() < atMs) {
          arm();
          return;
        }
        pending.delete(arm);
        ring();
      };
      pending.add(arm);
      arm();
      return {
        cancel: () => {
          pending.delete(arm);
          clearTimeout(timer);
        },
      };
    },
  };
}

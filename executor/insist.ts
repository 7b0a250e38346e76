import { type Clock, pause } from "./clock.js";

const TRIES_MAX = 20;
const PAUSE_MS_FIRST = 200;
const PAUSE_MS_MAX = 5_000;

/**
 * Makes a call until it is taken, with longer and longer pauses, while `goOn` says so of what it was
 * refused with. Answers whether it was taken; never rejects with a refusal.
 */
export async function insist(
  clock: Clock,
  call: () => Promise<void>,
  goOn: (error: unknown) => boolean,
): Promise<boolean> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    try {
      await call();
      return true;
    } catch (error) {
      if (!goOn(error)) return false;
      await pause(clock, Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** tries));
    }
  }
  return false;
}

import { setTimeout as sleep } from "node:timers/promises";

const WAIT_MS_MAX = 30_000;
const LOOK_EVERY_MS = 20;

/**
 * Looks again and again until `look` answers something other than undefined, false or null, and
 * returns that. After the bound it fails with `what`. For conditions that no event announces.
 */
export async function waitFor<T>(
  what: string,
  look: () => T | Promise<T>,
  waitMs = WAIT_MS_MAX,
): Promise<Exclude<T, undefined | null | false>> {
  const until = performance.now() + waitMs;
  for (;;) {
    const seen = await look();
    // Narrowed by the three comparisons, which TypeScript cannot do for a type parameter.
    if (seen !== undefined && seen !== null && seen !== false) {
      return seen as Exclude<T, undefined | null | false>;
    }
    if (performance.now() > until) {
      throw new Error(`waited ${String(waitMs / 1000)} s in vain for: ${what}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

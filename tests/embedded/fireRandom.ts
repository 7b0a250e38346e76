/** Seeded choices, so that a failing run can be had again. */
export type Random = {
  /** From 0 up to but not including `below`. */
  int(below: number): number;
  chance(share: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
};

/** Mulberry32: small, fast, and the same everywhere. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    int: (below) => Math.floor(next() * below),
    chance: (share) => next() < share,
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
  };
}

/** The slice that `npm test` runs is the same each time; `npm run test:fire` draws a seed. */
const SEED_DEFAULT = 1;

/** The seed and the length of a run, from FIRE_SEED and FIRE_CYCLES when they are set. */
export function fireSettings(cyclesByDefault: number): { seed: number; cycles: number } {
  const read = (name: string, otherwise: number): number => {
    const value = Number(process.env[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} must be a number.`);
    return value;
  };
  return {
    seed: read("FIRE_SEED", SEED_DEFAULT),
    cycles: read("FIRE_CYCLES", cyclesByDefault),
  };
}

/** Where the engine takes what nobody can foresee. A simulation gives it from a seed. */
import { randomInt } from "node:crypto";
import { kernelIdBytes } from "../values/ids.js";

export type Chance = {
  /** The random part of an id, of ID_RANDOM_BYTES; valid until the next call. */
  idBytes(): Uint8Array;
  /** From 0 up to but not including 1. */
  fraction(): number;
};

const FRACTION_STEPS = 2 ** 32;

export const systemChance: Chance = {
  idBytes: kernelIdBytes,
  fraction: () => randomInt(FRACTION_STEPS) / FRACTION_STEPS,
};

import type { Chance } from "../../embedded/engine/chance.js";
import { ID_RANDOM_BYTES } from "../../embedded/values/ids.js";
import type { Random } from "../embedded/fireRandom.js";

const STEPS = 2 ** 32;

/** Ids and jitter that follow from the seed. */
export const seededChance = (random: Random): Chance => ({
  idBytes: () => Uint8Array.from({ length: ID_RANDOM_BYTES }, () => random.int(256)),
  fraction: () => random.int(STEPS) / STEPS,
});

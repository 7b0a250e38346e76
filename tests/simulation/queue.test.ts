/** A bounded slice of `npm run test:simulate`, and the proof that it can fail. */
import { describe, expect, test } from "vitest";
import { SABOTAGES, type Sabotage } from "./queueSabotage.js";
import { QueueWorld } from "./queueWorld.js";

/** A third world, the same in each run unless told; long runs draw their seeds. */
const THIRD_SEED = Number(process.env["SIMULATE_SEED"] ?? 4);
const STEPS = 500;
/** Worlds in which a planted fault must be found at the latest. */
const WORLDS_MAX = 8;
const WORLD_MS_MAX = 60_000;

/** What is said of the first world, from seed 1 on, in which something is not as it must be; else null. */
async function finding(sabotage: Sabotage): Promise<string | null> {
  for (let seed = 1; seed <= WORLDS_MAX; seed += 1) {
    try {
      await QueueWorld.run({ seed, steps: STEPS, sabotage });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return null;
}

describe("a simulated queue", () => {
  test.each([1, 2, THIRD_SEED])(
    "crashes, zombies, conflicts and a bad network from seed %i → every job ends, its effects exactly once",
    async (seed) => {
      const tally = await QueueWorld.run({ seed, steps: STEPS });
      expect(tally.jobs).toBeGreaterThan(0);
      expect(tally.steps).toBeGreaterThan(STEPS);
    },
    WORLD_MS_MAX,
  );

  test(
    "the same seed → the same history, event by event",
    async () => {
      const [first, second] = [
        await QueueWorld.run({ seed: 3, steps: 200 }),
        await QueueWorld.run({ seed: 3, steps: 200 }),
      ];
      expect(second).toEqual(first);
    },
    2 * WORLD_MS_MAX,
  );
});

describe("the auditor notices", () => {
  test.each(Object.entries(SABOTAGES))(
    "%s",
    async (_what, { found, sabotage }) => {
      expect(await finding(sabotage)).toMatch(found);
    },
    WORLDS_MAX * WORLD_MS_MAX,
  );
});

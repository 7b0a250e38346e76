/** Seeded lives of the server's core: crashes and conflicts at commits, clients that resend, time that jumps. */
import { expect, test } from "vitest";
import { World } from "../simulation/embeddedWorld.js";
import { fireSettings } from "./fireRandom.js";

const WORLDS_BOUNDED = 10;
const { seed: first, cycles: worlds } = fireSettings(WORLDS_BOUNDED);
const WORLD_MS_MAX = 30_000;

test(
  `${worlds} worlds from seed ${first}: nothing acknowledged is lost, nothing is applied twice, what is scheduled runs once`,
  async () => {
    const total = { crashes: 0, conflicts: 0, acknowledged: 0, ticks: 0 };
    for (let seed = first; seed < first + worlds; seed += 1) {
      const world = await World.of(seed);
      const faults = await world.run({ clients: 3, count: 12, crashes: 5 });
      expect(faults, `replay with FIRE_SEED=${seed} FIRE_CYCLES=1`).toEqual([]);
      expect(world.tally.acknowledged).toBe(36);
      total.crashes += world.tally.crashes;
      total.conflicts += world.tally.conflicts;
      total.acknowledged += world.tally.acknowledged;
      total.ticks += world.tally.ticks;
    }
    process.stdout.write(
      `fire simulation: from seed ${first}, ${worlds} worlds, ${JSON.stringify(total)}\n`,
    );
    // A simulation in which nothing happens shows nothing.
    expect(Math.min(total.crashes, total.conflicts, total.ticks)).toBeGreaterThan(worlds - 1);
  },
  WORLD_MS_MAX * (worlds + 2),
);

/** Seeded lives of the server's core: crashes and conflicts at commits, cut sockets, time that jumps. */
import { expect, test } from "vitest";
import { World } from "../simulation/embeddedWorld.js";
import { fireSettings } from "./fireRandom.js";

const WORLDS_BOUNDED = 10;
const { seed: first, cycles: worlds } = fireSettings(WORLDS_BOUNDED);
const WORLD_MS_MAX = 30_000;
const PLAN = { clients: 3, count: 12, crashes: 5 };
const replay = (seed: number) => `replay with FIRE_SEED=${seed} FIRE_CYCLES=1`;

test(
  `${worlds} worlds from seed ${first}: nothing acknowledged or shown is lost, nothing is applied twice, what is scheduled runs once`,
  async () => {
    const total = { crashes: 0, cuts: 0, conflicts: 0, acknowledged: 0, ticks: 0 };
    for (let seed = first; seed < first + worlds; seed += 1) {
      const world = await World.of(seed);
      expect(await world.run(PLAN), replay(seed)).toEqual([]);
      expect(world.tally.acknowledged).toBe(PLAN.clients * PLAN.count);
      total.crashes += world.tally.crashes;
      total.cuts += world.tally.cuts;
      total.conflicts += world.tally.conflicts;
      total.acknowledged += world.tally.acknowledged;
      total.ticks += world.tally.ticks;
    }
    process.stdout.write(
      `fire simulation: from seed ${first}, ${worlds} worlds, ${JSON.stringify(total)}\n`,
    );
    // A simulation in which nothing happens shows nothing.
    const least = Math.min(total.crashes, total.conflicts, total.cuts, total.ticks);
    expect(least, replay(first)).toBeGreaterThan(worlds - 1);
  },
  WORLD_MS_MAX * (worlds + 2),
);

test(
  "one seed gives one run: every commit, message, cut and crash is the same the second time",
  async () => {
    const traceOf = async () => {
      const world = await World.of(first);
      await world.run(PLAN);
      return world.trace;
    };
    const once = await traceOf();
    expect(once.length).toBeGreaterThan(PLAN.clients * PLAN.count);
    expect(await traceOf(), replay(first)).toEqual(once);
    const other = await World.of(first + 1);
    await other.run(PLAN);
    expect(other.trace).not.toEqual(once);
  },
  WORLD_MS_MAX * 3,
);

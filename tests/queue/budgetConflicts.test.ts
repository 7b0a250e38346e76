/**
 * A budget that bounds every attempt, and who meets over it: each pair of functions runs to its end on one
 * snapshot of the embedded engine, and is then committed one after the other.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { LEASE_MS_DEFAULT } from "../../convex/protocol/limits.js";
import { VirtualClock } from "../simulation/embeddedClock.js";
import { Interleaving } from "../support/interleaving.js";
import { QueueCore } from "../support/queueCore.js";
import { ACTS, cast, type Cast } from "./conflictWorld.js";

const TOKENS = { input: 1, output: 1, cacheRead: 0, cacheCreation: 0 };

let core: QueueCore;
let between: Interleaving;
let left: Cast;
let right: Cast;
beforeAll(async () => {
  core = await QueueCore.open({}, new VirtualClock(Date.UTC(2030, 0, 1)));
  const boss = core.person("boss", "administrator");
  const budget = { scope: { kind: "all" }, period: "day", limitUsd: 100 };
  await core.mutation("budgets:set", budget, boss);
  left = await cast(core, "left");
  right = await cast(core, "right");
  // Free slots, and nobody who waits for one: the dispatcher sleeps through what ends.
  for (const { executor } of [left, right]) await core.offer(executor, 8, LEASE_MS_DEFAULT);
  await core.settle();
  between = new Interleaving(core.backend.engine);
});
afterAll(() => core.close());

/** What the executor of a side says its running attempt has cost. */
const meter = (costUsd: number) => (side: Cast) => {
  const { jobId, token } = side.running;
  return core.mutate(
    "executors:meter",
    { jobId, token, costUsd, tokens: TOKENS },
    side.executor.identity,
  );
};

/** Of the life of an attempt; `grow` needs more than was set aside for it. */
const LIFE: Record<string, (side: Cast) => ReturnType<QueueCore["mutate"]>> = {
  ...Object.fromEntries(
    ["start", "phase", "heartbeat", "append", "finish", "fail"].map((name) => {
      const act = ACTS[name];
      if (act === undefined) throw new Error(`there is no act ${name}`);
      return [name, act];
    }),
  ),
  meter: meter(0.2),
  grow: meter(0.9),
};

test("attempts under one budget conflict only where two of them need more at once", async () => {
  const found: Record<string, string> = {};
  for (const [a, first] of Object.entries(LIFE)) {
    for (const [b, second] of Object.entries(LIFE)) {
      const held = await between.hold(() => first(left));
      const later = await between.hold(() => second(right));
      expect(between.commit(held)).toBeNull();
      const table = between.commit(later);
      between.undo();
      if (table !== null) found[`${a} > ${b}`] = table;
    }
  }
  expect(found).toEqual({
    // What has ended is counted in before more is taken: then the room is real.
    "finish > grow": "reservations",
    "fail > grow": "reservations",
    "grow > grow": "budgets",
    // As without a budget: both set the end of a backoff.
    "fail > fail": "timer",
  });
});

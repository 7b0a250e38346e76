/**
 * Which functions conflict when they overlap: every pair of ACTS, each run to its end on the same snapshot
 * of the embedded engine, then committed one after the other. `first > second` reads: once the first is
 * committed, the second must be run again. What is not listed goes through. A conflict that comes is a
 * failure here, and so is one that has gone: then take it from the list.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Interleaving } from "../support/interleaving.js";
import {
  ACTS,
  type Cast,
  openWorld,
  WATCHES,
  type World,
  type WorldName,
} from "./conflictWorld.js";

/** Why these must conflict, the table over which they do, and the pairs. */
type Rule = [why: string, table: string, first: string, second: string];

const WAKES = "news wakes the sleeping dispatcher; who brings news as well looks at its status";
const EARLIER = "both set a deadline that is earlier than the timer's next: one row";
const HEAD =
  "the timer looks for the next deadline, and the first moved; it alone runs again, till it wins";
const SETTLES =
  "a pass looks before it sleeps, and news for it came; it alone runs again, till it wins";
const STATUS = "the pass fell asleep: who has news must wake it";
const SLOT = "an assignment takes a slot that is withdrawn or taken";
const ONE = "a chain of one: the second is a repeat and does nothing";
const SWITCH = "a pause holds from its commit on: each assignment reads it";
const SAME_JOB = "the same job";
const SAME_EXECUTOR = "the executor's own row says who may call";
const SAME_SLOTS = "the free slots of one executor";
const SAME_LEASE = "the lease of one executor";
const SAME_LOG = "the same log";
const SAME_ACCOUNT = "an allowance is counted by account";

const ALWAYS: Rule[] = [
  [ONE, "executors", "timer", "timer"],
  [ONE, "metrics", "metrics", "metrics"],
  [ONE, "selfAudit", "selfAudit", "selfAudit"],
  [HEAD, "jobs", "cancel start", "timer"],
  [HEAD, "leases", "drain goOffline heartbeat register requeue", "timer"],
  [SWITCH, "controls", "pause", "pause"],
  [EARLIER, "timer", "timer", "cancel"],
];

const BRINGERS = "submit finish fail goOffline register requeue retry release";
const IDLE: Rule[] = [
  ...ALWAYS,
  [HEAD, "jobs", "fail", "timer"],
  [WAKES, "dispatcher", "release retry", "timer"],
  [WAKES, "dispatcher", "timer", BRINGERS],
  [SLOT, "slots", "submit drain goOffline register", "submit"],
  [SWITCH, "controls", "pause", "submit"],
];

/** Functions of two people, two executors and two jobs. */
const APART: Record<WorldName, Rule[]> = {
  idle: [
    ...IDLE,
    [WAKES, "dispatcher", "release requeue retry", BRINGERS],
    [WAKES, "dispatcher", "goOffline", "finish fail goOffline register requeue retry release"],
    [EARLIER, "timer", "cancel fail", "fail register cancel"],
  ],
  backlog: [
    ...ALWAYS,
    [HEAD, "jobs", "fail", "timer"],
    [SETTLES, "jobs", "submit release requeue retry timer", "pass"],
    [SETTLES, "slots", "finish fail drain goOffline register", "pass"],
    [STATUS, "dispatcher", "pass", "submit finish fail requeue retry release timer"],
    [SLOT, "slots", "pass", "goOffline register drain"],
    [ONE, "slots", "pass", "pass"],
    [SWITCH, "controls", "pause", "pass"],
    [EARLIER, "timer", "cancel fail timer", "fail register cancel"],
  ],
  full: [
    ...ALWAYS,
    [WAKES, "dispatcher", "finish fail", `${BRINGERS} timer`],
    [WAKES, "dispatcher", "register", BRINGERS],
    [EARLIER, "timer", "cancel timer", "fail register cancel"],
    [EARLIER, "timer", "fail", "cancel"],
  ],
};

const REPORTS = "phase heartbeat append finish fail";
/** Functions of one person and one executor, about the same jobs where they can be. */
const TOGETHER: Rule[] = [
  ...IDLE,
  [WAKES, "dispatcher", "goOffline requeue", "retry release"],
  [WAKES, "dispatcher", "requeue", "submit"],
  [WAKES, "dispatcher", "release", "submit finish fail goOffline register requeue retry"],
  [WAKES, "dispatcher", "retry", "submit finish fail goOffline register requeue release"],
  [SAME_EXECUTOR, "executors", "drain goOffline register", "start phase append finish fail"],
  [SAME_EXECUTOR, "executors", "drain goOffline register", "goOffline register drain"],
  [SAME_SLOTS, "slots", "submit finish fail", "goOffline register drain"],
  [SAME_LEASE, "leases", "drain heartbeat goOffline register requeue", "requeue heartbeat"],
  [SAME_LEASE, "leases", "heartbeat requeue", "goOffline register drain"],
  [SAME_JOB, "jobs", "start", "start heartbeat goOffline register"],
  [SAME_JOB, "jobs", "phase cancel", `${REPORTS} goOffline register cancel requeue`],
  [SAME_JOB, "jobs", "finish fail", `${REPORTS} cancel requeue`],
  [SAME_JOB, "jobs", "requeue", "phase append finish fail cancel"],
  [SAME_JOB, "jobs", "goOffline", "cancel"],
  [SAME_JOB, "jobs", "cancelHeld release", "cancelHeld release"],
  [SAME_JOB, "jobs", "retry", "retry"],
  [SAME_JOB, "jobs", "snooze", "snooze"],
  [SAME_LOG, "logTails", "append", "append"],
  [SAME_ACCOUNT, "rateLimits", "submit", "submit"],
];

const words = (text: string): string[] => text.split(" ");

/** Later rules are about pairs that earlier ones leave open, or more exact about them. */
function expected(rules: readonly Rule[]): Record<string, string> {
  const pairs = rules.flatMap(([, table, firsts, seconds]) =>
    words(firsts).flatMap((a) => words(seconds).map((b) => [`${a} > ${b}`, table])),
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}

describe("which functions conflict when they overlap", () => {
  const worlds = new Map<WorldName, World>();
  const between = new Map<WorldName, Interleaving>();
  beforeAll(async () => {
    for (const name of ["idle", "backlog", "full"] as const) {
      const world = await openWorld(name);
      worlds.set(name, world);
      between.set(name, new Interleaving(world.core.backend.engine));
    }
  });
  afterAll(async () => {
    for (const { core } of worlds.values()) await core.close();
  });

  function get(name: WorldName): World & { between: Interleaving } {
    const [world, pairs] = [worlds.get(name), between.get(name)];
    if (world === undefined || pairs === undefined) throw new Error(`no world ${name}`);
    return { ...world, between: pairs };
  }

  async function matrix(name: WorldName, sides: (world: World) => [Cast, Cast]) {
    const world = get(name);
    const [one, other] = sides(world);
    const found: Record<string, string> = {};
    for (const [a, first] of Object.entries(ACTS)) {
      for (const [b, second] of Object.entries(ACTS)) {
        const held = await world.between.hold(() => first(one));
        const later = await world.between.hold(() => second(other));
        expect(world.between.commit(held)).toBeNull();
        const table = world.between.commit(later);
        world.between.undo();
        if (table !== null) found[`${a} > ${b}`] = table;
      }
    }
    const count = Object.keys(ACTS).length;
    process.stdout.write(
      `conflicts, ${name}: ${count} functions, ${count ** 2} ordered pairs, ${Object.keys(found).length} conflict\n`,
    );
    return found;
  }

  test.each(["idle", "backlog", "full"] as const)(
    "two people, two executors, two jobs; the queue is %s",
    async (name) => {
      const found = await matrix(name, ({ left, right }) => [left, right]);
      expect(found).toEqual(expected(APART[name]));
    },
  );

  test("one person, one executor, the same jobs", async () => {
    const found = await matrix("idle", ({ left }) => [left, left]);
    expect(found).toEqual(expected(TOGETHER));
  });

  test("while jobs and slots are there, the life of a job conflicts with nobody's but the chains'", () => {
    const life = words("submit start phase heartbeat append finish");
    const pairs = life.flatMap((a) => life.map((b) => `${a} > ${b}`));
    const known = expected(APART.backlog);
    expect(pairs.filter((pair) => pair in known)).toEqual([]);
  });

  test("a heartbeat re-runs nobody's subscription, a log only its own, and an attempt no other executor's", async () => {
    const { core, left, right, between: pairs } = get("backlog");
    const found: Record<string, string[]> = {};
    for (const [name, act] of Object.entries(ACTS)) {
      const held = await pairs.hold(() => act(left));
      const stale = new Set<string>();
      for (const [whose, cast] of [
        ["own", left],
        ["another", right],
      ] as const) {
        for (const [watch, look] of Object.entries(WATCHES)) {
          const { reads, ts } = await look(cast);
          core.backend.engine.subscribe(reads, ts, () => stale.add(`${whose} ${watch}`));
        }
      }
      expect(pairs.commit(held)).toBeNull();
      // Subscriptions hear of commits in a microtask.
      await new Promise((resolve) => setImmediate(resolve));
      found[name] = [...stale].sort();
      pairs.undo();
    }
    const ends = ["another executors", "another list", "own assignments", "own events"];
    expect(found).toMatchObject({
      heartbeat: [],
      append: ["own tail"],
      start: ["another list", "own assignments", "own list"],
      phase: ["another list", "own assignments", "own job", "own list"],
      finish: [...ends, "own executors", "own job", "own list"],
      metrics: ["another now", "another series", "own now", "own series"],
    });
    const disturbed = Object.keys(found).filter((name) =>
      found[name]?.includes("another assignments"),
    );
    expect(disturbed).toEqual(["pass"]);
  });
});

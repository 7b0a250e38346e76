import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  choose,
  freeOrdinals,
  isWokenBy,
  type News,
  oldestPicks,
  picks,
  PICKS_PER_OLDEST,
  rankOf,
  rest,
} from "../../convex/domain/dispatch.js";
import { checkLabels, fits, labelsOf, signature } from "../../convex/domain/labels.js";

type Job = { id: number; lane: string; priority: number; rank: number; readyTs: bigint };
const job = (id: number, fields: Partial<Job> = {}): Job => ({
  id,
  lane: "",
  priority: 5,
  rank: 0,
  readyTs: BigInt(id),
  ...fields,
});
const slot = (ordinal: number, pool = "") => ({ pool, ordinal, freedTs: BigInt(ordinal) });

const someLabels = fc.subarray(["gpu", "linux", "big"]);
const someJobs = fc
  .array(fc.record({ labels: someLabels, priority: fc.nat(9), rank: fc.nat(3) }), { maxLength: 20 })
  .map((all) => all.map(({ labels, ...rest }, i) => job(i, { ...rest, lane: signature(labels) })));
const someSlots = fc
  .array(fc.record({ ordinal: fc.nat(3), labels: someLabels }), { maxLength: 20 })
  .map((all) =>
    all.map(({ ordinal, labels }, i) => ({
      ordinal,
      pool: signature(labels),
      freedTs: BigInt(i),
    })),
  );

describe("choose", () => {
  test("uses nothing twice, pairs only what fits, and leaves no pair that would fit", () => {
    fc.assert(
      fc.property(someJobs, someSlots, (jobs, slots) => {
        const pairs = choose(jobs, slots);
        expect(new Set(pairs.map((p) => p.job)).size).toBe(pairs.length);
        expect(new Set(pairs.map((p) => p.slot)).size).toBe(pairs.length);
        for (const pair of pairs) expect(fits(pair.job.lane, pair.slot.pool)).toBe(true);
        const idle = slots.filter((each) => !pairs.some((p) => p.slot === each));
        const waiting = jobs.filter((each) => !pairs.some((p) => p.job === each));
        for (const each of waiting) {
          expect(idle.some(({ pool }) => fits(each.lane, pool))).toBe(false);
        }
      }),
    );
  });

  test("a job that fits nowhere is in nobody's way", () => {
    const pairs = choose([job(1, { lane: "gpu" }), job(2)], [slot(0)]);
    expect(pairs.map((p) => p.job.id)).toEqual([2]);
  });

  test("plain work leaves the executors with labels to who needs them", () => {
    const pairs = choose([job(1), job(2, { lane: "gpu" })], [slot(0, "gpu"), slot(1)]);
    expect(pairs.map((p) => [p.job.id, p.slot.pool])).toEqual([
      [1, ""],
      [2, "gpu"],
    ]);
  });
});

describe("the order of picks", () => {
  test("each job once; without reserved picks: priority, then rank, then entry", () => {
    fc.assert(
      fc.property(someJobs, (jobs) => {
        const order = picks(jobs, { oldest: [], made: 0 });
        expect(order.map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort());
        const isSorted = (a: Job, b: Job) =>
          a.priority !== b.priority
            ? a.priority < b.priority
            : a.rank !== b.rank
              ? a.rank < b.rank
              : a.readyTs <= b.readyTs;
        for (const [i, each] of order.entries()) {
          const before = order[i - 1];
          if (before !== undefined) expect(isSorted(before, each)).toBe(true);
        }
      }),
    );
  });

  test("every eighth pick, counted over passes, is the job longest in the queue", () => {
    fc.assert(
      fc.property(fc.nat(7), fc.integer({ min: 1, max: 32 }), (made, count) => {
        const oldest = job(0, { priority: 9, rank: 99 });
        const urgent = Array.from({ length: 40 }, (_, i) => job(i + 1, { priority: 0 }));
        const order = picks(urgent, { oldest: [oldest], made }).slice(0, count);
        const isDue = oldestPicks(made, count) > 0;
        expect(order.some(({ id }) => id === 0)).toBe(isDue);
        if (isDue) expect(order[PICKS_PER_OLDEST - 1 - made]?.id).toBe(0);
      }),
    );
  });

  test("however urgent the newcomers, a job of the lowest priority is picked in the end", () => {
    const patient = job(0, { priority: 9, rank: 1_000 });
    let made = 0;
    let next = 1;
    const isPicked = () => {
      const urgent = [job(next, { priority: 0 })];
      next += 1;
      const [first] = picks(urgent, { oldest: [patient], made });
      made += 1;
      return first === patient;
    };
    expect(Array.from({ length: PICKS_PER_OLDEST }, isPicked)).toContain(true);
  });
});

describe("the fair order of submitters", () => {
  /** Serves the lowest rank first; hands out whose jobs were served. */
  const serve = (submissions: string[], count: number): string[] => {
    const queue: { who: string; rank: number; at: number }[] = [];
    for (const [at, who] of submissions.entries()) {
      const head = queue.length === 0 ? undefined : Math.min(...queue.map((q) => q.rank));
      const own = queue.filter((q) => q.who === who).map((q) => q.rank);
      const rank = rankOf(head, own.length === 0 ? undefined : Math.max(...own));
      queue.push({ who, rank, at });
    }
    queue.sort((a, b) => a.rank - b.rank || a.at - b.at);
    return queue.slice(0, count).map(({ who }) => who);
  };

  test("one job after a hundred of another comes second, not last", () => {
    expect(serve([...Array<string>(100).fill("busy"), "light"], 2)).toEqual(["busy", "light"]);
  });

  test("submitters with enough work take turns, whatever the order of submission", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray("aaaabbbbcccc".match(/./g) ?? [], { minLength: 12 }),
        (order) => {
          for (const round of [0, 1, 2, 3]) {
            const served = serve(order, 12).slice(round * 3, round * 3 + 3);
            expect([...served].sort()).toEqual(["a", "b", "c"]);
          }
        },
      ),
    );
  });

  test("nobody gets credit for time away: a newcomer starts at the head, not before it", () => {
    expect(rankOf(undefined, undefined)).toBe(0);
    expect(rankOf(40, undefined)).toBe(40);
    expect(rankOf(40, 57)).toBe(58);
    expect(rankOf(40, 12)).toBe(40);
  });
});

describe("rest and wake-up", () => {
  test.each([
    [[""], [""], "scheduled"],
    [[], [""], "needsJobs"],
    [[""], [], "needsSlots"],
    [[], [], "needsSlots"],
    [["gpu"], ["", "big"], "needsMatch"],
    [["gpu"], ["big\ngpu"], "scheduled"],
  ] as const)("lanes %j, pools %j → %s", (lanes, pools, expected) => {
    expect(rest({ lanes, pools })).toBe(expected);
  });

  test.each([
    ["needsJobs", ["job"]],
    ["needsSlots", ["slot"]],
    ["needsMatch", ["job", "slot"]],
    ["needsRoom", ["slot", "room"]],
    ["scheduled", []],
    ["paused", []],
  ] as const)("%s is woken by %j alone", (status, waking) => {
    const news: News[] = [{ kind: "job" }, { kind: "slot", pool: "" }, { kind: "room" }];
    const waken = news.filter((each) => isWokenBy({ status }, each)).map(({ kind }) => kind);
    expect(waken).toEqual(waking);
  });

  test("what waits for a fit is not woken by more of a pool that does not fit, and by all else as before", () => {
    const sleep = { status: "needsMatch" as const, unfit: ["", "mac"] };
    expect(isWokenBy(sleep, { kind: "slot", pool: "mac" })).toBe(false);
    expect(isWokenBy(sleep, { kind: "slot", pool: "gpu" })).toBe(true);
    expect(isWokenBy(sleep, { kind: "job" })).toBe(true);
    const other = { status: "needsSlots" as const, unfit: ["mac"] };
    expect(isWokenBy(other, { kind: "slot", pool: "mac" })).toBe(true);
  });

  test("free ordinals are those below the number of slots that nothing occupies", () => {
    expect(freeOrdinals(4, [1, 7, 3])).toEqual([0, 2]);
  });
});

describe("labels", () => {
  test("a signature stands for the set, whatever its order and repetitions", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c")), (labels) => {
        const set = [...new Set(labels)].sort();
        expect(labelsOf(signature(labels))).toEqual(set);
        expect(signature([...labels].reverse())).toBe(signature(labels));
      }),
    );
  });

  test.each([[["-x"]], [["a b"]], [["a\nb"]], [[""]], [["x".repeat(65)]], [Array(17).fill("x")]])(
    "%j is refused",
    (labels) => {
      expect(checkLabels(labels as string[]).ok).toBe(false);
    },
  );

  test("good labels come back sorted, each once", () => {
    expect(checkLabels(["os=linux", "gpu", "gpu"])).toEqual({
      ok: true,
      value: ["gpu", "os=linux"],
    });
  });
});

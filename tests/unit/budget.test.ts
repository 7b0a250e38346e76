import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Budget from "../../convex/domain/budget.js";

const hour = 3_600_000;
const account = (part: Partial<Budget.Account> = {}): Budget.Account => ({
  ...{ limit: 100, start: 0, spent: 0, reserved: 0, overshoot: 0 },
  ...part,
});

describe("a period", () => {
  const utc = Date.UTC;
  test.each([
    ["day", "UTC", utc(2026, 1, 28, 23, 59), utc(2026, 1, 28), utc(2026, 2, 1)],
    ["month", "UTC", utc(2026, 11, 31, 5), utc(2026, 11, 1), utc(2027, 0, 1)],
    ["day", "Europe/Berlin", utc(2026, 0, 1), utc(2025, 11, 31, 23), utc(2026, 0, 1, 23)],
    // The clocks go forward at 1:00 UTC on the 29th of March: that day has 23 hours.
    ["day", "Europe/Berlin", utc(2026, 2, 29, 12), utc(2026, 2, 28, 23), utc(2026, 2, 29, 22)],
    // There they go forward at midnight: the day begins at one.
    ["day", "America/Havana", utc(2026, 2, 8, 12), utc(2026, 2, 8, 5), utc(2026, 2, 9, 4)],
    [
      "month",
      "Asia/Kolkata",
      utc(2026, 0, 31, 20),
      utc(2026, 0, 31, 18, 30),
      utc(2026, 1, 28, 18, 30),
    ],
    ["total", "UTC", utc(2026, 0, 1), 0, null],
  ] as const)("a %s in %s lies between its ends", (...row) => {
    const [period, timeZone, now, start, endsAt] = row;
    expect(Budget.span({ period, timeZone }, now)).toEqual({ start, endsAt });
  });

  test("contains its moment, whatever that is, and its end begins the next", () => {
    const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe");
    const moment = fc.integer({ min: utc(2000, 0), max: utc(2040, 0) });
    fc.assert(
      fc.property(fc.constantFrom("day", "month"), zones, moment, (period, timeZone, now) => {
        const { start, endsAt } = Budget.span({ period, timeZone }, now);
        expect(start).toBeLessThanOrEqual(now);
        expect(endsAt).toBeGreaterThan(now);
        expect(Budget.span({ period, timeZone }, endsAt ?? 0).start).toBe(endsAt);
      }),
      { numRuns: 200 },
    );
  });

  test("what was spent in an earlier one does not count; what is set aside does", () => {
    const before = account({ spent: 90, reserved: 7, overshoot: 3 });
    expect(Budget.rolled(before, hour)).toEqual(account({ start: hour, reserved: 7 }));
    expect(Budget.rolled(before, 0)).toBe(before);
  });
});

describe("what is set aside", () => {
  test.each([
    ["all that the job may still cost", account(), 40, 40],
    ["twice the usual", account({ usual: 20 }), undefined, 40],
    ["nothing, where that does not fit", account({ reserved: 70 }), 40, null],
    ["what is left, while nothing else is set aside", account({ spent: 70 }), 40, 30],
    ["all of it for what is dearer", account(), 500, 100],
    ["nothing of a rest that is not worth it", account({ spent: 96 }), 40, null],
    ["nothing of a budget that was lowered below what was spent", account({ spent: 130 }), 1, null],
  ])("%s", (...row) => {
    const [, before, left, amount] = row;
    expect(Budget.reserve(before, left)).toBe(amount);
  });

  test("a dollar, while nobody knows better", () => {
    expect(Budget.reserve(account({ limit: 5_000_000 }), undefined)).toBe(1_000_000);
  });

  test.each([
    ["twice as much", account({ reserved: 10 }), 10, 8, 20],
    ["twice what it cost, where that is more", account({ reserved: 10 }), 10, 30, 60],
    ["as much as there is room for", account({ spent: 85, reserved: 10 }), 10, 9, 15],
    ["no more, without room", account({ spent: 90, reserved: 10 }), 10, 9, 10],
    ["no less, in a budget that was lowered", account({ limit: 5, reserved: 10 }), 10, 9, 10],
  ])("grows: %s", (...row) => {
    const [, before, amount, cost, grown] = row;
    expect(Budget.grown(before, { amount, cost })).toBe(grown);
  });

  test.each([
    [74, "far"],
    [75, "near"],
    [99, "near"],
    [100, "crossed"],
    [130, "crossed"],
  ])("at %d of 100 the line is %s", (cost, nearness) => {
    expect(Budget.nearness(cost, 100)).toBe(nearness);
  });
});

describe("the end of an attempt", () => {
  test("spends what it cost, frees the rest, and counts what it cost beyond its line", () => {
    const before = account({ reserved: 30, usual: 16 });
    expect(Budget.settled(before, { amount: 30, cost: 40, at: 5 })).toEqual(
      account({ spent: 40, overshoot: 10, usual: 19 }),
    );
  });

  test("before the present period began costs that period nothing", () => {
    const before = account({ start: 10, spent: 1, reserved: 30 });
    const after = Budget.settled(before, { amount: 30, cost: 40, at: 5 });
    expect(after).toEqual(account({ start: 10, spent: 1, usual: 40 }));
  });

  test("in any order leaves the same amounts", () => {
    const one = fc.record({ amount: fc.nat(50), cost: fc.nat(90), at: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), (ends) => {
        const reserved = ends.reduce((sum, { amount }) => sum + amount, 0);
        const begin = account({ start: 10, reserved });
        const run = (order: typeof ends) => {
          const { spent, reserved: rest, overshoot } = order.reduce(Budget.settled, begin);
          return { spent, rest, overshoot };
        };
        expect(run([...ends].reverse())).toEqual(run(ends));
        expect(run(ends).rest).toBe(0);
      }),
    );
  });
});

test.each([0, -1, Number.NaN, Infinity, 1e-9, 1_000_001])("a limit of $%d is refused", (limit) => {
  expect(Budget.checkAmount(limit).ok).toBe(false);
});

test.each(["", "Mars/Olympus", "Europe"])("the time zone %j is refused", (timeZone) => {
  expect(Budget.checkTimeZone(timeZone).ok).toBe(false);
});

test("what is no count of tokens counts as none, and what was spent only grows", () => {
  const odd = { input: Number.NaN, output: -1, cacheRead: 0.5, cacheCreation: 7 };
  const tokens = Budget.countable(odd);
  expect(tokens).toEqual({ input: 0, output: 0, cacheRead: 0, cacheCreation: 7 });
  const later = Budget.later({ micros: 5, tokens }, { micros: 3, tokens: { ...tokens, input: 2 } });
  expect(later).toEqual({ micros: 5, tokens: { ...tokens, input: 2 } });
});

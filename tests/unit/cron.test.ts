import { Cron as Croner } from "croner";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  endOfGap,
  findZone,
  fromDays,
  instantsOf,
  toDays,
  weekday,
  type Zone,
} from "../../convex/domain/civil.js";
import { nextCron, parseCron } from "../../convex/domain/cron.js";
import { checkCadence, isToRun, nextAfter } from "../../convex/domain/schedule.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Santiago",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Asia/Beirut",
];

function zone(name: string): Zone {
  const found = findZone(name);
  if (found === null) throw new Error(name);
  return found;
}
function next(expression: string, timeZone: string, after: string): string {
  const cron = parseCron(expression);
  if (!cron.ok) throw new Error(cron.message);
  const at = nextCron(cron.value, zone(timeZone), Date.parse(after));
  return at === null ? "never" : new Date(at).toISOString();
}

const someDays = fc.integer({ min: -200_000, max: 200_000 });
const someInstant = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) });

describe("the calendar", () => {
  test("days ↔ dates, as UTC has them", () => {
    fc.assert(
      fc.property(someDays, (days) => {
        const date = new Date(days * 24 * HOUR);
        const civil = fromDays(days);
        expect(civil).toEqual({
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
        });
        expect(toDays(civil)).toBe(days);
        expect(weekday(days)).toBe(date.getUTCDay());
      }),
    );
  });

  test("an instant's wall time stands for that instant", () => {
    fc.assert(
      fc.property(someInstant, fc.constantFrom(...zones), (instant, name) => {
        const local = zone(name);
        const wall = instant + local.offsetAt(instant);
        expect(instantsOf(wall, local)).toContain(instant);
      }),
    );
  });

  test("a wall time that is skipped stands for none; the gap ends when the clocks are set", () => {
    const berlin = zone("Europe/Berlin");
    const skipped = Date.UTC(2026, 2, 29, 2, 30);
    expect(instantsOf(skipped, berlin)).toEqual([]);
    expect(endOfGap(skipped, berlin)).toBe(Date.UTC(2026, 2, 29, 1));
  });

  test("a wall time that comes twice stands for two instants, an hour apart", () => {
    const twice = instantsOf(Date.UTC(2026, 9, 25, 2, 30), zone("Europe/Berlin"));
    expect(twice).toEqual([Date.UTC(2026, 9, 25, 0, 30), Date.UTC(2026, 9, 25, 1, 30)]);
  });

  test.each(["", "Mars/Olympus", "../etc", "Europe/Berlin "])("%j is no time zone", (name) => {
    expect(findZone(name)).toBeNull();
  });
});

describe("reading an expression", () => {
  test.each([
    ["* * * *", "five fields"],
    ["60 * * * *", "no minute"],
    ["* 24 * * *", "no hour"],
    ["* * 0 * *", "no day of month"],
    ["* * * 13 *", "no month"],
    ["* * * * 8", "no day of week"],
    ["*/0 * * * *", "no minute"],
    ["5-1 * * * *", "no minute"],
    ["a * * * *", "no minute"],
    ["* * * * * *", "five fields"],
    ["*-5 * * * *", "no minute"],
    ["1,,2 * * * *", "no minute"],
    ["x".repeat(201), "too long"],
  ])("%j is refused", (expression, why) => {
    expect(parseCron(expression)).toMatchObject({
      ok: false,
      message: expect.stringContaining(why) as string,
    });
  });

  test("whatever is typed is read or refused, never thrown", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(typeof parseCron(text).ok).toBe("boolean");
      }),
    );
  });
});

describe("the next time", () => {
  test.each([
    ["0 9 * * mon-fri", "Europe/Berlin", "2026-01-02T08:00:00Z", "2026-01-05T08:00:00.000Z"],
    ["*/15 * * * *", "UTC", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00.000Z"],
    ["0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    ["0 0 29 feb *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00.000Z"],
    ["0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", "never"],
    ["0 0 13 * 5", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.000Z"],
    ["0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00.000Z"],
    ["@monthly", "Asia/Kolkata", "2026-01-15T00:00:00Z", "2026-01-31T18:30:00.000Z"],
    ["5/20 1 * * *", "UTC", "2026-01-01T01:06:00Z", "2026-01-01T01:25:00.000Z"],
  ])("%s in %s after %s → %s", (...[expression, timeZone, after, expected]) => {
    expect(next(expression, timeZone, after)).toBe(expected);
  });

  test("clocks set forward: a time that is skipped fires once, right after the gap", () => {
    const berlin = (expression: string, after: string) => next(expression, "Europe/Berlin", after);
    expect(berlin("30 2 * * *", "2026-03-28T12:00:00Z")).toBe("2026-03-29T01:00:00.000Z");
    expect(berlin("30 2 * * *", "2026-03-29T01:00:00Z")).toBe("2026-03-30T00:30:00.000Z");
    expect(berlin("0,30 2 * * *", "2026-03-29T01:00:00Z")).toBe("2026-03-30T00:00:00.000Z");
  });

  test("clocks set back: a time that comes twice fires once; each hour fires in both", () => {
    const berlin = (expression: string, after: string) => next(expression, "Europe/Berlin", after);
    expect(berlin("30 2 * * *", "2026-10-24T12:00:00Z")).toBe("2026-10-25T00:30:00.000Z");
    expect(berlin("30 2 * * *", "2026-10-25T00:30:00Z")).toBe("2026-10-26T01:30:00.000Z");
    expect(berlin("30 * * * *", "2026-10-25T00:30:00Z")).toBe("2026-10-25T01:30:00.000Z");
    expect(berlin("30 * * * *", "2026-03-29T00:30:00Z")).toBe("2026-03-29T01:30:00.000Z");
  });

  test("clocks set back over midnight: times stay in order", () => {
    const times = [];
    let at = "2026-10-24T19:00:00Z";
    for (let i = 0; i < 6; i += 1) {
      at = next("0,30 * * * *", "Asia/Beirut", at);
      times.push(at.slice(11, 16));
    }
    expect(times).toEqual(["19:30", "20:00", "20:30", "21:00", "21:30", "22:00"]);
  });

  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant("*"),
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 2, max: 9 }).map((n) => `*/${String(n)}`),
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
        .map(([a, b]) => `${String(Math.min(a, b))}-${String(Math.max(a, b))}`),
    );
  const weekdays = fc.oneof(fc.constant("*"), fc.integer({ min: 0, max: 6 }).map(String));
  const expressions = fc
    .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), weekdays, fc.boolean())
    // Implementations differ in what makes a day where both of its fields are restricted.
    .map(([minutes, hours, days, months, weekdays, isOfMonth]) =>
      [minutes, hours, isOfMonth ? days : "*", months, isOfMonth ? "*" : weekdays].join(" "),
    )
    // Nor do all wrap a range of days round the end of the week.
    .filter((expression) => !expression.endsWith("-0"));

  test("where clocks never change, it is what another implementation says", () => {
    fc.assert(
      fc.property(
        expressions,
        someInstant,
        fc.constantFrom("UTC", "Asia/Kolkata", "Asia/Kathmandu"),
        (expression, after, timeZone) => {
          const other = new Croner(expression, { timezone: timeZone }).nextRun(new Date(after));
          const cron = parseCron(expression);
          expect(cron.ok && nextCron(cron.value, zone(timeZone), after)).toBe(
            other?.getTime() ?? null,
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  test("in every zone: later than asked, on the minute or at the end of a gap, and nothing between", () => {
    fc.assert(
      fc.property(
        fc.tuple(field(0, 59), field(0, 23)).map((both) => both.join(" ")),
        someInstant,
        fc.constantFrom(...zones),
        (times, after, name) => {
          const cron = parseCron(`${times} * * *`);
          if (!cron.ok) throw new Error(cron.message);
          const local = zone(name);
          const at = nextCron(cron.value, local, after);
          if (at === null) throw new Error("each day has one");
          expect(at).toBeGreaterThan(after);
          const wall = at + local.offsetAt(at);
          const isGap = local.offsetAt(at) !== local.offsetAt(at - 1);
          const minute = new Date(wall).getUTCMinutes();
          expect(isGap || cron.value.minutes.includes(minute)).toBe(true);
          // A later start before the answer has the same answer.
          const between = after + Math.floor((at - after) / 2);
          expect(nextCron(cron.value, local, between)).toBe(at);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("a daily time fires once on each local day of two years, in every zone", () => {
    const cron = parseCron("30 2 * * *");
    if (!cron.ok) throw new Error(cron.message);
    for (const name of zones) {
      const local = zone(name);
      let at = Date.UTC(2025, 0, 1, 12);
      const days = new Set<number>();
      for (let i = 0; i < 730; i += 1) {
        const found = nextCron(cron.value, local, at);
        if (found === null) throw new Error(name);
        days.add(Math.floor((found + local.offsetAt(found)) / (24 * HOUR)));
        at = found;
      }
      expect([name, days.size]).toEqual([name, 730]);
    }
  });
});

describe("a cadence", () => {
  const everyMs = 90 * MINUTE;

  test("an interval keeps to its anchor, whenever it is asked", () => {
    fc.assert(
      fc.property(someInstant, someInstant, (anchorAt, after) => {
        const at = nextAfter({ kind: "interval", everyMs, anchorAt }, after);
        if (at === null) throw new Error("an interval never ends");
        expect(at).toBeGreaterThan(after);
        expect(at - after).toBeLessThanOrEqual(everyMs);
        expect(Math.abs((at - anchorAt) % everyMs)).toBe(0);
      }),
    );
  });

  test.each([
    [{ kind: "interval", everyMs: 1_000, anchorAt: 0 }, "interval"],
    [{ kind: "cron", expression: "x", timeZone: "UTC" }, "five fields"],
    [{ kind: "cron", expression: "@daily", timeZone: "Mars/Olympus" }, "time zone"],
    [{ kind: "cron", expression: "0 0 31 4 *", timeZone: "UTC" }, "never comes"],
  ] as const)("%j is refused", (cadence, why) => {
    expect(checkCadence(cadence, 0)).toMatchObject({
      ok: false,
      message: expect.stringContaining(why) as string,
    });
  });

  test("what was missed runs once or not at all, by choice", () => {
    expect(isToRun("skip", 1_000)).toBe(true);
    expect(isToRun("skip", HOUR)).toBe(false);
    expect(isToRun("runOnce", HOUR)).toBe(true);
  });
});

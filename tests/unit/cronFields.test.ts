/** Each field of a cron expression at its bounds, and what is no expression. */
import { describe, expect, test } from "vitest";
import { findZone } from "../../convex/domain/civil.js";
import { nextCron, parseCron } from "../../convex/domain/cron.js";
import { CRON_CHARS_MAX } from "../../convex/protocol/limits.js";

const isGood = (expression: string): boolean => parseCron(expression).ok;
const parsed = (expression: string) => {
  const cron = parseCron(expression);
  if (!cron.ok) throw new Error(cron.message);
  return cron.value;
};

describe("cron expressions", () => {
  test.each(["0 0 1 1 0", "59 23 31 12 7", "* * * jan sun", "* * * dec sat", "*/1 * * * *"])(
    "%s is one",
    (expression) => {
      expect(isGood(expression)).toBe(true);
    },
  );
  test.each([
    ...["60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *"],
    ...["* * * * 8", "* * * foo *", "* * * * foo", "x * * * *", "5-x * * * *", "x-5 * * * *"],
    ...["5-4 * * * *", "*-5 * * * *", "*/0 * * * *", "* * * *", "* * *", "* *", "*", ""],
    ...["* * * * * *", "-1 * * * *", "1- * * * *", "1,, * * * *", "* * * sun *", "999 * * * *"],
  ])("%j is none", (expression) => {
    expect(isGood(expression)).toBe(false);
  });
  test("lists, ranges and steps, in order and each once", () => {
    expect(parsed("30,5,5,20-24/2,50/4 * * * *").minutes).toEqual([5, 20, 22, 24, 30, 50, 54, 58]);
    expect(parsed("0 22/1 * * *").hours).toEqual([22, 23]);
    expect([...parsed("0 0 * nov-dec *").months]).toEqual([11, 12]);
    expect([...parsed("0 0 * * 5-7").weekdays]).toEqual([5, 6, 0]);
    expect([...parsed("0 0 * * 5/1").weekdays]).toEqual([5, 6]);
    expect([...parsed("0 0 * * *").weekdays]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
  test("its length has a bound", () => {
    const long = (length: number) => `* * * * *${" ".repeat(length - 9)}`;
    expect([isGood(long(CRON_CHARS_MAX)), isGood(long(CRON_CHARS_MAX + 1))]).toEqual([true, false]);
  });
  test("clocks set back over midnight show the next day's start before the end of this one", () => {
    const zone = findZone("America/St_Johns");
    if (zone === null) throw new Error("no St. John's");
    // At a minute past midnight they went back to 23:01.
    const after = Date.parse("2000-10-29T02:29:30Z");
    const next = nextCron(parsed("0,59 * * * *"), zone, after);
    expect(next).toBe(Date.parse("2000-10-29T02:30:00Z"));
  });
  test("a leap day is found across a century that has none; the thirtieth of February never", () => {
    const zone = findZone("UTC");
    if (zone === null) throw new Error("no UTC");
    const after = Date.UTC(2096, 1, 29, 1);
    expect(nextCron(parsed("0 0 29 2 *"), zone, after)).toBe(Date.UTC(2104, 1, 29));
    expect(nextCron(parsed("0 0 30 2 *"), zone, after)).toBeNull();
    expect(nextCron(parsed("0 0 1 1 *"), zone, Date.UTC(1969, 11, 31, 23))).toBe(0);
  });
});

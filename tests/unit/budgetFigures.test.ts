/** The arithmetic of budgets on its bounds, and the last bounds of logs. */
import { describe, expect, test } from "vitest";
import {
  checkAmount,
  countable,
  NOTHING,
  overshoot,
  reserve,
  scopeKey,
  settled,
  span,
  sum,
} from "../../convex/domain/budget.js";
import { checkAppend } from "../../convex/domain/logTail.js";
import { BUDGET_USD_MAX, LOG_CALL_CHARS_MAX } from "../../convex/protocol/limits.js";

const account = { limit: 100, start: 10, spent: 0, reserved: 0, overshoot: 0, usual: 40 };

describe("budgets", () => {
  test("an amount is above nothing, in millionths, and has a bound", () => {
    expect([0.000001, BUDGET_USD_MAX].map((usd) => checkAmount(usd).ok)).toEqual([true, true]);
    const bad = [0, 0.0000001, -1, NaN, BUDGET_USD_MAX + 1];
    expect(bad.map((usd) => checkAmount(usd).ok)).toEqual(bad.map(() => false));
  });
  test("what fits exactly is set aside, and the last twentieth of a budget is still one", () => {
    expect(reserve({ ...account, reserved: 20 }, undefined)).toBe(80);
    expect(reserve({ ...account, reserved: 21 }, undefined)).toBeNull();
    expect(reserve({ ...account, spent: 95 }, undefined)).toBe(5);
    expect(reserve({ ...account, spent: 96 }, undefined)).toBeNull();
  });
  test("an attempt that ends as its period begins is of it; the usual follows the last eight", () => {
    const ended = settled({ ...account, reserved: 5 }, { amount: 5, cost: 8, at: 10 });
    expect(ended).toMatchObject({ spent: 8, reserved: 0, overshoot: 3, usual: 36 });
    expect(settled(account, { amount: 0, cost: 8, at: 9 })).toMatchObject({
      spent: 0,
      overshoot: 0,
    });
    expect(settled(account, { amount: 0, cost: 0, at: 10 }).usual).toBe(40);
    expect(settled(account, { amount: 0, cost: 1, at: 10 }).usual).toBe(35);
    expect([overshoot(3, 5), overshoot(5, 5), overshoot(7, 5)]).toEqual([0, 0, 2]);
  });
  test("December is followed by January, and a day begins at midnight", () => {
    const month = { period: "month", timeZone: "UTC" } as const;
    const december = { start: Date.UTC(2029, 11, 1), endsAt: Date.UTC(2030, 0, 1) };
    expect(span(month, Date.UTC(2029, 11, 31, 23))).toEqual(december);
    expect(span({ ...month, timeZone: "No/Where" }, Date.UTC(2029, 11, 1))).toEqual(december);
    expect(scopeKey({ kind: "all" })).toBe("all");
  });
  test("tokens that are no counts count as none, and two costs make their sum", () => {
    const tokens = { input: 1, output: 2, cacheRead: 0, cacheCreation: 0 };
    expect(countable({ ...tokens, cacheRead: -1, cacheCreation: 0.5 })).toEqual(tokens);
    expect(NOTHING).toEqual({ micros: 0, tokens: { ...tokens, input: 0, output: 0 } });
    expect(sum({ micros: 3, tokens }, { micros: 4, tokens })).toEqual({
      ...{ micros: 7, tokens: { ...tokens, input: 2, output: 4 } },
    });
  });
});

test("the name of a tool's call in a log has a bound", () => {
  const entry = (chars: number) => ({
    at: 1,
    kind: "text" as const,
    text: "",
    call: "x".repeat(chars),
  });
  const isGood = (chars: number) => checkAppend({ seq: 0, entries: [entry(chars)] }).ok;
  expect([isGood(LOG_CALL_CHARS_MAX), isGood(LOG_CALL_CHARS_MAX + 1)]).toEqual([true, false]);
});

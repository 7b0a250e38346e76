import type { BudgetPeriod, BudgetScope } from "../protocol/budget.js";
import type { Tokens } from "../protocol/job.js";
import { BUDGET_ESTIMATE_USD, BUDGET_USD_MAX } from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import {
  type CivilDate,
  DAY_MS,
  endOfGap,
  findZone,
  fromDays,
  instantsOf,
  toDays,
  type Zone,
} from "./civil.js";
import { microsOf } from "./rollup.js";

/**
 * The arithmetic of budgets. All amounts are whole millionths of a dollar, so that sums are exact
 * whatever their order.
 */

/** Names a scope in one word: jobs find the budgets that bound them by it. */
export function scopeKey(scope: BudgetScope): string {
  switch (scope.kind) {
    case "all":
      return "all";
    case "repository":
    case "user":
      return `${scope.kind}:${scope.name}`;
    case "credential":
      return `credential:${scope.credentialId}`;
  }
}

/** A period of a budget: which, and by whose clocks. */
type Period = { period: BudgetPeriod; timeZone: string };

/** Beginning of the period that a moment lies in, and its end. The time zone was checked. */
export function span({ period, timeZone }: Period, now: number): Span {
  if (period === "total") return { start: 0, endsAt: null };
  const zone = findZone(timeZone) ?? UTC;
  const today = Math.floor((now + zone.offsetAt(now)) / DAY_MS);
  if (period === "day") return { start: midnight(today, zone), endsAt: midnight(today + 1, zone) };
  const { year, month } = fromDays(today);
  const next = month === 12 ? { year: year + 1, month: 1 } : { year, month: month + 1 };
  return { start: first({ year, month }, zone), endsAt: first(next, zone) };
}
export type Span = { start: number; endsAt: number | null };

const UTC: Zone = { offsetAt: () => 0 };

function first(date: Omit<CivilDate, "day">, zone: Zone): number {
  return midnight(toDays({ ...date, day: 1 }), zone);
}

/** When a day begins: its first midnight, or the end of a change of clocks that leaves it out. */
function midnight(days: number, zone: Zone): number {
  const wall = days * DAY_MS;
  return instantsOf(wall, zone)[0] ?? endOfGap(wall, zone);
}

/** What a budget has, and what it has come to. */
export type Account = {
  limit: number;
  /** Beginning of the period that `spent` and `overshoot` are of. */
  start: number;
  spent: number;
  reserved: number;
  overshoot: number;
  /** What an attempt usually costs; unknown before the first. */
  usual?: number | undefined;
};

/** The account as it is in a period: what was spent in an earlier one does not count. */
export function rolled<A extends Account>(account: A, start: number): A {
  return start <= account.start ? account : { ...account, start, spent: 0, overshoot: 0 };
}

/** What neither was spent nor is set aside. */
export function room({ limit, spent, reserved }: Account): number {
  return Math.max(0, limit - spent - reserved);
}

/** Less than this share of a budget is not worth beginning with. */
const REST_SHARE = 0.05;

/** What an attempt is expected to cost: all that its job may, else twice the usual, else a guess. */
export function estimate(left: number | undefined, usual: number | undefined): number {
  if (left !== undefined) return left;
  return usual === undefined ? microsOf(BUDGET_ESTIMATE_USD) : 2 * usual;
}

/**
 * What is set aside for an attempt; null when it does not fit now. While nothing else is set aside, the
 * next one gets whatever is left: a budget can be used up, and what is dearer than all of it can run.
 */
export function reserve(account: Account, left: number | undefined): number | null {
  const need = estimate(left, account.usual);
  const rest = room(account);
  if (need <= rest) return need;
  return account.reserved === 0 && rest >= account.limit * REST_SHARE ? rest : null;
}

/** What is set aside for an attempt that has cost so much: twice that, as far as there is room. */
export function grown(account: Account, { amount, cost }: { amount: number; cost: number }) {
  return Math.max(amount, Math.min(amount + room(account), 2 * Math.max(amount, cost)));
}

/** From this share of its line on, more is set aside for an attempt. */
const NEAR_SHARE = 0.75;

/** How near an attempt is to what it may spend. */
export function nearness(cost: number, line: number): "far" | "near" | "crossed" {
  if (cost >= line) return "crossed";
  return cost >= line * NEAR_SHARE ? "near" : "far";
}

/** The mean follows the last this many attempts. */
const USUAL_OVER = 8;

/** The account once an attempt has ended: what it cost is spent, what was set aside is free. */
export function settled<A extends Account>(
  account: A,
  { amount, cost, at }: { amount: number; cost: number; at: number },
): A {
  const { spent, reserved, usual } = account;
  const isOfPeriod = at >= account.start;
  return {
    ...account,
    reserved: reserved - amount,
    spent: spent + (isOfPeriod ? cost : 0),
    overshoot: account.overshoot + (isOfPeriod ? overshoot(cost, amount) : 0),
    // An attempt that did not get to ask anything says nothing of what others cost.
    usual: cost === 0 ? usual : Math.round((usual ?? cost) + (cost - (usual ?? cost)) / USUAL_OVER),
  };
}

/** What an attempt spent beyond its line. */
export function overshoot(spent: number, line: number): number {
  return Math.max(0, spent - line);
}

/** Checks the amount of a budget. */
export function checkAmount(limitUsd: number): Checked<number> {
  if (microsOf(limitUsd) > 0 && limitUsd <= BUDGET_USD_MAX) return passed(limitUsd);
  return refused(`limitUsd is ${limitUsd}; it must be above 0 and at most ${BUDGET_USD_MAX}.`);
}

/** Checks whose clocks the period of a budget goes by. */
export function checkTimeZone(timeZone: string): Checked<string> {
  if (findZone(timeZone) !== null) return passed(timeZone);
  return refused(`${quote(timeZone)} is no time zone of the IANA database, like Europe/Berlin.`);
}

/** Tokens, as far as they are counts: one NaN would spoil all sums. */
export function countable(tokens: Tokens | undefined): Tokens {
  const count = (n: number | undefined) =>
    n !== undefined && Number.isSafeInteger(n) && n > 0 ? n : 0;
  return {
    input: count(tokens?.input),
    output: count(tokens?.output),
    cacheRead: count(tokens?.cacheRead),
    cacheCreation: count(tokens?.cacheCreation),
  };
}

/** What several attempts, or one so far, have cost. */
export type Spent = { micros: number; tokens: Tokens };

export const NOTHING: Spent = { micros: 0, tokens: countable(undefined) };

/** Two costs added up. */
export function sum(a: Spent, b: Spent): Spent {
  return combine(a, b, (x, y) => x + y);
}

/** The later word of two on the same attempt: what has been spent only grows. */
export function later(a: Spent, b: Spent): Spent {
  return combine(a, b, Math.max);
}

function combine(a: Spent, b: Spent, by: (x: number, y: number) => number): Spent {
  return {
    micros: by(a.micros, b.micros),
    tokens: {
      input: by(a.tokens.input, b.tokens.input),
      output: by(a.tokens.output, b.tokens.output),
      cacheRead: by(a.tokens.cacheRead, b.tokens.cacheRead),
      cacheCreation: by(a.tokens.cacheCreation, b.tokens.cacheCreation),
    },
  };
}

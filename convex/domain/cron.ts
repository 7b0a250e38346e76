import { CRON_CHARS_MAX } from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { DAY_MS, endOfGap, fromDays, instantsOf, MINUTE_MS, weekday, type Zone } from "./civil.js";

/**
 * Cron expressions with five fields: minute, hour, day of month, month, day of week. Lists, ranges and
 * steps as in crontab(5), names of months and days, and @hourly, @daily, @weekly, @monthly, @yearly.
 * Where day of month and day of week are both restricted, a day that meets either will do.
 *
 * Clocks that change. An expression whose hour field is `*` counts time that passes: it fires in both
 * of two hours that are called the same, and not for hours that do not exist. Any other means a time
 * of day: it fires once, the first time the clocks show it, and if they skip it, right after the gap.
 */
export type Cron = {
  minutes: readonly number[];
  hours: readonly number[];
  days: ReadonlySet<number>;
  months: ReadonlySet<number>;
  weekdays: ReadonlySet<number>;
  /** Whether day of month and day of week are both restricted: either will do. */
  isEitherDay: boolean;
  /** Whether it fires each hour, and so counts time that passes. */
  isHourly: boolean;
};

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MACROS: ReadonlyMap<string, string> = new Map([
  ["@hourly", "0 * * * *"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@weekly", "0 0 * * 0"],
  ["@monthly", "0 0 1 * *"],
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
]);

type Field = { name: string; min: number; max: number; words?: readonly string[] };
const FIELDS = {
  minute: { name: "minute", min: 0, max: 59 },
  hour: { name: "hour", min: 0, max: 23 },
  day: { name: "day of month", min: 1, max: 31 },
  month: { name: "month", min: 1, max: 12, words: MONTHS },
  weekday: { name: "day of week", min: 0, max: 7, words: WEEKDAYS },
} satisfies Record<string, Field>;

/** Reads a cron expression. */
export function parseCron(expression: string): Checked<Cron> {
  const text = expression.trim().toLowerCase();
  if (expression.length > CRON_CHARS_MAX) return refused("The cron expression is too long.");
  const parts = (MACROS.get(text) ?? text).split(/\s+/);
  const [minute, hour, day, month, dayOfWeek] = parts;
  if (!minute || !hour || !day || !month || !dayOfWeek || parts.length > 5) {
    return refused(
      `The cron expression ${quote(expression)} has not five fields: minute, hour, day of month, month, day of week.`,
    );
  }
  return build({ minute, hour, day, month, dayOfWeek });
}

type Written = { minute: string; hour: string; day: string; month: string; dayOfWeek: string };

function build({ minute, hour, day, month, dayOfWeek }: Written): Checked<Cron> {
  const minutes = parseField(minute, FIELDS.minute);
  if (!minutes.ok) return minutes;
  const hours = parseField(hour, FIELDS.hour);
  if (!hours.ok) return hours;
  const days = parseField(day, FIELDS.day);
  if (!days.ok) return days;
  const months = parseField(month, FIELDS.month);
  if (!months.ok) return months;
  const weekdays = parseField(dayOfWeek, FIELDS.weekday);
  if (!weekdays.ok) return weekdays;
  return passed({
    minutes: minutes.value,
    hours: hours.value,
    days: new Set(days.value),
    months: new Set(months.value),
    weekdays: new Set(weekdays.value.map((d) => d % 7)),
    isEitherDay: !day.startsWith("*") && !dayOfWeek.startsWith("*"),
    isHourly: hours.value.length === 24,
  });
}

function parseField(text: string, field: Field): Checked<number[]> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const range = parsePart(part, field);
    if (range === null) {
      const { name, min, max } = field;
      return refused(
        `${quote(part)} is no ${name}: write a number from ${min} to ${max}, a range a-b, or either with a step /n.`,
      );
    }
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
  }
  return passed([...values].sort((a, b) => a - b));
}

function parsePart(part: string, field: Field): { from: number; to: number; step: number } | null {
  const match = /^(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/([0-9]{1,2}))?$/.exec(part);
  if (match === null) return null;
  const [, start = "", end, stepText] = match;
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1) return null;
  if (start === "*") {
    return end === undefined ? { from: field.min, to: fullEnd(field), step } : null;
  }
  const from = parseValue(start, field);
  const to = end === undefined ? from : parseValue(end, field);
  if (from === null || to === null || to < from) return null;
  return { from, to: end === undefined && stepText !== undefined ? fullEnd(field) : to, step };
}

/** 7 is another name of Sunday, not a day more. */
function fullEnd(field: Field): number {
  return field.max === 7 ? 6 : field.max;
}

function parseValue(text: string, { min, max, words }: Field): number | null {
  const index = words?.indexOf(text) ?? -1;
  const value =
    index >= 0 ? index + (min === 1 ? 1 : 0) : /^[0-9]{1,2}$/.test(text) ? Number(text) : -1;
  return value >= min && value <= max ? value : null;
}

/** Days looked at: from one 29 February to the next there are at most eight years. */
const DAYS_MAX = 9 * 366;

/** The first instant after this one at which a cron fires; null when it never does (30 February). */
export function nextCron(cron: Cron, zone: Zone, after: number): number | null {
  // The day before too: clocks that are set back show times of a day that had ended.
  const firstDay = Math.floor((after + zone.offsetAt(after)) / DAY_MS) - 1;
  for (let day = firstDay; day < firstDay + DAYS_MAX; day += 1) {
    if (!isDay(cron, day)) continue;
    const next = firstOfDay(cron, zone, { day, after });
    if (next === null) continue;
    // Clocks set back over midnight show the start of the next day before the end of this one.
    const early = isDay(cron, day + 1) ? firstOfDay(cron, zone, { day: day + 1, after }) : null;
    return early === null ? next : Math.min(next, early);
  }
  return null;
}

/** Whether a cron fires on a day, given as days from 1970-01-01. */
function isDay(cron: Cron, days: number): boolean {
  const { month, day } = fromDays(days);
  if (!cron.months.has(month)) return false;
  const isOfMonth = cron.days.has(day);
  const isOfWeek = cron.weekdays.has(weekday(days));
  return cron.isEitherDay ? isOfMonth || isOfWeek : isOfMonth && isOfWeek;
}

function firstOfDay(
  cron: Cron,
  zone: Zone,
  { day, after }: { day: number; after: number },
): number | null {
  const start = day * DAY_MS;
  const offset = zone.offsetAt(start - DAY_MS);
  const isSteady =
    offset === zone.offsetAt(start + 2 * DAY_MS) && offset === zone.offsetAt(start + DAY_MS / 2);
  let first: number | null = null;
  for (const hour of cron.hours) {
    for (const minute of cron.minutes) {
      const wall = start + (hour * 60 + minute) * MINUTE_MS;
      for (const instant of isSteady ? [wall - offset] : firings(cron, wall, zone)) {
        if (instant > after && (first === null || instant < first)) first = instant;
      }
      if (isSteady && first !== null) return first;
    }
  }
  return first;
}

/** The instants a wall time stands for, on a day on which clocks may change. */
function firings(cron: Cron, wall: number, zone: Zone): number[] {
  const instants = instantsOf(wall, zone);
  if (cron.isHourly) return instants;
  return instants.length === 0 ? [endOfGap(wall, zone)] : instants.slice(0, 1);
}

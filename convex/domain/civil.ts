/**
 * Dates without a time zone, and the time zones of the IANA database by way of Intl. A wall time is
 * written as the number of ms that UTC would give it: the same arithmetic, another meaning.
 */

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

/** Calendar date; month from 1. */
export type CivilDate = { year: number; month: number; day: number };

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
export function toDays({ year, month, day }: CivilDate): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The date this many days from 1970-01-01. */
export function fromDays(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day };
}

/** Day of the week; 0 is Sunday. */
export function weekday(days: number): number {
  return (((days + 4) % 7) + 7) % 7;
}

/** One time zone. */
export type Zone = {
  /** How far its wall clocks are ahead of UTC at this instant, ms. */
  offsetAt: (instant: number) => number;
};

/** A time zone of the IANA database by its name; null when there is none of that name. */
export function findZone(name: string): Zone | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return null;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      era: "short",
      ...{ year: "numeric", month: "numeric", day: "numeric" },
      ...{ hour: "numeric", minute: "numeric", second: "numeric" },
    });
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
  return { offsetAt: (instant) => wallAt(format, instant) - instant };
}

function wallAt(format: Intl.DateTimeFormat, instant: number): number {
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  const get = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type));
  const days = toDays({ year: get("year"), month: get("month"), day: get("day") });
  const seconds = get("hour") * 3_600 + get("minute") * 60 + get("second");
  return days * DAY_MS + seconds * 1_000 + (((instant % 1_000) + 1_000) % 1_000);
}

/**
 * The instants at which the zone's clocks show this wall time: one; two where they are set back; none
 * where they are set forward. Assumes that a zone changes its clocks at most once in two days.
 */
export function instantsOf(wall: number, zone: Zone): number[] {
  const before = zone.offsetAt(wall - DAY_MS);
  const after = zone.offsetAt(wall + DAY_MS);
  const offsets = before === after ? [before] : [before, after];
  return offsets
    .map((offset) => ({ instant: wall - offset, offset }))
    .filter(({ instant, offset }) => zone.offsetAt(instant) === offset)
    .map(({ instant }) => instant)
    .sort((a, b) => a - b);
}

/** The instant at which a gap that this wall time lies in ends; the first after the change. */
export function endOfGap(wall: number, zone: Zone): number {
  const before = zone.offsetAt(wall - DAY_MS);
  // In the old offset the wall time is after the change, in the new one before it.
  let high = wall - before;
  let low = wall - zone.offsetAt(wall + DAY_MS);
  // Halves at most two days down to one ms.
  for (let i = 0; i < 40 && high - low > 1; i += 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

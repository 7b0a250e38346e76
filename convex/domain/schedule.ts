import { INTERVAL_MS_MAX, INTERVAL_MS_MIN } from "../protocol/limits.js";
import type { Cadence, CatchUp } from "../protocol/queue.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { findZone } from "./civil.js";
import { nextCron, parseCron } from "./cron.js";

/** An occurrence that fires this much too late counts as missed: the timer itself is never so late. */
export const MISSED_MS = 5 * 60_000;

/** Checks when a schedule is to fire; it must fire at least once more. */
export function checkCadence(cadence: Cadence, now: number): Checked<Cadence> {
  switch (cadence.kind) {
    case "interval": {
      const { everyMs, anchorAt } = cadence;
      if (isInstant(anchorAt) && isInterval(everyMs)) return passed(cadence);
      return refused(
        `The interval is ${everyMs} ms; it must be a whole number from ${INTERVAL_MS_MIN} to ${INTERVAL_MS_MAX}, counted from ms since the epoch.`,
      );
    }
    case "cron": {
      const cron = parseCron(cadence.expression);
      if (!cron.ok) return cron;
      const zone = findZone(cadence.timeZone);
      if (zone === null) {
        return refused(
          `${quote(cadence.timeZone)} is no time zone of the IANA database, like Europe/Berlin or UTC.`,
        );
      }
      if (nextCron(cron.value, zone, now) !== null) return passed(cadence);
      return refused(
        `The cron expression ${quote(cadence.expression)} names a day that never comes.`,
      );
    }
  }
}

/** The year 2500: later, calendars of today mean nothing. */
const INSTANT_MAX = 16_725_225_600_000;

/** Checks a point in time: whole ms since the epoch. */
export function checkInstant(at: number): Checked<number> {
  if (isInstant(at)) return passed(at);
  return refused(`${at} is no time: give whole ms since the epoch, before the year 2500.`);
}

function isInstant(at: number): boolean {
  return Number.isInteger(at) && at >= 0 && at < INSTANT_MAX;
}

/** The first occurrence after this instant; null when there is none. The cadence was checked. */
export function nextAfter(cadence: Cadence, after: number): number | null {
  switch (cadence.kind) {
    case "interval": {
      const { everyMs, anchorAt } = cadence;
      return anchorAt + (Math.floor((after - anchorAt) / everyMs) + 1) * everyMs;
    }
    case "cron": {
      const cron = parseCron(cadence.expression);
      const zone = findZone(cadence.timeZone);
      return cron.ok && zone !== null ? nextCron(cron.value, zone, after) : null;
    }
  }
}

/** Whether an occurrence is to run although it is this late. Missed ones run once or not at all. */
export function isToRun(catchUp: CatchUp, lateMs: number): boolean {
  return catchUp === "runOnce" || lateMs < MISSED_MS;
}

function isInterval(everyMs: number): boolean {
  return Number.isInteger(everyMs) && everyMs >= INTERVAL_MS_MIN && everyMs <= INTERVAL_MS_MAX;
}

/** When a cron runs next. All clock schedules are in UTC and without splay. */
import { Cron } from "croner";
import { z } from "zod";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const minuteUTC = z.int().min(0).max(59).default(0);
const hourUTC = z.int().min(0).max(23);
const schedule = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("interval"),
    seconds: z.number().positive().optional(),
    minutes: z.number().positive().optional(),
    hours: z.number().positive().optional(),
  }),
  z.object({ type: z.literal("hourly"), minuteUTC }),
  z.object({ type: z.literal("daily"), hourUTC, minuteUTC }),
  z.object({ type: z.literal("weekly"), dayOfWeek: z.enum(WEEKDAYS), hourUTC, minuteUTC }),
  z.object({ type: z.literal("monthly"), day: z.int().min(1).max(31), hourUTC, minuteUTC }),
  z.object({ type: z.literal("cron"), cron: z.string() }),
]);
type Schedule = z.output<typeof schedule>;

/** How a schedule goes on: by a period, or by a pattern on the clock. */
export type Timetable = { kind: "period"; periodMs: number } | { kind: "pattern"; cron: Cron };

/** Reads what `crons.export()` gives. Throws with what is wrong. */
export function parseSchedule(raw: unknown): Timetable {
  const parsed = schedule.parse(raw);
  if (parsed.type === "interval") {
    const { seconds = 0, minutes = 0, hours = 0 } = parsed;
    const periodMs = seconds * SECOND_MS + minutes * MINUTE_MS + hours * HOUR_MS;
    if (periodMs < SECOND_MS) throw new RangeError("an interval is at least one second");
    return { kind: "period", periodMs };
  }
  // Five fields only: seconds and years are not part of Convex's cron strings.
  const cron = new Cron(patternOf(parsed), { timezone: "UTC", mode: "5-part", paused: true });
  return { kind: "pattern", cron };
}

function patternOf(clock: Exclude<Schedule, { type: "interval" }>): string {
  switch (clock.type) {
    case "hourly":
      return `${clock.minuteUTC} * * * *`;
    case "daily":
      return `${clock.minuteUTC} ${clock.hourUTC} * * *`;
    case "weekly":
      return `${clock.minuteUTC} ${clock.hourUTC} * * ${WEEKDAYS.indexOf(clock.dayOfWeek)}`;
    case "monthly":
      return `${clock.minuteUTC} ${clock.hourUTC} ${clock.day} * *`;
    case "cron":
      return clock.cron;
  }
}

/** The first run of a new cron: an interval starts at once. Null: a pattern that never comes. */
export function firstRun(timetable: Timetable, nowMs: number): number | null {
  return timetable.kind === "period" ? nowMs : nextOccurrence(timetable.cron, nowMs);
}

/**
 * The run after the one planned for `previousMs`; runs that are already past are skipped. Always
 * later than `previousMs`, also when the clock was set back meanwhile: no slot comes twice.
 */
export function runAfter(
  timetable: Timetable,
  when: { previousMs: number; nowMs: number },
): number | null {
  if (timetable.kind === "pattern") {
    return nextOccurrence(timetable.cron, Math.max(when.previousMs, when.nowMs));
  }
  const { periodMs } = timetable;
  const elapsed = Math.max(0, when.nowMs - when.previousMs);
  return when.previousMs + (Math.floor(elapsed / periodMs) + 1) * periodMs;
}

const nextOccurrence = (cron: Cron, nowMs: number): number | null =>
  cron.nextRun(new Date(nowMs))?.getTime() ?? null;

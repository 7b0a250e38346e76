import {
  AGED_KINDS,
  RETENTION_KINDS,
  type RetentionDays,
  type RetentionKind,
  type RowCounts,
} from "../protocol/retention.js";
import { type Checked, passed, refused } from "./checked.js";

const DAY_MS = 86_400_000;
const DAYS_MAX = 3_650;
/** Reads of a quarter need its days, those of a week its hours, those of an hour its minutes. */
const DAYS_MIN: RetentionDays = {
  ...{
    logs: 1,
    jobs: 1,
    batches: 1,
    operations: 1,
    minutes: 1,
    hours: 8,
    days: 91,
    audit: 30,
    alerts: 1,
    deliveries: 1,
    executors: 1,
  },
};

export const DAYS_DEFAULT: RetentionDays = {
  ...{
    logs: 30,
    jobs: 90,
    batches: 90,
    operations: 90,
    minutes: 7,
    hours: 90,
    days: 1_825,
    audit: 365,
    alerts: 90,
  },
  ...{ deliveries: 30, executors: 90 },
};

/** Checks what an administrator sets: whole days within bounds, and no log outlives its job. */
export function checkDays(days: RetentionDays): Checked<RetentionDays> {
  for (const kind of AGED_KINDS) {
    const [value, min] = [days[kind], DAYS_MIN[kind]];
    if (!Number.isInteger(value) || value < min || value > DAYS_MAX) {
      return refused(`${kind} is ${value}; it must be a whole number from ${min} to ${DAYS_MAX}.`);
    }
  }
  if (days.logs > days.jobs) {
    return refused(
      `logs (${days.logs}) must not be above jobs (${days.jobs}): logs go with their job.`,
    );
  }
  return passed(days);
}

/** What is older than this goes. */
export function cutoff(days: RetentionDays, kind: RetentionKind, now: number): number {
  return kind === "expired" ? now : now - days[kind] * DAY_MS;
}

/** The kind after this one in a run; null after the last. */
export function kindAfter(kind: RetentionKind): RetentionKind | null {
  return RETENTION_KINDS[RETENTION_KINDS.indexOf(kind) + 1] ?? null;
}

/** Adds counts of rows, table by table. */
export function addCounts(a: RowCounts, b: RowCounts): RowCounts {
  const sum = { ...a };
  for (const [table, count] of Object.entries(b)) sum[table] = (sum[table] ?? 0) + count;
  return sum;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Bounds and delays of scheduled functions and crons. */
export const schedulerLimits = {
  /** Scheduled functions that run at the same time; crons have as many places of their own. */
  runningMax: 8,
  /** Finished rows are kept this long, for people to look at. */
  retentionMs: 7 * DAY_MS,
  /** Answers to WebSocket mutations, for clients that lost theirs and send again. */
  answerRetentionMs: DAY_MS,
  retentionEveryMs: HOUR_MS,
  retentionBatch: 1_000,
  /** After a failure that is not the function's doing: doubled each time, from min to max. */
  faultBackoffMinMs: 500,
  faultBackoffMaxMs: 2 * HOUR_MS,
  /** Runs kept for each cron in its log. */
  cronLogRuns: 5,
} as const;

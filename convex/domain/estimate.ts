/**
 * When a job may start, at a guess: each slot ends an attempt about once in the usual time, so the
 * jobs ahead and this one take that many rounds.
 */

/** Fewer ended attempts than this say nothing of what is usual. */
const SAMPLES_MIN = 3;

export type Estimate = { waitMs: number | null; note: string };

/** Guesses from the durations of the attempts that ended last, the room, and the jobs ahead. */
export function estimate(guess: {
  durationsMs: readonly number[];
  /** Slots that fit the job, at most as many as the limit of the queue. */
  room: number;
  ahead: number;
  isAheadMore: boolean;
}): Estimate {
  const { durationsMs, room, ahead, isAheadMore } = guess;
  if (room === 0) return { waitMs: null, note: "No executor could run it now." };
  if (isAheadMore) return { waitMs: null, note: "Too many jobs are ahead to say." };
  if (durationsMs.length < SAMPLES_MIN) {
    return { waitMs: null, note: "Too few attempts have ended to know how long one takes." };
  }
  const usual = median(durationsMs);
  const waitMs = Math.round(((ahead + 1) / room) * usual);
  const count = durationsMs.length;
  return {
    waitMs,
    note: `Half of the last ${count} attempts took ${Math.round(usual / 1_000)} s or less; ${room} slots share the work.`,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

import type { FailureReason } from "../protocol/job.js";
import { INTERRUPTIONS_MAX, PARKS_MAX } from "../protocol/limits.js";

/** What one failure reason means for the job and for its executor. */
export type Policy = {
  /** Whether the job may run again. */
  retryable: boolean;
  /** Whether the attempt counts against attemptsMax; what is neither charged nor parks is an interruption. */
  charged: boolean;
  /** First backoff, doubled with each further failure of the same reason; 0 is at once. */
  baseMs: number;
  /** Longest backoff. */
  capMs: number;
  /** How often this reason may end an attempt before the job fails with it; null is no own cap. */
  occurrencesMax: number | null;
  /** Whether the next attempt goes on from the last checkpoint: not where the conversation is at fault. */
  resumes: boolean;
  /** Whether the executor gets no more work until it registers again or is resumed. */
  isExecutorUnhealthy: boolean;
  /**
   * A limit that is nobody's fault ended the attempt: neither charged nor an interruption. The job goes
   * on where a credential and the budgets let it, and else waits; only occurrencesMax bounds it.
   */
  parks: boolean;
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const final: Policy = {
  retryable: false,
  charged: true,
  baseMs: 0,
  capMs: 0,
  occurrencesMax: null,
  resumes: true,
  isExecutorUnhealthy: false,
  parks: false,
};
/** The conversation itself led there: the next attempt begins anew. */
const anew = (policy: Policy): Policy => ({ ...policy, resumes: false });
const again = (baseMs: number, capMs: number, occurrencesMax: number | null): Policy => ({
  ...final,
  retryable: true,
  baseMs,
  capMs,
  occurrencesMax,
});
/** Not the job's fault: back to the queue at once. */
const free: Policy = { ...final, retryable: true, charged: false };
/** The executor's fault: elsewhere, at once. */
const elsewhere: Policy = { ...free, isExecutorUnhealthy: true };

/** One row for each reason; nothing else decides. */
export const POLICIES: Record<FailureReason, Policy> = {
  repositoryNotFound: final,
  refNotFound: final,
  cloneDenied: final,
  cloneFailed: again(2 * SECOND, 30 * SECOND, 3),
  diskFull: elsewhere,
  cliAuth: elsewhere,
  cliMissing: elsewhere,
  usageLimit: { ...free, parks: true, occurrencesMax: PARKS_MAX },
  apiError: again(5 * SECOND, 5 * MINUTE, 6),
  apiRejected: final,
  cliKilled: again(SECOND, 30 * SECOND, 2),
  stalled: again(SECOND, 30 * SECOND, 2),
  cliError: anew(again(5 * SECOND, MINUTE, null)),
  timedOut: again(5 * SECOND, MINUTE, 2),
  maxTurns: final,
  maxBudget: final,
  budget: { ...free, parks: true, occurrencesMax: PARKS_MAX },
  noResult: anew(again(5 * SECOND, MINUTE, 2)),
  noStructuredOutput: anew(again(5 * SECOND, MINUTE, 2)),
  outputTooLarge: final,
  workspaceTooLarge: final,
  // A job that takes its machine down with it must not take them all.
  leaseExpired: { ...free, occurrencesMax: 5 },
  notStarted: free,
  shutdown: free,
  superseded: free,
  revoked: free,
  requeued: free,
  tooManyInterruptions: final,
  internal: anew(again(5 * SECOND, MINUTE, 3)),
};

/** What is known of a job when an attempt ends, that attempt included. */
export type Ended = {
  reason: FailureReason;
  charged: number;
  interruptions: number;
  /** How often this reason has ended an attempt. */
  occurrences: number;
  attemptsMax: number;
  /** Its attempts have spent all that the job may. */
  isSpent: boolean;
  /** Randomness passed in: from 0 up to, not including, 1. */
  jitter: number;
};

export type Decision =
  | { kind: "pending" }
  | { kind: "backoff"; delayMs: number; reason: FailureReason }
  | { kind: "failed"; reason: FailureReason };

/** Whether a job whose attempt did not succeed runs again, and after how long. */
export function decide(ended: Ended): Decision {
  const policy = POLICIES[ended.reason];
  if (!policy.retryable) return { kind: "failed", reason: ended.reason };
  if (ended.isSpent) return { kind: "failed", reason: "maxBudget" };
  if (policy.occurrencesMax !== null && ended.occurrences >= policy.occurrencesMax) {
    return { kind: "failed", reason: ended.reason };
  }
  if (policy.charged && ended.charged >= ended.attemptsMax) {
    return { kind: "failed", reason: ended.reason };
  }
  if (!policy.parks && ended.interruptions >= INTERRUPTIONS_MAX) {
    return { kind: "failed", reason: "tooManyInterruptions" };
  }
  const delayMs = backoffMs(policy, ended);
  return delayMs === 0 ? { kind: "pending" } : { kind: "backoff", delayMs, reason: ended.reason };
}

/** Exponential with equal jitter: at least half of the step, so that a retry is never at once. */
function backoffMs(policy: Policy, ended: Ended): number {
  const step = Math.min(policy.capMs, policy.baseMs * 2 ** Math.max(0, ended.occurrences - 1));
  return Math.round(step / 2 + (step / 2) * ended.jitter);
}

/** The counts with one more of a reason; at most one item a reason. */
export function count(
  failures: readonly { reason: FailureReason; count: number }[],
  reason: FailureReason,
): { failures: { reason: FailureReason; count: number }[]; occurrences: number } {
  const before = failures.find((f) => f.reason === reason)?.count ?? 0;
  const others = failures.filter((f) => f.reason !== reason);
  return { failures: [...others, { reason, count: before + 1 }], occurrences: before + 1 };
}

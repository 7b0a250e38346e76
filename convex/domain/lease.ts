import {
  CANCEL_DEADLINE_MS,
  LEASE_MS_MAX,
  LEASE_MS_MIN,
  LEASE_TRUST_SHARE,
  START_DEADLINE_MS,
  TIMEOUT_GRACE_MS,
  TIMEOUT_MS_DEFAULT,
} from "../protocol/limits.js";

/** When a lease granted or renewed now runs out. */
export function expiresAt(now: number, leaseMs: number): number {
  return now + leaseMs;
}

export function isExpired(expiry: number, now: number): boolean {
  return expiry <= now;
}

/** The executor's own, earlier end of a lease that was acknowledged at this time of its clock. */
export function trustDeadline(acknowledgedAt: number, leaseMs: number): number {
  return acknowledgedAt + Math.floor(leaseMs * LEASE_TRUST_SHARE);
}

/** Whether an executor may ask for leases of this length. */
export function isLeaseMs(leaseMs: number): boolean {
  return Number.isInteger(leaseMs) && leaseMs >= LEASE_MS_MIN && leaseMs <= LEASE_MS_MAX;
}

/** By when an assignment must be started. */
export function startDeadline(now: number): number {
  return now + START_DEADLINE_MS;
}

/**
 * Whether the timer must be armed for the start deadline of an assignment made now. Armed for the end
 * of the executor's lease it is already, and when it fires it looks at all deadlines.
 */
export function isBeyondLease(leaseMs: number): boolean {
  return leaseMs > START_DEADLINE_MS;
}

/** When the backend itself ends an attempt that started now; its executor does so a grace earlier. */
export function attemptDeadline(now: number, timeoutMs: number | undefined): number {
  return now + (timeoutMs ?? TIMEOUT_MS_DEFAULT) + TIMEOUT_GRACE_MS;
}

/** By when an attempt asked to cancel must have ended: never later than it had to end anyway. */
export function cancelDeadline(now: number, deadlineAt: number | undefined): number {
  return Math.min(now + CANCEL_DEADLINE_MS, deadlineAt ?? Infinity);
}

import type { Directive, HeartbeatReply, HeldAttempt } from "../convex/protocol/executor.js";
import { LEASE_TRUST_SHARE } from "../convex/protocol/limits.js";
import type { Cancel, Clock } from "./clock.js";
import type { Logger } from "./logger.js";

/** Keeps this executor's leases and knows, without asking anyone, until when it may trust them. */
export interface Lease {
  /** False from the trust deadline until a heartbeat is acknowledged again. */
  isTrusted(): boolean;
  /** Milliseconds since the last acknowledged heartbeat was sent. */
  sinceAcknowledgedMs(): number;
  stop(): void;
}

type LeaseOptions = {
  clock: Clock;
  logger: Logger;
  /** How long the backend grants a lease, from the answer to `register`. */
  leaseMs: number;
  heartbeatMs: number;
  /** When the call that granted the lease was sent, by the monotonic clock. */
  grantedAt: number;
  held: () => HeldAttempt[];
  send: (held: HeldAttempt[]) => Promise<HeartbeatReply>;
  onDirective: (attempt: HeldAttempt, directive: Directive) => void;
  onDrain: (drain: boolean) => void;
  /** The trust deadline has passed: every process tree has to be dead before the lease ends. */
  onLost: () => void;
};

/** After a failed heartbeat the next one comes sooner: this share of the interval. */
const RETRY_SHARE = 0.25;

/**
 * One loop for the whole executor, one heartbeat in flight at a time. Trust counts from the moment
 * a heartbeat was sent, not answered: the backend may have acted on it at any time in between.
 */
export function keepLease(options: LeaseOptions): Lease {
  const { clock, logger } = options;
  let leaseMs = options.leaseMs;
  let acknowledgedAt = options.grantedAt;
  let isTrusted = true;
  let isStopped = false;
  let cancelBeat: Cancel = () => undefined;
  let cancelDeadline: Cancel = () => undefined;

  const armDeadline = (): void => {
    cancelDeadline();
    const trustMs = leaseMs * LEASE_TRUST_SHARE;
    const left = acknowledgedAt + trustMs - clock.monotonic();
    cancelDeadline = clock.after(Math.max(0, left), () => {
      if (isStopped || !isTrusted) return;
      isTrusted = false;
      logger.error("leaseLost", { trustMs });
      options.onLost();
    });
  };
  const acknowledge = (sentAt: number, reply: HeartbeatReply, held: HeldAttempt[]): void => {
    leaseMs = reply.leaseMs;
    acknowledgedAt = sentAt;
    const trustedUntil = sentAt + leaseMs * LEASE_TRUST_SHARE;
    if (clock.monotonic() < trustedUntil) isTrusted = true;
    armDeadline();
    options.onDrain(reply.drain);
    for (const [index, attempt] of held.entries()) {
      const directive = reply.directives[index];
      if (directive !== undefined) options.onDirective(attempt, directive);
    }
  };
  const beat = async (): Promise<void> => {
    const held = options.held();
    const sentAt = clock.monotonic();
    let waitMs = options.heartbeatMs;
    try {
      const reply = await options.send(held);
      if (isStopped) return;
      acknowledge(sentAt, reply, held);
      waitMs = Math.max(0, sentAt + waitMs - clock.monotonic());
    } catch (error) {
      waitMs *= RETRY_SHARE;
      logger.warn("heartbeatFailed", { why: String(error) });
    }
    if (!isStopped) schedule(waitMs);
  };
  const schedule = (ms: number): void => {
    cancelBeat = clock.after(ms, () => void beat());
  };

  armDeadline();
  schedule(options.heartbeatMs);
  return {
    isTrusted: () => isTrusted,
    sinceAcknowledgedMs: () => clock.monotonic() - acknowledgedAt,
    stop: () => {
      isStopped = true;
      cancelBeat();
      cancelDeadline();
    },
  };
}

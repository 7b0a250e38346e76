import type { Disk } from "../protocol/alerts.js";
import type { LeaseHolder, PublicJwk, Registration } from "../protocol/executor.js";
import {
  EXECUTOR_NAME_CHARS_MAX,
  LEASE_MS_MAX,
  LEASE_MS_MIN,
  SLOTS_MAX,
  VERSION_CHARS_MAX,
} from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { checkLabels } from "./labels.js";
import { isLeaseMs } from "./lease.js";

/** Checks the name an executor gives itself, or the label a person gives it. */
export function checkName(name: string): Checked<string> {
  if (name.length <= EXECUTOR_NAME_CHARS_MAX && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    return passed(name);
  }
  return refused(
    `The name ${quote(name)} is not 1 to ${EXECUTOR_NAME_CHARS_MAX} letters, digits, '.', '_' and '-' ` +
      "with a letter or digit first.",
  );
}

/** Whether this is the public half of an Ed25519 key: 32 bytes, 43 characters of base64url. */
export function isPublicJwk(jwk: PublicJwk): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(jwk.x);
}

/** A disk as an executor reported it; left out when it is none: a heartbeat is never refused for it. */
export function readableDisk(disk: Disk | undefined): Disk | undefined {
  if (disk === undefined) return undefined;
  const { freeBytes, totalBytes } = disk;
  const isDisk = freeBytes >= 0 && totalBytes > 0 && freeBytes <= totalBytes;
  return isDisk && Number.isFinite(totalBytes) ? disk : undefined;
}

/** Checks what an executor says of itself. */
export function checkRegistration(registration: Registration): Checked<Registration> {
  const { slots, leaseMs, version, cliVersion, labels } = registration;
  if (!Number.isInteger(slots) || slots < 1 || slots > SLOTS_MAX) {
    return refused(`slots is ${slots}; it must be a whole number from 1 to ${SLOTS_MAX}.`);
  }
  if (!isLeaseMs(leaseMs)) {
    return refused(
      `leaseMs is ${leaseMs}; it must be a whole number from ${LEASE_MS_MIN} to ${LEASE_MS_MAX}.`,
    );
  }
  if (version.length > VERSION_CHARS_MAX || cliVersion.length > VERSION_CHARS_MAX) {
    return refused(`A version is longer than ${VERSION_CHARS_MAX} characters.`);
  }
  const checked = checkLabels(labels);
  return checked.ok ? passed({ ...registration, labels: checked.value }) : checked;
}

/** What of an executor's row its lease repeats, so that a heartbeat reads the lease alone. */
export function holderOf(executor: {
  boot?: string | undefined;
  epoch: number;
  leaseMs: number;
  draining: boolean;
  rotationRequestedAt?: number | undefined;
}): LeaseHolder {
  const { boot = "", epoch, leaseMs, draining, rotationRequestedAt } = executor;
  return { boot, epoch, leaseMs, draining, isRotationDue: rotationRequestedAt !== undefined };
}

/** Whether a lease knows its executor as it is. */
export function isSameHolder(a: LeaseHolder, b: LeaseHolder): boolean {
  return (
    a.boot === b.boot &&
    a.epoch === b.epoch &&
    a.leaseMs === b.leaseMs &&
    a.draining === b.draining &&
    a.isRotationDue === b.isRotationDue
  );
}

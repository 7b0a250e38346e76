import { expect, test } from "vitest";
import {
  attemptDeadline,
  cancelDeadline,
  expiresAt,
  isExpired,
  isLeaseMs,
  startDeadline,
  trustDeadline,
} from "../../convex/domain/lease.js";
import { START_DEADLINE_MS } from "../../convex/protocol/limits.js";

test("a lease holds until its end and not at it", () => {
  const end = expiresAt(1_000, 30_000);
  expect(end).toBe(31_000);
  expect(isExpired(end, 30_999)).toBe(false);
  expect(isExpired(end, 31_000)).toBe(true);
});

test("an executor stops trusting its lease before the backend takes it back", () => {
  expect(trustDeadline(1_000, 30_000)).toBe(25_000);
});

test.each([
  [1_999, false],
  [2_000, true],
  [900_000, true],
  [900_001, false],
  [2_000.5, false],
  [NaN, false],
])("a lease of %d ms may be asked for: %s", (leaseMs, is) => {
  expect(isLeaseMs(leaseMs)).toBe(is);
});

test("deadlines of an attempt: to start, to end, to heed a cancel", () => {
  expect(startDeadline(0)).toBe(START_DEADLINE_MS);
  expect(attemptDeadline(0, 60_000)).toBe(90_000);
  expect(attemptDeadline(0, undefined)).toBe(30 * 60_000 + 30_000);
  expect(cancelDeadline(0, 90_000)).toBe(20_000);
  expect(cancelDeadline(80_000, 90_000)).toBe(90_000);
  expect(cancelDeadline(0, undefined)).toBe(20_000);
});

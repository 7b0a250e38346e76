import { expect, test } from "vitest";
import * as L from "../../convex/protocol/limits.js";

const DOCUMENT_BYTES_MAX = 1024 * 1024;
/** The most bytes one UTF-16 code unit takes in UTF-8. */
const BYTES_PER_CHAR = 3;

test("each document with text in it stays within a document's size", () => {
  const attempt = L.RESULT_CHARS_MAX + L.PATCH_CHARS_MAX + L.MESSAGE_CHARS_MAX;
  expect(attempt * BYTES_PER_CHAR).toBeLessThan(DOCUMENT_BYTES_MAX);
  expect(L.PROMPT_CHARS_MAX * BYTES_PER_CHAR).toBeLessThan(DOCUMENT_BYTES_MAX);
  const tail = L.LOG_TAIL_CHARS_MAX + L.LOG_ENTRY_CHARS_MAX;
  expect(tail * BYTES_PER_CHAR).toBeLessThan(DOCUMENT_BYTES_MAX / 4);
});

test("a tail never holds as many entries as an array may", () => {
  expect(L.LOG_TAIL_CHARS_MAX / L.LOG_ENTRY_OVERHEAD_CHARS).toBeLessThan(8_192);
});

test("an append can carry its longest entry", () => {
  expect(L.LOG_ENTRY_CHARS_MAX).toBeLessThanOrEqual(L.LOG_APPEND_CHARS_MAX);
});

test("a lease outlives two missed heartbeats, and trust ends between a heartbeat and the lease", () => {
  expect(L.LEASE_MS_DEFAULT).toBeGreaterThanOrEqual(3 * L.HEARTBEAT_MS_DEFAULT);
  expect(L.START_DEADLINE_MS).toBeGreaterThanOrEqual(L.LEASE_MS_DEFAULT);
  expect(L.LEASE_MS_DEFAULT * L.LEASE_TRUST_SHARE).toBeGreaterThan(2 * L.HEARTBEAT_MS_DEFAULT);
  expect(L.LEASE_TRUST_SHARE).toBeLessThan(1);
  expect(L.LEASE_MS_MIN).toBeLessThan(L.LEASE_MS_DEFAULT);
  expect(L.LEASE_MS_DEFAULT).toBeLessThan(L.LEASE_MS_MAX);
});

test("a default lies within its bounds", () => {
  expect(L.TIMEOUT_MS_MIN).toBeLessThan(L.TIMEOUT_MS_DEFAULT);
  expect(L.TIMEOUT_MS_DEFAULT).toBeLessThan(L.TIMEOUT_MS_MAX);
  expect(L.ATTEMPTS_DEFAULT).toBeLessThanOrEqual(L.ATTEMPTS_MAX);
  expect(L.PRIORITY_DEFAULT).toBeLessThanOrEqual(L.PRIORITY_MAX);
  expect(L.PASSWORD_CHARS_MIN).toBeLessThan(L.PASSWORD_CHARS_MAX);
});

test("access tokens outlive assertions and are outlived by sessions", () => {
  expect(L.ASSERTION_MS_MAX).toBeLessThan(L.ACCESS_TOKEN_MS);
  expect(L.ACCESS_TOKEN_MS).toBeLessThan(L.SESSION_MS);
});

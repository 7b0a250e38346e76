import { ASSERTION_MS_MAX, CLOCK_SKEW_MS } from "../protocol/limits.js";

/** What an executor's assertion says, once it was found good. Times in ms. */
export type Assertion = { jti: string; boot: string; bootAt: number; expiresAt: number };

function isText(value: unknown, [min, max]: [number, number]): value is string {
  return typeof value === "string" && value.length >= min && value.length <= max;
}

/**
 * Reads the claims of an assertion whose signature is good; null when they are not those of an
 * assertion by this executor, for now, for at most ASSERTION_MS_MAX.
 */
export function readAssertion(
  claims: Record<string, unknown>,
  expected: { executorId: string; audience: string; now: number },
): Assertion | null {
  const { iss, sub, aud, iat, exp, jti, boot, bootAt } = claims;
  const { executorId, audience, now } = expected;
  if (iss !== executorId || sub !== executorId || aud !== audience) return null;
  if (!isText(jti, [16, 64]) || !isText(boot, [1, 64])) return null;
  if (typeof iat !== "number" || typeof exp !== "number" || typeof bootAt !== "number") return null;
  const expiresAt = exp * 1000;
  if (!isForNow({ issuedAt: iat * 1000, expiresAt }, now)) return null;
  // A start in the future would lock every later process out.
  if (!Number.isFinite(bootAt) || bootAt < 0 || bootAt > now + CLOCK_SKEW_MS) return null;
  return { jti, boot, bootAt, expiresAt };
}

/** Whether an assertion of this life is good now, and its life is short enough. */
function isForNow(life: { issuedAt: number; expiresAt: number }, now: number): boolean {
  const { issuedAt, expiresAt } = life;
  const isShort = expiresAt > issuedAt && expiresAt - issuedAt <= ASSERTION_MS_MAX;
  return isShort && issuedAt <= now + CLOCK_SKEW_MS && expiresAt > now - CLOCK_SKEW_MS;
}

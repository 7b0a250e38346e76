/** One-time codes of RFC 6238 as authenticator apps make them: SHA-1, six digits, 30 seconds. */
import { Secret, TOTP } from "otpauth/slim";

const PERIOD_S = 30;
const SECRET_BYTES = 20;
/** Steps before and after the present one whose codes are taken: clocks differ. */
const WINDOW = 1;
const ISSUER = "Fondation";

/** A new seed, in base32, from the generator that mutations have too. */
export function makeSeed(): string {
  const { buffer } = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return new Secret({ buffer }).base32;
}

/** What an authenticator app reads from a QR code. */
export function toUri(seed: string, username: string): string {
  return generator(seed, username).toString();
}

/** The time step whose code this is; null when it is none of those that are good now. */
export function findStep(seed: string, code: string, nowMs: number): number | null {
  if (!/^[0-9]{6}$/.test(code)) return null;
  const delta = generator(seed).validate({ token: code, timestamp: nowMs, window: WINDOW });
  return delta === null ? null : Math.floor(nowMs / 1000 / PERIOD_S) + delta;
}

function generator(seed: string, label = ""): TOTP {
  const secret = Secret.fromBase32(seed);
  return new TOTP({
    issuer: ISSUER,
    label,
    algorithm: "SHA1",
    digits: 6,
    period: PERIOD_S,
    secret,
  });
}

/** Codes that stand in for a lost authenticator: 80 bits in base32, `XXXX-XXXX-XXXX-XXXX`. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const CHARS = 16;

export function makeRecoveryCode(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(CHARS));
  // 256 is a multiple of 32: each letter is as likely as another.
  const letters = Array.from(bytes, (byte) => ALPHABET.charAt(byte % ALPHABET.length)).join("");
  return letters.replace(/(.{4})(?=.)/g, "$1-");
}

/** The form that is hashed: however somebody typed it. */
export function normalizeRecoveryCode(typed: string): string {
  return typed.toUpperCase().replace(/[^A-Z2-7]/g, "");
}

import { Secret, TOTP } from "otpauth/slim";
import { describe, expect, test } from "vitest";
import { findStep, makeSeed, toUri } from "../../convex/lib/totp.js";

/** The SHA-1 seed of RFC 6238, appendix B. */
const seed = Secret.fromUTF8("12345678901234567890").base32;

describe("codes of RFC 6238, appendix B, cut to six digits", () => {
  test.each([
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
    [20000000000, "353130"],
  ])("at %i s → %s", (seconds, code) => {
    expect(findStep(seed, code, seconds * 1000)).toBe(Math.floor(seconds / 30));
  });
});

const at = 1_700_000_010_000;
const step = Math.floor(at / 30_000);
const codeAt = (steps: number) =>
  new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: at + steps * 30_000 });

test.each([
  [-2, null],
  [-1, step - 1],
  [0, step],
  [1, step + 1],
  [2, null],
])("a code %i steps away → step %s", (away, expected) => {
  expect(findStep(seed, codeAt(away), at)).toBe(expected);
});

test.each(["", "12345", "1234567", "12345a", " 87082", "２８７０８２", "-12345", "287082\n"])(
  "%j is no code",
  (text) => {
    expect(findStep(seed, text, 59_000)).toBeNull();
  },
);

test("a new seed has 160 bits, and apps can read it", () => {
  const made = makeSeed();
  expect(made).toMatch(/^[A-Z2-7]{32}$/);
  expect(makeSeed()).not.toBe(made);
  const uri = toUri(made, "ada");
  expect(uri).toMatch(/^otpauth:\/\/totp\/Fondation:ada\?/);
  expect(new URL(uri).searchParams.get("secret")).toBe(made);
});

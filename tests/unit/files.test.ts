import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkPatterns } from "../../convex/domain/artifact.js";
import { isSameDigest } from "../../convex/domain/digest.js";
import { ARTIFACT_PATTERNS_MAX } from "../../convex/protocol/limits.js";

test("a digest is the same in hex and in base64, and no other", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array({ minLength: 1 }), (content, more) => {
      const digest = createHash("sha256").update(content).digest();
      const other = createHash("sha256").update(content).update(more).digest();
      const hex = digest.toString("hex");
      for (const form of ["hex", "base64"] as const) {
        expect(isSameDigest(digest.toString(form), hex)).toBe(true);
        expect(isSameDigest(other.toString(form), hex)).toBe(false);
      }
    }),
  );
});

test("more patterns than a job may have → refused; the same one twice is one", () => {
  expect(checkPatterns(["a", "a"])).toEqual({ ok: true, value: ["a"] });
  const many = Array.from({ length: ARTIFACT_PATTERNS_MAX + 1 }, (_, i) => `a${String(i)}`);
  expect(checkPatterns(many).ok).toBe(false);
});

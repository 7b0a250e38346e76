import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as Box from "../../convex/lib/box.js";
import { toBase64Url } from "../../convex/lib/crypto.js";
import { SECRET_CHARS_MAX } from "../../convex/protocol/limits.js";

const key = (byte: number) => toBase64Url(new Uint8Array(32).fill(byte));
const setRing = (keys: string, current: string) => {
  vi.stubEnv("SECRETS_KEYS", keys);
  vi.stubEnv("SECRETS_CURRENT", current);
};
beforeEach(() => {
  setRing(`a:${key(1)},b:${key(2)}`, "a");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const here = { table: "secrets", owner: "github:octo/hello" };
const messageOf = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "no error",
    (error: unknown) => (error instanceof Box.BoxError ? error.message : `other: ${String(error)}`),
  );

test("what was sealed opens in its place, whatever it is", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 300 }), async (plain) => {
      expect(await Box.open(await Box.seal(plain, here), here)).toBe(plain);
    }),
  );
});

test("the largest secret of the widest characters fits into a box that opens", async () => {
  const plain = "\u{1F512}".repeat(SECRET_CHARS_MAX / 2);
  expect(await Box.open(await Box.seal(plain, here), here)).toBe(plain);
  expect(await messageOf(Box.seal(`${plain}x`, here))).toMatch(/at most 8192/);
});

test("sealed twice → two boxes, each of version, key name, 12 bytes of IV and ciphertext", async () => {
  const one = await Box.seal("same", here);
  const two = await Box.seal("same", here);
  expect(one).toMatch(/^v1\.a\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
  expect(two).not.toBe(one);
});

describe("28: a box does not open", () => {
  test.each([
    ["in another row", { table: "secrets", owner: "github:octo/other" }],
    ["in another table", { table: "credentials", owner: "github:octo/hello" }],
  ])("%s", async (_, place) => {
    expect(await messageOf(Box.open(await Box.seal("s3cret", here), place))).toMatch(
      /does not open/,
    );
  });

  test("with any one bit of it flipped", async () => {
    const box = await Box.seal("s3cret-value", here);
    const [version, kid, iv, sealed] = box.split(".");
    const flip = (part: string, bit: number) => {
      const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (c) =>
        c.charCodeAt(0),
      );
      const at = (bit >> 3) % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      return toBase64Url(bytes);
    };
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 223 }), fc.boolean(), async (bit, inIv) => {
        const changed = inIv
          ? [version, kid, flip(iv ?? "", bit), sealed]
          : [version, kid, iv, flip(sealed ?? "", bit)];
        expect(await messageOf(Box.open(changed.join("."), here))).toMatch(/does not open/);
      }),
    );
  });

  test("with a key of the same name but other bytes", async () => {
    const box = await Box.seal("s3cret", here);
    setRing(`a:${key(9)}`, "a");
    expect(await messageOf(Box.open(box, here))).toMatch(/does not open/);
  });

  test("of a key that is not in the ring, and says which", async () => {
    const box = await Box.seal("s3cret", here);
    setRing(`b:${key(2)}`, "b");
    expect(await messageOf(Box.open(box, here))).toMatch(/the key "a", which SECRETS_KEYS has not/);
  });

  test.each([
    "",
    "v1",
    "v2.a.AAAAAAAAAAAAAAAA.AAAA",
    "v1.a.AA.AA",
    "x".repeat(60_000),
    "v1.a.b.c.d",
  ])("of another form: %.20s", async (box) => {
    expect(await messageOf(Box.open(box, here))).toMatch(/not of the form/);
  });
});

test("another current key seals what is new and opens what is old", async () => {
  const old = await Box.seal("s3cret", here);
  setRing(`a:${key(1)},b:${key(2)}`, "b");
  expect(Box.isCurrent(old)).toBe(false);
  const plain = await Box.open(old, here);
  const again = await Box.seal(plain, here);
  expect(Box.isCurrent(again)).toBe(true);
  setRing(`b:${key(2)}`, "b");
  expect(await Box.open(again, here)).toBe("s3cret");
});

test.each([
  ["a key too short", `a:${toBase64Url(new Uint8Array(16))}`, "a", /Item 1 of SECRETS_KEYS/],
  ["a key without a name", `a:${key(1)},${key(2)}`, "a", /Item 2 of SECRETS_KEYS/],
  ["a name twice", `a:${key(1)},a:${key(2)}`, "a", /Item 2 of SECRETS_KEYS/],
  ["a current key that is not there", `a:${key(1)}`, "z", /"z", which SECRETS_KEYS has not/],
  [
    "too many keys",
    Array.from({ length: 17 }, (_, i) => `k${i}:${key(i)}`).join(","),
    "k1",
    /more than 16 keys/,
  ],
])("a ring with %s is refused, and no key is told", async (...[, keys, current, message]) => {
  setRing(keys, current);
  const said = await messageOf(Box.seal("s3cret", here));
  expect(said).toMatch(message);
  for (const item of keys.split(",")) expect(said).not.toContain(item.split(":").at(-1));
});

import fc from "fast-check";
import { compareValues, type Value } from "convex/values";
import { expect, test } from "vitest";
import { encodeKey, prefixEnd } from "../../embedded/index/keys.js";
import { rangeInterval } from "../../embedded/index/range.js";
import { encodeId, newId, tableNumberOf } from "../../embedded/values/ids.js";

const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,3}$/);
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 6 }),
  fc.constantFrom("", "\0", "a\0", "a\0b", "a"),
);
const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.constantFrom(0, -0, Infinity, -Infinity, 1, -1),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  text,
  fc.uint8Array({ maxLength: 5 }).map((bytes) => bytes.slice().buffer),
);
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(name, tie("value"), { maxKeys: 3 }).map((object) => ({ ...object })),
  ),
}));
const orUndefined = fc.oneof(fc.constant(undefined), value);
const sign = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

test("the order of keys is the order of values", () => {
  fc.assert(
    fc.property(orUndefined, orUndefined, (a, b) => {
      expect(sign(encodeKey(a), encodeKey(b))).toBe(Math.sign(compareValues(a, b)));
    }),
    { numRuns: 2_000 },
  );
});

test("a range over a compound index holds exactly the rows that satisfy its bounds", () => {
  const index = { table: "t", name: "by_a_b", fields: ["a", "b"] };
  const type = fc.constantFrom("Gt", "Gte", "Lt", "Lte");
  const small = fc.constantFrom<Value | undefined>(
    undefined,
    null,
    0,
    1,
    2,
    "",
    "a",
    "a\0",
    "b",
    [],
    [1],
  );
  fc.assert(
    fc.property(
      fc.record({ a: small, b: small, equal: small, bound: small, kind: type }),
      ({ a, b, equal, bound, kind }) => {
        const { lo, hi } = rangeInterval(index, [
          { type: "Eq", fieldPath: "a", value: equal },
          { type: kind, fieldPath: "b", value: bound },
        ]);
        const key = encodeKey(a) + encodeKey(b) + encodeKey("id");
        const compared = compareValues(b, bound);
        const isWithin = {
          Gt: compared > 0,
          Gte: compared >= 0,
          Lt: compared < 0,
          Lte: compared <= 0,
        };
        const isWanted = compareValues(a, equal) === 0 && isWithin[kind];
        expect(lo <= key && (hi === null || key < hi)).toBe(isWanted);
      },
    ),
    { numRuns: 3_000 },
  );
});

test("a prefix ends before the next value begins", () => {
  fc.assert(
    fc.property(text, text, value, (a, b, rest) => {
      const isLater = sign(encodeKey(b) + encodeKey(rest), prefixEnd(encodeKey(a))) > 0;
      expect(isLater).toBe(compareValues(b, a) > 0);
    }),
  );
});

test.each([
  [[], [{ type: "Eq", fieldPath: "z", value: 1 }], /has no field "z"/],
  [[], [{ type: "Eq", fieldPath: "b", value: 1 }], /in the order of the index/],
  [
    [],
    [
      { type: "Gt", fieldPath: "a", value: 1 },
      { type: "Lt", fieldPath: "b", value: 1 },
    ],
    /same field/,
  ],
  [
    [],
    [
      { type: "Gt", fieldPath: "a", value: 1 },
      { type: "Gte", fieldPath: "a", value: 1 },
    ],
    /two bounds/,
  ],
] as const)("a range that no index can answer is refused %#", (_none, bounds, message) => {
  const index = { table: "t", name: "i", fields: ["a", "b"] };
  expect(() => rangeInterval(index, bounds)).toThrow(message);
});

test("an id tells its table and notices any changed character", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.nat(), fc.nat(30), (table, at, shift) => {
      const id = newId(table);
      expect(tableNumberOf(id)).toBe(table);
      const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
      const place = at % id.length;
      const letter = alphabet[(alphabet.indexOf(id[place] ?? "") + 1 + shift) % 32] ?? "";
      expect(tableNumberOf(id.slice(0, place) + letter + id.slice(place + 1))).toBeNull();
    }),
  );
});

test("the layout of ids is the one real deployments use", () => {
  const id = "jd7f2yq3tcc5h4ce9qhqdk0ach6hbmyb";
  expect(tableNumberOf(id)).toBe(10_003);
  expect(encodeId(10_003, new Uint8Array(16))).toHaveLength(id.length);
  expect(tableNumberOf("")).toBeNull();
  expect(tableNumberOf("not-an-id")).toBeNull();
});

/** Schemas, documents, questions and changes, so chosen that they meet. */
import type { Value } from "convex/values";
import fc from "fast-check";
import { at, type Bound, type Documents, type ModelDoc, type Query } from "./fireModel.js";

// Few distinct values, so that they meet; of every type and with every edge.
const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(null, true, false, 0, -0, 1, -1.5, NaN, Infinity, -Infinity, 2 ** 53),
  fc.constantFrom<Value>(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.constantFrom<Value>("", "a", "a\0", "a\0b", "ab", "é", "😀", "\uffff"),
  fc.constantFrom([], [0], [0, 255], [0, 0]).map((bytes) => new Uint8Array(bytes).buffer),
  fc.double(),
  fc.string({ unit: "grapheme", maxLength: 3 }),
);
const field = fc.constantFrom("a", "b", "c");
export const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 2 }) },
  { weight: 2, arbitrary: fc.dictionary(field, scalar, { maxKeys: 2, noNullPrototype: true }) },
);
export const fields = fc.dictionary(field, value, { maxKeys: 3, noNullPrototype: true });
export const path = fc.constantFrom("a", "b", "c", "a.b", "b.c", "a.a");
export const schema = fc.array(fc.uniqueArray(path, { minLength: 1, maxLength: 3 }), {
  maxLength: 3,
});

export type Indexes = ReadonlyMap<string, readonly string[]>;
export const indexesOf = (lists: string[][]): Indexes =>
  new Map<string, readonly string[]>([
    ["by_creation_time", []],
    ...lists.map((list, n): [string, string[]] => [`by_${n}`, list]),
  ]);

/** What to ask, with places in an index and among the documents still to be resolved. */
export const asked = fc.record({
  index: fc.nat(),
  equal: fc.constantFrom(0, 0, 0, 1, 2, 3),
  lower: fc.constantFrom(null, null, "Gt" as const, "Gte" as const),
  upper: fc.constantFrom(null, null, "Lt" as const, "Lte" as const),
  /** A document whose values are used, or values from nowhere. */
  from: fc.nat(),
  values: fc.tuple(value, value),
  isFromDocument: fc.boolean(),
  order: fc.constantFrom("asc" as const, "desc" as const),
  limit: fc.constantFrom(1, 2, 5, 1_000, 1_000),
});
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

export function toQuery(ask: Asked, indexes: Indexes, documents: Documents): Query {
  const names = [...indexes.keys()];
  const index = names[ask.index % names.length] ?? "by_creation_time";
  const paths = [...(indexes.get(index) ?? []), "_creationTime"];
  const all = [...documents.values()];
  const like = ask.isFromDocument ? all[ask.from % Math.max(1, all.length)] : undefined;
  const other = all[(ask.from + 1) % Math.max(1, all.length)];
  const pick = (fieldPath: string, doc: ModelDoc | undefined, otherwise: Value) =>
    doc === undefined ? otherwise : at(doc, fieldPath);
  const equal = Math.min(ask.equal, paths.length);
  const range: Bound[] = paths.slice(0, equal).map((fieldPath) => ({
    type: "Eq",
    fieldPath,
    value: pick(fieldPath, like, ask.values[0]),
  }));
  const next = paths[equal];
  if (next !== undefined) {
    const [low, high] = ask.values;
    if (ask.lower !== null) {
      range.push({ type: ask.lower, fieldPath: next, value: pick(next, like, low) });
    }
    if (ask.upper !== null) {
      range.push({ type: ask.upper, fieldPath: next, value: pick(next, other, high) });
    }
  }
  return { index, range, order: ask.order, limit: ask.limit };
}

export type Step =
  | { op: "insert"; fields: Record<string, Value> }
  | { op: "patch"; at: number; field: string; value: Value | undefined }
  | { op: "replace"; at: number; fields: Record<string, Value> }
  | { op: "remove"; at: number }
  | { op: "ask"; ask: Asked }
  | { op: "nested"; steps: Step[]; isFailing: boolean };

export const simple: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant("insert" as const), fields }) },
  fc.record({
    op: fc.constant("patch" as const),
    at: fc.nat(),
    field,
    value: fc.option(value, { nil: undefined }),
  }),
  fc.record({ op: fc.constant("replace" as const), at: fc.nat(), fields }),
  fc.record({ op: fc.constant("remove" as const), at: fc.nat() }),
  { weight: 4, arbitrary: fc.record({ op: fc.constant("ask" as const), ask: asked }) },
);
const nested: fc.Arbitrary<Step> = fc.record({
  op: fc.constant("nested" as const),
  steps: fc.array(simple, { maxLength: 5 }),
  isFailing: fc.boolean(),
});
export const step = fc.oneof({ weight: 6, arbitrary: simple }, { weight: 1, arbitrary: nested });

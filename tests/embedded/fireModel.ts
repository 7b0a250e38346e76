/**
 * A database small enough to be seen to be right: documents in a map, every query a sort and a
 * filter over all of them. Written from the documented order of values, without the engine's code.
 */
import type { Value } from "convex/values";

export type ModelDoc = Readonly<Record<string, Value>> & { _id: string; _creationTime: number };
export type Bound = { type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte"; fieldPath: string; value: Maybe };
export type Query = {
  index: string;
  range: readonly Bound[];
  order: "asc" | "desc";
  limit: number;
};
/** `undefined` is a field that is not there, and sorts first. */
export type Maybe = Value | undefined;

const RANKS = ["undefined", "null", "bigint", "number", "boolean", "string", "bytes", "array"];

function kindOf(value: Maybe): string {
  if (value === null) return "null";
  if (value instanceof ArrayBuffer) return "bytes";
  return Array.isArray(value) ? "array" : typeof value;
}

const rankOf = (value: Maybe): number => {
  const rank = RANKS.indexOf(kindOf(value));
  return rank === -1 ? RANKS.length : rank;
};

/** Negative, zero or positive, as of the documented order. */
export function compare(a: Maybe, b: Maybe): number {
  const byKind = rankOf(a) - rankOf(b);
  if (byKind !== 0) return byKind;
  if (typeof a === "number" && typeof b === "number") return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(a, b);
  if (kindOf(a) === "object") return compareLists(entriesOf(a), entriesOf(b));
  // Of the same kind, and that of null, undefined, bigint or boolean.
  const [left, right] = [a as bigint, b as bigint];
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareLists(a: readonly Maybe[], b: readonly Maybe[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const order = compare(a[at], b[at]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Names and values in turn, names in order. */
function entriesOf(value: Maybe): Maybe[] {
  const fields = value as Record<string, Value>;
  return Object.keys(fields)
    .sort((a, b) => compare(a, b))
    .flatMap((name) => [name, fields[name]]);
}

/** The value at a dotted path. */
export function at(doc: ModelDoc, fieldPath: string): Maybe {
  let value: Maybe = doc;
  for (const name of fieldPath.split(".")) {
    if (kindOf(value) !== "object") return undefined;
    const fields = value as Record<string, Value>;
    value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  }
  return value;
}

function isWithin(doc: ModelDoc, { type, fieldPath, value }: Bound): boolean {
  const order = compare(at(doc, fieldPath), value);
  switch (type) {
    case "Eq":
      return order === 0;
    case "Gt":
      return order > 0;
    case "Gte":
      return order >= 0;
    case "Lt":
      return order < 0;
    case "Lte":
      return order <= 0;
  }
}

export type Documents = ReadonlyMap<string, ModelDoc>;

/** The documents a query gives, in its order. */
export function answer(
  documents: Documents,
  indexes: ReadonlyMap<string, readonly string[]>,
  query: Query,
): ModelDoc[] {
  const fields = [...(indexes.get(query.index) ?? []), "_creationTime", "_id"];
  const keyOf = (doc: ModelDoc) => fields.map((path) => at(doc, path));
  const sign = query.order === "asc" ? 1 : -1;
  return [...documents.values()]
    .filter((doc) => query.range.every((bound) => isWithin(doc, bound)))
    .sort((a, b) => sign * compareLists(keyOf(a), keyOf(b)))
    .slice(0, query.limit);
}

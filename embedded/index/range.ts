import type { Value } from "convex/values";
import { UserError } from "../engine/errors.js";
import type { Interval } from "../engine/readSet.js";
import { encodeKey, prefixEnd } from "./keys.js";

/** One bound of an index range: equalities first, in index order. */
export type RangeBound = {
  type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte";
  fieldPath: string;
  value: Value | undefined;
};
type IndexShape = { table: string; name: string; fields: readonly string[] };

/**
 * The interval of keys that satisfies all bounds: equalities on a prefix of the index fields, then
 * at most one lower and one upper bound on the next field.
 */
export function rangeInterval(index: IndexShape, bounds: readonly RangeBound[]): Interval {
  const { equal, lower, upper, field } = sortBounds(index, bounds);
  let prefix = "";
  let matched = 0;
  while (matched < index.fields.length) {
    const name = index.fields[matched] ?? "";
    const bound = equal.get(name);
    if (bound === undefined) break;
    prefix += encodeKey(bound.value);
    matched += 1;
  }
  if (matched < equal.size || (field !== null && field !== index.fields[matched])) {
    const used = [...equal.keys(), ...(field === null ? [] : [field])].join(", ");
    throw new UserError(
      "InvalidIndexRange",
      `Invalid range over index "${index.table}.${index.name}": the fields compared (${used}) must be compared in the order of the index (${index.fields.join(", ")}), equalities first, without gaps.`,
    );
  }
  return {
    lo: lower === null ? prefix : lowerKey(prefix, lower),
    hi: upper === null ? (prefix === "" ? null : prefixEnd(prefix)) : upperKey(prefix, upper),
  };
}

function lowerKey(prefix: string, bound: RangeBound): string {
  const key = prefix + encodeKey(bound.value);
  return bound.type === "Gt" ? prefixEnd(key) : key;
}

function upperKey(prefix: string, bound: RangeBound): string {
  const key = prefix + encodeKey(bound.value);
  return bound.type === "Lte" ? prefixEnd(key) : key;
}

function sortBounds(index: IndexShape, bounds: readonly RangeBound[]) {
  const equal = new Map<string, RangeBound>();
  // Asserted, since narrowing does not see what the loop assigns.
  let lower = null as RangeBound | null;
  let upper = null as RangeBound | null;
  for (const bound of bounds) {
    requireField(index, bound.fieldPath);
    if (bound.type === "Eq") {
      if (equal.has(bound.fieldPath)) throw alreadyBound(index, bound.fieldPath);
      equal.set(bound.fieldPath, bound);
    } else if (bound.type === "Gt" || bound.type === "Gte") {
      if (lower !== null) throw alreadyBound(index, bound.fieldPath);
      lower = bound;
    } else {
      if (upper !== null) throw alreadyBound(index, bound.fieldPath);
      upper = bound;
    }
  }
  if (lower !== null && upper !== null && lower.fieldPath !== upper.fieldPath) {
    throw new UserError(
      "BoundsOnMultipleFields",
      `Upper and lower bounds of a range over index "${index.table}.${index.name}" must be on the same field: found "${lower.fieldPath}" and "${upper.fieldPath}".`,
    );
  }
  return { equal, lower, upper, field: lower?.fieldPath ?? upper?.fieldPath ?? null };
}

function requireField(index: IndexShape, fieldPath: string): void {
  if (index.fields.includes(fieldPath)) return;
  throw new UserError(
    "FieldNotInIndex",
    `Index "${index.table}.${index.name}" has no field "${fieldPath}"; its fields are ${index.fields.join(", ")}.`,
  );
}

const alreadyBound = (index: IndexShape, fieldPath: string): UserError =>
  new UserError(
    "AlreadyDefinedBound",
    `A range over index "${index.table}.${index.name}" has two bounds of the same kind on "${fieldPath}".`,
  );

import type { Value } from "convex/values";
import { encodeKey } from "./keys.js";

/** A value's fields; `undefined` for a missing one. */
export type Doc = Readonly<Record<string, Value | undefined>>;

/** The value at a dotted path; a step into anything but an object is `undefined`. */
export function fieldAt(doc: Doc, path: string): Value | undefined {
  if (!path.includes(".")) return Object.hasOwn(doc, path) ? doc[path] : undefined;
  let value: Value | undefined = doc;
  for (const step of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    if (Array.isArray(value) || value instanceof ArrayBuffer) return undefined;
    if (!Object.hasOwn(value, step)) return undefined;
    // Only plain objects are left, and their fields are values.
    value = (value as Doc)[step];
  }
  return value;
}

/** The key of a document in an index over `fields` (which end in what makes it unique). */
export function indexKey(fields: readonly string[], doc: Doc): string {
  let key = "";
  for (const field of fields) key += encodeKey(fieldAt(doc, field));
  return key;
}

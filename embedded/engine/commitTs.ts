import {
  CommitTsPlaceholder,
  convexToJson,
  type JSONValue,
  jsonToConvex,
  type Value,
} from "convex/values";
import type { Document } from "./documents.js";

/** Whether `db.vars.commitTs` occurs anywhere in the value. */
export function hasCommitTs(value: Value | undefined): boolean {
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return false;
  if (value instanceof CommitTsPlaceholder) return true;
  return Object.values(value).some(hasCommitTs);
}

/** The document with every placeholder replaced by the timestamp of its commit (ns). */
export function resolveCommitTs(doc: Document, ts: bigint): Document {
  // Replacing values inside leaves the system fields as they are.
  return resolve(doc, ts) as Document;
}

/** The value of a JSON text in the same way: what a mutation returned, for instance. */
export function committedJson(text: string, ts: bigint): JSONValue {
  // Callers have the text of a value.
  const json = JSON.parse(text) as JSONValue;
  // Most values hold none, and their text tells.
  return text.includes('"$commitTs"')
    ? convexToJson(resolve(jsonToConvex(json), ts) ?? null)
    : json;
}

function resolve(value: Value | undefined, ts: bigint): Value | undefined {
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return value;
  if (value instanceof CommitTsPlaceholder) return ts;
  if (Array.isArray(value)) return value.map((item) => resolve(item, ts) ?? null);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, ts)]));
}

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

/** The same for the JSON of any value: what a mutation returned, for instance. */
export function resolveCommitTsInJson(json: JSONValue, ts: bigint): JSONValue {
  const value = jsonToConvex(json);
  return hasCommitTs(value) ? convexToJson(resolve(value, ts) ?? null) : json;
}

function resolve(value: Value | undefined, ts: bigint): Value | undefined {
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return value;
  if (value instanceof CommitTsPlaceholder) return ts;
  if (Array.isArray(value)) return value.map((item) => resolve(item, ts) ?? null);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, ts)]));
}

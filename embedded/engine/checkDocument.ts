import type { Value } from "convex/values";
import { isSystemName, type Table } from "./catalog.js";
import type { DocumentVersion } from "./documents.js";
import { UserError } from "./errors.js";
import { DOCUMENT_BYTES_MAX, DOCUMENT_NESTING_MAX } from "./limits.js";

const ARRAY_ITEMS_MAX = 8_192;
const OBJECT_FIELDS_MAX = 1_024;
const FIELD_NAME = /^[ -~]{0,1024}$/;

/** Throws UserError when the document may not be stored: its shape, its size, or the schema. */
export function checkDocument(table: Table, version: DocumentVersion): void {
  if (isSystemName(table.name)) return;
  const { value } = version;
  for (const name of Object.keys(value)) {
    if (name.startsWith("_") && name !== "_id" && name !== "_creationTime") {
      throw new UserError(
        "InvalidFieldName",
        `Field "${name}" starts with an underscore, which is reserved for system fields like "_id".`,
      );
    }
  }
  checkValue(value, DOCUMENT_NESTING_MAX);
  if (version.size > DOCUMENT_BYTES_MAX) {
    throw new UserError(
      "ObjectTooLarge",
      `Value is too large (${version.size} bytes > maximum size ${DOCUMENT_BYTES_MAX} bytes): a document of table "${table.name}" must be smaller; split it into several.`,
    );
  }
  const mismatch = table.check?.(value) ?? null;
  if (mismatch === null) return;
  throw new UserError(
    "SchemaEnforcementError",
    `Failed to insert or update a document in table "${table.name}" because it does not match the schema: ${mismatch}`,
  );
}

/** Throws UserError when a list, an object, a field's name or the nesting passes its limit. */
export function checkValue(value: Value | undefined, nestingMax: number, depth = 1): void {
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return;
  if (depth > nestingMax) {
    throw new UserError("TooNested", `Value is too nested (maximum nesting ${nestingMax}).`);
  }
  if (Array.isArray(value)) {
    if (value.length > ARRAY_ITEMS_MAX) {
      throw new UserError(
        "ArrayTooLong",
        `Array length is too long (${value.length} > maximum length ${ARRAY_ITEMS_MAX}).`,
      );
    }
    for (const item of value) checkValue(item, nestingMax, depth + 1);
    return;
  }
  // Only plain objects and the placeholder, which has no fields, are left.
  const entries = Object.entries(value as Record<string, Value | undefined>);
  if (entries.length > OBJECT_FIELDS_MAX) {
    throw new UserError(
      "ObjectTooManyFields",
      `Object has too many fields (${entries.length} > maximum number ${OBJECT_FIELDS_MAX}).`,
    );
  }
  for (const [name, item] of entries) {
    if (name.startsWith("$") || !FIELD_NAME.test(name)) {
      throw new UserError(
        "InvalidFieldName",
        `Field name "${name}" is not allowed: names are up to 1024 printable ASCII characters and do not start with "$".`,
      );
    }
    checkValue(item, nestingMax, depth + 1);
  }
}

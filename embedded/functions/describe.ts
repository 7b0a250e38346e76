/** Values and validators as Convex prints them in its error texts. */
import { CommitTsPlaceholder, type Value } from "convex/values";
import type { ValidatorJson } from "./validators.js";

const SHOWN_CHARS_MAX = 1_024;

export function describeValue(value: Value | undefined): string {
  const text = describe(value);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}...` : text;
}

function describe(value: Value | undefined): string {
  if (value === undefined) return "undefined";
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    return Number.isInteger(value) && !Object.is(value, -0) ? `${value}.0` : String(value);
  }
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  return describeComposite(value);
}

function describeComposite(
  value: ArrayBuffer | Value[] | CommitTsPlaceholder | Record<string, Value | undefined>,
): string {
  if (value instanceof ArrayBuffer) return `<${value.byteLength} bytes>`;
  if (value instanceof CommitTsPlaceholder) return "db.vars.commitTs";
  if (Array.isArray(value)) return `[${value.map(describe).join(", ")}]`;
  const fields = Object.entries(value).map(
    ([name, item]) => `${fieldName(name)}: ${describe(item)}`,
  );
  return `{${fields.join(", ")}}`;
}

const fieldName = (name: string): string =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : JSON.stringify(name);

export function describeValidator(validator: ValidatorJson): string {
  switch (validator.type) {
    case "number":
      return "v.float64()";
    case "bigint":
      return "v.int64()";
    case "null":
    case "boolean":
    case "string":
    case "bytes":
    case "any":
    case "commitTs":
      return `v.${validator.type}()`;
    case "id":
      return `v.id("${validator.tableName}")`;
    case "literal":
      return `v.literal(${describeLiteral(validator.value)})`;
    case "array":
      return `v.array(${describeValidator(validator.value)})`;
    case "record":
      return `v.record(${describeValidator(validator.keys)}, ${describeValidator(validator.values.fieldType)})`;
    case "union":
      return `v.union(${validator.value.map(describeValidator).join(", ")})`;
    case "object": {
      const fields = Object.entries(validator.value).map(([name, { fieldType, optional }]) => {
        const inner = describeValidator(fieldType);
        return `${fieldName(name)}: ${optional ? `v.optional(${inner})` : inner}`;
      });
      return `v.object({${fields.join(", ")}})`;
    }
  }
}

const describeLiteral = (value: Value): string =>
  typeof value === "bigint" ? `${value.toString()}n` : describe(value);

/** Checks values against validators, with Convex's own words for what is wrong. */
import {
  CommitTsPlaceholder,
  compareValues,
  type JSONValue,
  jsonToConvex,
  type Value,
} from "convex/values";
import { describeValidator, describeValue } from "./describe.js";

type SimpleType =
  "null" | "number" | "bigint" | "boolean" | "string" | "bytes" | "any" | "commitTs";
export type ValidatorJson =
  | { type: SimpleType }
  | { type: "id"; tableName: string }
  | { type: "literal"; value: Value }
  | { type: "array"; value: ValidatorJson }
  | { type: "record"; keys: ValidatorJson; values: ObjectField }
  | { type: "union"; value: ValidatorJson[] }
  | { type: "object"; value: Record<string, ObjectField> };
type ObjectField = { fieldType: ValidatorJson; optional: boolean };

/** As written: parts are still JSON. */
type RawValidator =
  | Extract<ValidatorJson, { type: SimpleType | "id" }>
  | { type: "literal" | "array"; value: JSONValue }
  | { type: "union"; value: JSONValue[] }
  | { type: "record"; keys: JSONValue; values: JSONValue }
  | { type: "object"; value: Record<string, JSONValue> };

/** The name of the table an id belongs to, or null: no id, or of no table here. */
export type TableOfId = (id: string) => string | null;

/** Reads what `exportArgs`, `exportReturns` or `schema.export` wrote; literals become values. */
export function parseValidator(json: JSONValue): ValidatorJson {
  // Only convex/values writes these texts, in exactly this shape.
  const raw = json as RawValidator;
  switch (raw.type) {
    case "literal":
      return { type: "literal", value: jsonToConvex(raw.value) };
    case "array":
      return { type: "array", value: parseValidator(raw.value) };
    case "union":
      return { type: "union", value: raw.value.map(parseValidator) };
    case "record": {
      const [keys, values] = [parseValidator(raw.keys), parseField(raw.values)];
      return { type: "record", keys, values };
    }
    case "object": {
      const fields = Object.entries(raw.value);
      return {
        type: "object",
        value: Object.fromEntries(fields.map(([name, field]) => [name, parseField(field)])),
      };
    }
    case "id":
    case "null":
    case "number":
    case "bigint":
    case "boolean":
    case "string":
    case "bytes":
    case "any":
    case "commitTs":
      return raw;
  }
}

function parseField(json: JSONValue): ObjectField {
  // As in parseValidator.
  const raw = json as { fieldType: JSONValue; optional: boolean };
  return { fieldType: parseValidator(raw.fieldType), optional: raw.optional };
}

/** What is wrong with the value, or null. */
export function mismatch(
  validator: ValidatorJson,
  value: Value | undefined,
  tableOfId: TableOfId,
): string | null {
  return check({ validator, value, path: "", tableOfId });
}

type Check = {
  validator: ValidatorJson;
  value: Value | undefined;
  path: string;
  tableOfId: TableOfId;
};

function check(at: Check): string | null {
  const { validator } = at;
  if (validator.type === "object") return checkObject(at, validator.value);
  if (validator.type === "array") return checkArray(at, validator.value);
  if (validator.type === "union") return checkUnion(at, validator.value);
  if (validator.type === "record") return checkRecord(at, validator);
  if (validator.type === "literal") return checkLiteral(at, validator.value);
  if (validator.type === "id") return checkId(at, validator.tableName);
  return isOfType(validator.type, at.value) ? null : noMatch(at);
}

function isOfType(type: SimpleType, value: Value | undefined): boolean {
  switch (type) {
    case "any":
      return value !== undefined;
    case "null":
      return value === null;
    case "bytes":
      return value instanceof ArrayBuffer;
    case "commitTs":
      return typeof value === "bigint" || value instanceof CommitTsPlaceholder;
    case "number":
    case "bigint":
    case "boolean":
    case "string":
      return typeof value === type;
  }
}

function checkLiteral(at: Check, wanted: Value): string | null {
  const isSame = typeof wanted === typeof at.value && compareValues(wanted, at.value) === 0;
  return isSame ? null : noMatch(at);
}

function checkUnion(at: Check, members: readonly ValidatorJson[]): string | null {
  const isMember = members.some((member) => check({ ...at, validator: member }) === null);
  return isMember ? null : noMatch(at);
}

function checkId(at: Check, tableName: string): string | null {
  if (typeof at.value !== "string") return noMatch(at);
  const found = at.tableOfId(at.value);
  if (found === tableName) return null;
  if (found === null) return noMatch(at);
  return `Found ID "${at.value}" from table \`${found}\`, which does not match the table name in validator \`v.id("${tableName}")\`.${pathLine(at)}`;
}

function checkArray(at: Check, item: ValidatorJson): string | null {
  if (!Array.isArray(at.value)) return noMatch(at);
  for (const [index, value] of at.value.entries()) {
    const found = check({ ...at, validator: item, value, path: `${at.path}[${index}]` });
    if (found !== null) return found;
  }
  return null;
}

function checkRecord(
  at: Check,
  { keys, values }: { keys: ValidatorJson; values: ObjectField },
): string | null {
  if (!isPlainObject(at.value)) return noMatch(at);
  for (const [name, value] of Object.entries(at.value)) {
    const path = `${at.path}.${name}`;
    const found =
      check({ ...at, validator: keys, value: name, path }) ??
      check({ ...at, validator: values.fieldType, value, path });
    if (found !== null) return found;
  }
  return null;
}

function checkObject(at: Check, fields: Record<string, ObjectField>): string | null {
  if (!isPlainObject(at.value)) return noMatch(at);
  for (const [name, { fieldType, optional }] of Object.entries(fields)) {
    const value = Object.hasOwn(at.value, name) ? at.value[name] : undefined;
    if (value === undefined) {
      if (optional) continue;
      return `Object is missing the required field \`${name}\`. Consider wrapping the field validator in \`v.optional(...)\` if this is expected.${objectLines(at)}`;
    }
    const found = check({ ...at, validator: fieldType, value, path: `${at.path}.${name}` });
    if (found !== null) return found;
  }
  const extra = Object.keys(at.value).find((name) => !Object.hasOwn(fields, name));
  if (extra === undefined) return null;
  return `Object contains extra field \`${extra}\` that is not in the validator.${objectLines(at)}`;
}

function isPlainObject(value: Value | undefined): value is Record<string, Value> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof ArrayBuffer) &&
    !(value instanceof CommitTsPlaceholder)
  );
}

const pathLine = ({ path }: Check): string => (path === "" ? "" : `\nPath: ${path}`);
const objectLines = (at: Check): string =>
  `\n${pathLine(at)}\nObject: ${describeValue(at.value)}\nValidator: ${describeValidator(at.validator)}`;
const noMatch = (at: Check): string =>
  `Value does not match validator.${pathLine(at)}\nValue: ${describeValue(at.value)}\nValidator: ${describeValidator(at.validator)}`;

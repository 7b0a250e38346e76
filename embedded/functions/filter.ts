/** Evaluates the filter expressions of queries. */
import { compareValues, type JSONValue, jsonToConvex, type Value } from "convex/values";
import { UserError } from "../engine/errors.js";
import { type Doc, fieldAt } from "../index/fields.js";

type Result = Value | undefined;

/** JSON of a value or of "missing". */
export function valueOrUndefined(json: JSONValue): Result {
  if (typeof json === "object" && json !== null && "$undefined" in json) return undefined;
  return jsonToConvex(json);
}

export function evaluate(expression: JSONValue, doc: Doc): Result {
  if (typeof expression !== "object" || expression === null) return expression;
  const [entry] = Object.entries(expression);
  if (entry === undefined) throw badExpression(expression);
  // Expressions come as JSON, hence their operands too.
  const [op, operand] = entry;
  if (op === "$literal") return valueOrUndefined(operand);
  if (op === "$field") return fieldAt(doc, typeof operand === "string" ? operand : "");
  if (op === "$not") return !truth(evaluate(operand, doc));
  if (op === "$neg") return negate(evaluate(operand, doc));
  if (!Array.isArray(operand)) throw badExpression(expression);
  if (op === "$and") return operand.every((item) => truth(evaluate(item, doc)));
  if (op === "$or") return operand.some((item) => truth(evaluate(item, doc)));
  const [left, right] = operand;
  if (left === undefined || right === undefined) throw badExpression(expression);
  return binary(op, evaluate(left, doc), evaluate(right, doc));
}

function binary(op: string, left: Result, right: Result): Result {
  switch (op) {
    case "$eq":
      return compareValues(left, right) === 0;
    case "$neq":
      return compareValues(left, right) !== 0;
    case "$lt":
      return compareValues(left, right) < 0;
    case "$lte":
      return compareValues(left, right) <= 0;
    case "$gt":
      return compareValues(left, right) > 0;
    case "$gte":
      return compareValues(left, right) >= 0;
    default:
      return arithmetic(op, left, right);
  }
}

const FLOAT_OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  $add: (a, b) => a + b,
  $sub: (a, b) => a - b,
  $mul: (a, b) => a * b,
  $div: (a, b) => a / b,
  $mod: (a, b) => a % b,
};
const INT_OPERATORS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  $add: (a, b) => a + b,
  $sub: (a, b) => a - b,
  $mul: (a, b) => a * b,
  $div: (a, b) => a / b,
  $mod: (a, b) => a % b,
};

function arithmetic(op: string, left: Result, right: Result): Result {
  if (typeof left === "number" && typeof right === "number") {
    const compute = FLOAT_OPERATORS[op];
    if (compute !== undefined) return compute(left, right);
  }
  if (typeof left === "bigint" && typeof right === "bigint") {
    if ((op === "$div" || op === "$mod") && right === 0n) {
      throw new UserError("EvalError", "Division by zero in a filter.");
    }
    const compute = INT_OPERATORS[op];
    if (compute !== undefined) return compute(left, right);
  }
  throw new UserError(
    "EvalError",
    `Cannot apply ${op} in a filter to values of type ${typeof left} and ${typeof right}: both must be numbers of the same type.`,
  );
}

function negate(value: Result): Result {
  if (typeof value === "number" || typeof value === "bigint") return -value;
  throw new UserError("EvalError", `Cannot negate a value of type ${typeof value} in a filter.`);
}

export function truth(value: Result): boolean {
  if (typeof value === "boolean") return value;
  throw new UserError("EvalError", `A filter must give a boolean, not ${typeof value}.`);
}

const badExpression = (expression: JSONValue): UserError =>
  new UserError("InvalidFilter", `Invalid filter expression: ${JSON.stringify(expression)}`);

/**
 * Vector search: the documents whose vectors point most nearly the same way (cosine). As with text,
 * nothing is stored for it: the table is read when it is asked.
 */
import type { JSONValue, Value } from "convex/values";
import type { SearchIndex, Table } from "../engine/catalog.js";
import { UserError } from "../engine/errors.js";
import type { Transaction } from "../engine/transaction.js";
import { fieldAt } from "../index/fields.js";
import type { Calls } from "./calls.js";
import { evaluate, truth } from "./filter.js";
import { tableFor } from "./query.js";
import { type AsyncSyscalls, unknownOperation } from "./syscallAccess.js";
import { assertNotStaged, everyDocument } from "./textSearch.js";

const RESULTS_DEFAULT = 10;
const RESULTS_MAX = 256;

/** As serialized by convex/server. */
type VectorQuery = {
  indexName: string;
  limit?: number;
  vector: number[];
  expressions: JSONValue;
};
type Found = { _id: string; _score: number };

export function vectorSyscalls(calls: Calls): AsyncSyscalls {
  return {
    "1.0/actions/vectorSearch": async (execution, args) => {
      if (execution.kind !== "action") {
        throw unknownOperation(
          "async operation",
          "UnknownAsyncOperation",
          "1.0/actions/vectorSearch",
        );
      }
      const query = args["query"] as unknown as VectorQuery;
      const results = await calls.transact((tx) => searchVectors(tx, execution.componentId, query));
      return JSON.stringify({ results });
    },
  };
}

/** Throws UserError. */
function searchVectors(tx: Transaction, componentId: string, query: VectorQuery): Found[] {
  const { indexName, limit = RESULTS_DEFAULT, vector, expressions } = query;
  const dot = indexName.indexOf(".");
  const table = tableFor(tx, componentId, indexName.slice(0, dot));
  const index = requireVectorIndex(table, indexName.slice(dot + 1));
  if (!Number.isInteger(limit) || limit < 1 || limit > RESULTS_MAX) {
    throw new UserError(
      "InvalidVectorQuery",
      `A vector search finds from 1 to ${RESULTS_MAX} documents, not ${limit}.`,
    );
  }
  if (vector.length !== index.dimensions) {
    throw new UserError(
      "InvalidVectorQuery",
      `Vector index ${indexName} has ${index.dimensions} dimensions, the vector searched for has ${vector.length}.`,
    );
  }
  assertFilterFields(index, indexName, expressions);
  const found: Found[] = [];
  for (const { version } of everyDocument(tx, table)) {
    const { value } = version;
    const candidate = vectorOf(fieldAt(value, index.vectorField), index.dimensions);
    if (candidate === null) continue;
    if (expressions !== null && !truth(evaluate(expressions, value))) continue;
    found.push({ _id: value._id, _score: cosine(vector, candidate) });
  }
  return found.sort((a, b) => b._score - a._score).slice(0, limit);
}

function requireVectorIndex(table: Table, name: string): SearchIndex & { kind: "vector" } {
  const index = table.searches.find((search) => search.name === name);
  if (index?.kind !== "vector") {
    throw new UserError("IndexNotFound", `Vector index ${table.name}.${name} not found.`);
  }
  assertNotStaged(table, index);
  return index;
}

/** Every field that a filter names must be one of the index. */
function assertFilterFields(
  index: SearchIndex & { kind: "vector" },
  shown: string,
  expression: JSONValue,
): void {
  if (typeof expression !== "object" || expression === null) return;
  const named = Array.isArray(expression) ? undefined : expression["$field"];
  if (typeof named === "string" && !index.filterFields.includes(named)) {
    throw new UserError(
      "FieldNotInIndex",
      `Vector index ${shown} cannot filter by "${named}"; it can filter by ${index.filterFields.join(", ") || "nothing"}.`,
    );
  }
  const isLiteral = !Array.isArray(expression) && "$literal" in expression;
  if (isLiteral) return;
  for (const part of Object.values(expression)) assertFilterFields(index, shown, part);
}

/** Null: the document is not in the index. */
function vectorOf(value: Value | undefined, dimensions: number): number[] | null {
  if (!Array.isArray(value) || value.length !== dimensions) return null;
  return value.every((item) => typeof item === "number") ? value : null;
}

/** From -1 to 1; 0 where a vector has no length. */
export function cosine(a: readonly number[], b: readonly number[]): number {
  const [left, right] = [scaled(a), scaled(b)];
  let [product, squareA, squareB] = [0, 0, 0];
  for (const [at, x] of left.entries()) {
    const y = right[at] ?? 0;
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  const length = Math.sqrt(squareA) * Math.sqrt(squareB);
  return length === 0 ? 0 : product / length;
}

/** Squares of very small or very large numbers leave the range of a double; a direction has no size. */
function scaled(vector: readonly number[]): readonly number[] {
  const largest = vector.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return largest === 0 ? vector : vector.map((x) => x / largest);
}

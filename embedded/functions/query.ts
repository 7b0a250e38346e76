/** Runs the queries that functions build: source, range, operators. */
import type { JSONValue } from "convex/values";
import type { Index, Table } from "../engine/catalog.js";
import { DocumentVersion } from "../engine/documents.js";
import { UserError } from "../engine/errors.js";
import type { Interval } from "../engine/readSet.js";
import { shapeOf, type Transaction } from "../engine/transaction.js";
import { type RangeBound, rangeInterval } from "../index/range.js";
import { evaluate, truth, valueOrUndefined } from "./filter.js";
import { scheduledFunctionView } from "./scheduledView.js";

/** As serialized by convex/server. */
export type QueryJson = {
  source:
    | { type: "FullTableScan"; tableName: string; order: "asc" | "desc" | null }
    | {
        type: "IndexRange";
        indexName: string;
        range: { type: RangeBound["type"]; fieldPath: string; value: JSONValue }[];
        order: "asc" | "desc" | null;
      }
    | { type: "Search"; indexName: string; filters: JSONValue[] };
  operators: ({ filter: JSONValue } | { limit: number })[];
};
export type QueryPlan = { index: Index; interval: Interval; order: "asc" | "desc" };

const READABLE_SYSTEM_TABLES = new Set(["_scheduled_functions", "_storage"]);

export function tableFor(tx: Transaction, componentId: string, name: string): Table {
  if (name.startsWith("_") && !READABLE_SYSTEM_TABLES.has(name)) {
    throw new UserError("SystemTableError", `Table "${name}" is private to the backend.`);
  }
  return tx.table({ componentId, name });
}

export function planQuery(tx: Transaction, componentId: string, query: QueryJson): QueryPlan {
  const { source } = query;
  if (source.type === "Search") {
    throw new UserError(
      "SearchUnsupported",
      `Search index ${source.indexName} cannot be used: the embedded backend does not support text search yet.`,
    );
  }
  const order = source.order ?? "asc";
  if (source.type === "FullTableScan") {
    const table = tableFor(tx, componentId, source.tableName);
    const index = tx.index(table, "by_creation_time");
    return { index, interval: { lo: "", hi: null }, order };
  }
  const dot = source.indexName.indexOf(".");
  const table = tableFor(tx, componentId, source.indexName.slice(0, dot));
  const index = tx.index(table, source.indexName.slice(dot + 1));
  const bounds = source.range.map(({ type, fieldPath, value }) => ({
    type,
    fieldPath,
    value: valueOrUndefined(value),
  }));
  return { index, interval: rangeInterval(shapeOf(index), bounds), order };
}

/** `key` is the position in the index; `version` null where an operator dropped the row. */
export type QueryRow = { key: string; version: DocumentVersion | null };

/** Applies operators in order; ends when a limit is used up. */
export class QueryRun {
  readonly #rows: { next(): { key: string; version: DocumentVersion } | null };
  readonly #operators: QueryJson["operators"];
  readonly #left: number[];
  readonly #isScheduledView: boolean;

  constructor(tx: Transaction, plan: QueryPlan, operators: QueryJson["operators"]) {
    this.#operators = operators;
    this.#left = operators.map((operator) => ("limit" in operator ? operator.limit : Infinity));
    this.#rows = this.#left.includes(0)
      ? { next: () => null }
      : tx.scanIndex(plan.index, plan.interval, plan.order);
    this.#isScheduledView = plan.index.table.name === "_scheduled_functions";
  }

  /** The next document that passes, or null at the end. */
  next(): DocumentVersion | null {
    for (let row = this.step(); row !== null; row = this.step()) {
      if (row.version !== null) return row.version;
    }
    return null;
  }

  /** The next row, passed or dropped. */
  step(): QueryRow | null {
    if (this.#left.includes(0)) return null;
    const row = this.#rows.next();
    if (row === null) return null;
    const version = this.#isScheduledView
      ? DocumentVersion.of(scheduledFunctionView(row.version.value))
      : row.version;
    return { key: row.key, version: this.#passes(version) ? version : null };
  }

  #passes(version: DocumentVersion): boolean {
    for (const [at, operator] of this.#operators.entries()) {
      if ("limit" in operator) this.#left[at] = (this.#left[at] ?? 0) - 1;
      else if (!truth(evaluate(operator.filter, version.value))) return false;
    }
    return true;
  }
}

/** Runs the queries that functions build: source, range, operators. */
import type { JSONValue } from "convex/values";
import { type Index, isSystemName, type Table } from "../engine/catalog.js";
import { DocumentVersion } from "../engine/documents.js";
import { UserError } from "../engine/errors.js";
import type { Interval } from "../engine/readSet.js";
import { type ScannedDocument, shapeOf, type Transaction } from "../engine/transaction.js";
import { type RangeBound, rangeInterval } from "../index/range.js";
import { evaluate, truth, valueOrUndefined } from "./filter.js";
import { searchText } from "./textSearch.js";
import { isOwnRow, isVisibleSystemTable, ownRange, systemView, tableName } from "./systemViews.js";

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
    | {
        type: "Search";
        indexName: string;
        filters: (
          | { type: "Search"; fieldPath: string; value: string }
          | { type: "Eq"; fieldPath: string; value: JSONValue }
        )[];
      };
  operators: ({ filter: JSONValue } | { limit: number })[];
};
export type QueryPlan = {
  index: Index;
  interval: Interval;
  order: "asc" | "desc";
  /** Whose rows of a system table are seen. */
  componentId: string;
  /** What a text search found, in place of a scan. */
  found?: readonly ScannedDocument[];
};

export function tableFor(tx: Transaction, componentId: string, name: string): Table {
  if (isSystemName(name) && !isVisibleSystemTable(name)) {
    throw new UserError("SystemTableError", `Table "${name}" is private to the backend.`);
  }
  return tx.table(tableName(componentId, name));
}

export function planQuery(tx: Transaction, componentId: string, query: QueryJson): QueryPlan {
  const { source } = query;
  if (source.type === "Search") return searchPlan(tx, componentId, source);
  const order = source.order ?? "asc";
  if (source.type === "FullTableScan") {
    const table = tableFor(tx, componentId, source.tableName);
    const name = "by_creation_time";
    if (isSystemName(table.name)) {
      return systemPlan(tx, { table, componentId, name, bounds: [], order });
    }
    return { index: tx.index(table, name), interval: { lo: "", hi: null }, order, componentId };
  }
  const dot = source.indexName.indexOf(".");
  const table = tableFor(tx, componentId, source.indexName.slice(0, dot));
  const bounds = source.range.map(({ type, fieldPath, value }) => ({
    type,
    fieldPath,
    value: valueOrUndefined(value),
  }));
  const name = source.indexName.slice(dot + 1);
  if (isSystemName(table.name)) return systemPlan(tx, { table, componentId, name, bounds, order });
  const index = tx.index(table, name);
  return { index, interval: rangeInterval(shapeOf(index), bounds), order, componentId };
}

type SearchSource = Extract<QueryJson["source"], { type: "Search" }>;

/** The ranks of what was found are the positions. */
function searchPlan(tx: Transaction, componentId: string, source: SearchSource): QueryPlan {
  const dot = source.indexName.indexOf(".");
  const table = tableFor(tx, componentId, source.indexName.slice(0, dot));
  const filters = source.filters.map((filter) =>
    filter.type === "Search" ? filter : { ...filter, value: valueOrUndefined(filter.value) },
  );
  const found = searchText(tx, { table, name: source.indexName.slice(dot + 1), filters });
  const index = tx.index(table, "by_creation_time");
  return { index, interval: { lo: "", hi: null }, order: "asc", componentId, found };
}

/** Rows that are there already, as a scan of the interval would give them. */
function foundRows(tx: Transaction, { interval, found = [] }: QueryPlan) {
  const { lo, hi } = interval;
  const rows = found.filter(({ key }) => key >= lo && (hi === null || key < hi)).values();
  tx.usage.add("databaseQueries", 1);
  return {
    next: (): ScannedDocument | null => {
      const { value } = rows.next();
      if (value === undefined) return null;
      tx.countRead(value.version);
      return value;
    },
  };
}

type SystemScan = {
  table: Table;
  componentId: string;
  name: string;
  bounds: readonly RangeBound[];
  order: "asc" | "desc";
};

/** System tables hold the rows of all components: a component's own are a range of one index. */
function systemPlan(tx: Transaction, scan: SystemScan): QueryPlan {
  const { table, componentId, name, bounds, order } = scan;
  if (name === "by_id") {
    const interval = rangeInterval(shapeOf(table.byId), bounds);
    return { index: table.byId, interval, order, componentId };
  }
  if (name !== "by_creation_time") {
    throw new UserError("IndexNotFound", `Index ${table.name}.${name} not found.`);
  }
  const index = tx.index(table, "by_component");
  const interval = rangeInterval(shapeOf(index), [ownRange(componentId), ...bounds]);
  return { index, interval, order, componentId };
}

/** `key` is the position in the index; `version` null where an operator dropped the row. */
export type QueryRow = { key: string; version: DocumentVersion | null };

/** Applies operators in order; ends when a limit is used up. */
export class QueryRun {
  readonly #rows: { next(): { key: string; version: DocumentVersion } | null };
  readonly #operators: QueryJson["operators"];
  readonly #left: number[];
  readonly #plan: QueryPlan;

  constructor(tx: Transaction, plan: QueryPlan, operators: QueryJson["operators"]) {
    this.#operators = operators;
    this.#left = operators.map((operator) => ("limit" in operator ? operator.limit : Infinity));
    this.#rows = this.#left.includes(0)
      ? { next: () => null }
      : plan.found === undefined
        ? tx.scanIndex(plan.index, plan.interval, plan.order)
        : foundRows(tx, plan);
    this.#plan = plan;
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
    const version = this.#view(row.version);
    return { key: row.key, version: version !== null && this.#passes(version) ? version : null };
  }

  #view(version: DocumentVersion): DocumentVersion | null {
    const { index, componentId } = this.#plan;
    if (!isSystemName(index.table.name)) return version;
    if (!isOwnRow(version.value, componentId)) return null;
    return DocumentVersion.of(systemView(index.table.name, version.value));
  }

  #passes(version: DocumentVersion): boolean {
    for (const [at, operator] of this.#operators.entries()) {
      if ("limit" in operator) this.#left[at] = (this.#left[at] ?? 0) - 1;
      else if (!truth(evaluate(operator.filter, version.value))) return false;
    }
    return true;
  }
}

/**
 * Reads of convex/model straight off a transaction, without convex/server in between: the audit looks
 * at a few rows after every step, and this is what makes that cheap.
 */
import type { QueryCtx } from "../../convex/_generated/server.js";
import type { RangeBound } from "../../embedded/index/range.js";
import type { Document, Transaction } from "../../embedded/engine/transaction.js";

class Bounds {
  readonly bounds: RangeBound[] = [];
  eq = (fieldPath: string, value: RangeBound["value"]): this => this.#add("Eq", fieldPath, value);
  gt = (fieldPath: string, value: RangeBound["value"]): this => this.#add("Gt", fieldPath, value);
  gte = (fieldPath: string, value: RangeBound["value"]): this => this.#add("Gte", fieldPath, value);
  lt = (fieldPath: string, value: RangeBound["value"]): this => this.#add("Lt", fieldPath, value);
  lte = (fieldPath: string, value: RangeBound["value"]): this => this.#add("Lte", fieldPath, value);

  #add(type: RangeBound["type"], fieldPath: string, value: RangeBound["value"]): this {
    this.bounds.push({ type, fieldPath, value });
    return this;
  }
}

class Query {
  readonly #tx: Transaction;
  readonly #table: string;
  #index = "by_creation_time";
  #range: readonly RangeBound[] = [];
  #order: "asc" | "desc" = "asc";

  constructor(tx: Transaction, table: string) {
    this.#tx = tx;
    this.#table = table;
  }

  withIndex(name: string, range?: (q: Bounds) => Bounds): this {
    this.#index = name;
    this.#range = range === undefined ? [] : range(new Bounds()).bounds;
    return this;
  }

  order(order: "asc" | "desc"): this {
    this.#order = order;
    return this;
  }

  take(limit: number): Promise<Document[]> {
    const { index, range, order } = { index: this.#index, range: this.#range, order: this.#order };
    const rows: Document[] = [];
    if (limit <= 0) return Promise.resolve(rows);
    for (const row of this.#tx.scan(this.#table, { index, range, order })) {
      rows.push(row);
      if (rows.length === limit) break;
    }
    return Promise.resolve(rows);
  }

  async first(): Promise<Document | null> {
    return (await this.take(1))[0] ?? null;
  }

  async unique(): Promise<Document | null> {
    const [row, second] = await this.take(2);
    if (second !== undefined) throw new Error(`More than one row of ${this.#table}`);
    return row ?? null;
  }

  collect(): Promise<Document[]> {
    return this.take(Infinity);
  }
}

/** The context of a query over this transaction, for functions of convex/model. */
export function readerOf(tx: Transaction): QueryCtx {
  const db = {
    get: (table: string, id: string) => Promise.resolve(tx.get(table, id)),
    query: (table: string) => new Query(tx, table),
  };
  // Of a context the model's reads use get and query alone; rows are of the schema's types.
  return { db } as unknown as QueryCtx;
}

import type { Value } from "convex/values";
import type { ReadSet } from "./readSet.js";

/** A document as the engine hands it out. Never changed in place. */
export type Document = { readonly _id: string; readonly _creationTime: number } & Readonly<
  Record<string, Value>
>;
/** Field values of a document to be written, without system fields. */
export type Fields = Record<string, Value>;

/** A table of one component; `componentId` "" is the root component. */
export type TableName = { componentId: string; name: string };

/** One bound of an index range: fields in index order, equalities first. */
export type RangeBound = {
  type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte";
  fieldPath: string;
  value: Value | undefined;
};
export type ScanRequest = {
  /** Index name such as "by_creation_time" (the default), "by_id", or one of the table's own. */
  index?: string;
  range?: readonly RangeBound[];
  order?: "asc" | "desc";
};

/**
 * A snapshot of the database plus own writes. Everything is synchronous. A bare string names a
 * table of the root component. Errors that functions can cause are thrown as UserError.
 */
export interface Transaction {
  /** ns since the epoch; reads see exactly the commits up to here. */
  readonly snapshotTs: bigint;
  readonly reads: ReadSet;
  get(table: TableName | string, id: string): Document | null;
  /** Lazy: the read set grows only as far as the caller iterates. */
  scan(table: TableName | string, request?: ScanRequest): IterableIterator<Document>;
  insert(table: TableName | string, fields: Fields): string;
  /** `undefined` removes a field. Throws when the document does not exist. */
  patch(table: TableName | string, id: string, fields: Record<string, Value | undefined>): Document;
  replace(table: TableName | string, id: string, fields: Fields): Document;
  remove(table: TableName | string, id: string): Document;
  /** Ends it without effect (also how a read-only one ends). Safe to call more than once. */
  abort(): void;
}

/**
 * A snapshot of the database, own writes on top, and a record of everything observed. All reads
 * and writes are synchronous; what makes them slow or conflicting is decided here and nowhere else.
 */
import { CommitTsPlaceholder, type Value } from "convex/values";
import { encodeKey } from "../index/keys.js";
import { type RangeBound, rangeInterval } from "../index/range.js";
import { encodeId } from "../values/ids.js";
import type { Catalog, Index, Table, TableName } from "./catalog.js";
import { checkDocument } from "./checkDocument.js";
import { type Document, DocumentVersion, type Fields } from "./documents.js";
import { ConflictError, UserError } from "./errors.js";
import type { History } from "./history.js";
import { type Interval, ReadSet } from "./readSet.js";
import { RangeScan } from "./scan.js";
import type { Usage } from "./limits.js";
import { WriteSet } from "./writeSet.js";

export type { TableName } from "./catalog.js";
export type { Document, Fields } from "./documents.js";
export type { RangeBound } from "../index/range.js";

export type ScanRequest = {
  /** Index name such as "by_creation_time" (the default), "by_id", or one of the table's own. */
  index?: string;
  range?: readonly RangeBound[];
  order?: "asc" | "desc";
};

/** What the engine lends a transaction. */
export type TransactionHost = {
  catalog: Catalog;
  history: History;
  /** Strictly increasing, in ms. */
  nextCreationTime(): number;
  /** The random part of a new id. */
  idBytes(): Uint8Array;
  onEnd(tx: Transaction): void;
};
export type TransactionOptions = {
  host: TransactionHost;
  snapshotTs: bigint;
  usage: Usage;
  /** Schema checks and value limits apply; off for the backend's own writes. */
  isChecked: boolean;
};
/** A row found by a scan, with its position in the index. */
export type ScannedDocument = { key: string; version: DocumentVersion };

export class Transaction {
  /** ns since the epoch; reads see exactly the commits up to here. */
  readonly snapshotTs: bigint;
  readonly reads = new ReadSet();
  readonly writes = new WriteSet();
  readonly usage: Usage;
  readonly catalogVersion: number;
  readonly #host: TransactionHost;
  readonly #isChecked: boolean;
  #state: "open" | "ended" = "open";

  constructor({ host, snapshotTs, usage, isChecked }: TransactionOptions) {
    this.#host = host;
    this.snapshotTs = snapshotTs;
    this.usage = usage;
    this.#isChecked = isChecked;
    this.catalogVersion = host.catalog.version;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get catalog(): Catalog {
    return this.#host.catalog;
  }

  /** A bare string names a table of the root component. */
  table(name: TableName | string): Table {
    return this.catalog.table(typeof name === "string" ? { componentId: "", name } : name);
  }

  get(name: TableName | string, id: string): Document | null {
    return this.find(this.table(name), id)?.value ?? null;
  }

  /** Lazy: the read set grows only as far as the caller iterates. */
  *scan(name: TableName | string, request: ScanRequest = {}): IterableIterator<Document> {
    const table = this.table(name);
    const index = this.index(table, request.index ?? "by_creation_time");
    const interval = rangeInterval(shapeOf(index), request.range ?? []);
    const rows = this.scanIndex(index, interval, request.order ?? "asc");
    for (let row = rows.next(); row !== null; row = rows.next()) yield row.version.value;
  }

  insert(name: TableName | string, fields: Fields): string {
    return this.insertInto(this.table(name), fields);
  }

  /** `undefined` removes a field. Throws when the document does not exist. */
  patch(name: TableName | string, id: string, fields: Record<string, Value | undefined>): Document {
    return this.patchIn(this.table(name), id, fields).value;
  }

  replace(name: TableName | string, id: string, fields: Fields): Document {
    return this.replaceIn(this.table(name), id, fields).value;
  }

  remove(name: TableName | string, id: string): Document {
    return this.removeFrom(this.table(name), id).value;
  }

  /** Ends it without effect (also how a read-only one ends). Safe to call more than once. */
  abort(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#host.onEnd(this);
  }

  /** Reads of the begin snapshot: no own writes, and nothing that could conflict. */
  staleView(): Transaction {
    return new Transaction({
      host: { ...this.#host, onEnd: () => undefined },
      snapshotTs: this.snapshotTs,
      usage: this.usage,
      isChecked: this.#isChecked,
    });
  }

  find(table: Table, id: string): DocumentVersion | null {
    this.#assertUsable();
    const version = this.#read(table, encodeKey(id));
    if (version !== null) this.countRead(version);
    return version;
  }

  index(table: Table, name: string): Index {
    const index = name === "by_id" ? table.byId : table.indexes.get(name);
    if (index?.isStaged === true) {
      throw new UserError(
        "IndexStaged",
        `Index ${table.name}.${name} is staged: deploy it without \`staged: true\` before it is used in queries.`,
      );
    }
    if (index !== undefined) return index;
    throw new UserError("IndexNotFound", `Index ${table.name}.${name} not found.`);
  }

  /** The read set grows with each row taken. */
  scanIndex(index: Index, interval: Interval, order: "asc" | "desc") {
    this.#assertUsable();
    this.usage.add("databaseQueries", 1);
    const source = {
      history: this.#host.history,
      ts: this.snapshotTs,
      writes: this.writes,
      reads: this.reads,
    };
    const rows = new RangeScan(source, {
      space: index.space,
      documents: index.table.byId.space,
      interval,
      order,
    });
    return {
      next: (): ScannedDocument | null => {
        this.#assertUsable();
        const row = rows.next();
        if (row === null) return null;
        const version = this.#peek(index.table, row.documentKey);
        if (version === null) throw new Error(`Index ${index.table.name}.${index.name} is torn.`);
        this.countRead(version);
        return { key: row.key, version };
      },
    };
  }

  /** Documents in the table; depends on every insert and removal there. */
  count(table: Table): number {
    this.#assertUsable();
    const { space } = table.byId;
    this.usage.add("databaseQueries", 1);
    this.reads.add(space, { lo: "", hi: null });
    let count = this.#host.history.count({ space, lo: "", hi: null }, this.snapshotTs);
    for (const { before, after } of this.writes.writesTo(table)) {
      if (before === null && after !== null) count += 1;
      if (before !== null && after === null) count -= 1;
    }
    return count;
  }

  /** A creation time for a document that is put in by `restoreInto` and brings none. */
  newCreationTime(): number {
    return this.#host.nextCreationTime();
  }

  insertInto(table: Table, fields: Fields): string {
    this.#assertUsable();
    const _id = encodeId(table.number, this.#host.idBytes());
    const after = DocumentVersion.of({
      ...fields,
      _id,
      _creationTime: this.#host.nextCreationTime(),
    });
    this.#write(table, null, after);
    return _id;
  }

  /** Puts a document back as it was elsewhere, id and creation time included. Throws when the id is taken. */
  restoreInto(table: Table, document: Document): void {
    this.#assertUsable();
    if (this.find(table, document._id) !== null) {
      throw new UserError(
        "DuplicateId",
        `Document ID ${document._id} is already in table "${table.name}".`,
      );
    }
    this.#write(table, null, DocumentVersion.of(document));
  }

  patchIn(table: Table, id: string, fields: Record<string, Value | undefined>): DocumentVersion {
    const before = this.#require(table, id, "Update");
    assertSystemFields(before.value, fields);
    const merged: Record<string, Value> = { ...before.value };
    for (const [name, value] of Object.entries(fields)) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the names are data
      if (value === undefined) delete merged[name];
      else merged[name] = value;
    }
    const after = DocumentVersion.of(withSystemFields(merged, before.value));
    this.#write(table, before, after);
    return after;
  }

  replaceIn(table: Table, id: string, fields: Fields): DocumentVersion {
    const before = this.#require(table, id, "Replace");
    assertSystemFields(before.value, fields);
    const after = DocumentVersion.of(withSystemFields(fields, before.value));
    this.#write(table, before, after);
    return after;
  }

  removeFrom(table: Table, id: string): DocumentVersion {
    const before = this.#require(table, id, "Delete");
    this.#write(table, before, null);
    return before;
  }

  /** The document as the transaction sees it; recorded as read. */
  #read(table: Table, key: string): DocumentVersion | null {
    this.reads.addPoint(table.byId.space, key);
    return this.#peek(table, key);
  }

  /** Without recording: the caller's index row already stands for the document. */
  #peek(table: Table, key: string): DocumentVersion | null {
    const own = this.writes.document(table.byId.space, key);
    if (own !== undefined) return own.after;
    return this.#host.history.document(table.byId.space, key, this.snapshotTs);
  }

  #require(table: Table, id: string, verb: string): DocumentVersion {
    const found = this.find(table, id);
    if (found !== null) return found;
    throw new UserError("DocumentNotFound", `${verb} on nonexistent document ID ${id}`);
  }

  #write(table: Table, current: DocumentVersion | null, after: DocumentVersion | null): void {
    const version = after ?? current;
    if (version === null) return;
    const key = encodeKey(version.value._id);
    if (after !== null && this.#isChecked) checkDocument(table, after);
    this.usage.add("documentsWritten", 1);
    this.usage.add("bytesWritten", version.size);
    const own = this.writes.document(table.byId.space, key);
    this.writes.put({ table, key, before: own === undefined ? current : own.before, after });
  }

  /** For documents that came by another way than a scan. */
  countRead(version: DocumentVersion): void {
    this.usage.add("documentsRead", 1);
    this.usage.add("bytesRead", version.size);
  }

  #assertUsable(): void {
    if (this.#state !== "open") throw new Error("The transaction has ended.");
    // Indexes may be gone or not yet hold this snapshot: run again on the new schema.
    if (this.catalogVersion !== this.catalog.version) throw new ConflictError("_schema");
  }
}

/** What ranges are checked against. `_creationTime` and `_id` end every index and may be compared. */
export const shapeOf = (index: Index) => ({
  table: index.table.name,
  name: index.name,
  fields: index.fields,
});

function withSystemFields(fields: Fields, { _id, _creationTime }: Document): Document {
  return { ...fields, _id, _creationTime };
}

/** System fields may be repeated, never changed. */
function assertSystemFields(before: Document, fields: Record<string, Value | undefined>): void {
  for (const name of ["_id", "_creationTime"] as const) {
    if (!Object.hasOwn(fields, name)) continue;
    const given = fields[name];
    if (given === before[name]) continue;
    const shown =
      given instanceof CommitTsPlaceholder
        ? "db.vars.commitTs"
        : JSON.stringify(given, (_key, item: unknown) =>
            typeof item === "bigint" ? item.toString() : item,
          );
    throw new UserError(
      "ImmutableSystemField",
      `Provided document ${name} ${shown} doesn't match ${name} "${before[name]}" of the document being changed.`,
    );
  }
}

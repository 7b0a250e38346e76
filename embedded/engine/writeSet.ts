/** What a transaction has written so far, by document and by index row, with savepoints. */
import { indexKey } from "../index/fields.js";
import { newOrderedMap, type OrderedMap } from "../store/orderedMap.js";
import type { SpaceId } from "../store/store.js";
import type { Table } from "./catalog.js";
import type { DocumentVersion } from "./documents.js";

export type PendingWrite = {
  readonly table: Table;
  /** by_id key. */
  readonly key: string;
  /** As the snapshot has it. */
  readonly before: DocumentVersion | null;
  /** null deletes. */
  readonly after: DocumentVersion | null;
};
/** Position in the journal of changes. */
export type Savepoint = number;
type Change = { write: PendingWrite; replaced: PendingWrite | undefined };

export class WriteSet {
  readonly #documents = new Map<SpaceId, OrderedMap<PendingWrite>>();
  /** Per index space: key of the document, or null for a row that is gone. */
  readonly #rows = new Map<SpaceId, OrderedMap<string | null>>();
  readonly #journal: Change[] = [];

  get isEmpty(): boolean {
    return this.#journal.length === 0;
  }

  document(space: SpaceId, key: string): PendingWrite | undefined {
    return this.#documents.get(space)?.get(key);
  }

  /** Own rows of a space in key order, as seen by a scan. */
  rows(space: SpaceId): OrderedMap<string | null> | undefined {
    return this.#rows.get(space);
  }

  /** Own writes to a table's documents. */
  *writesTo(table: Table): IterableIterator<PendingWrite> {
    const written = this.#documents.get(table.byId.space);
    if (written !== undefined) yield* written.values();
  }

  *writes(): IterableIterator<PendingWrite> {
    for (const written of this.#documents.values()) yield* written.values();
  }

  put(write: PendingWrite): void {
    const { table, key } = write;
    let written = this.#documents.get(table.byId.space);
    if (written === undefined) {
      written = newOrderedMap<PendingWrite>();
      this.#documents.set(table.byId.space, written);
    }
    const replaced = written.get(key);
    written.set(key, write);
    this.#journal.push({ write, replaced });
    this.#replaceRows(table, replaced === undefined ? write.before : replaced.after, write);
  }

  savepoint(): Savepoint {
    return this.#journal.length;
  }

  rollbackTo(savepoint: Savepoint): void {
    while (this.#journal.length > savepoint) {
      const change = this.#journal.pop();
      if (change === undefined) return;
      const { write, replaced } = change;
      const written = this.#documents.get(write.table.byId.space);
      if (replaced === undefined) written?.delete(write.key);
      else written?.set(write.key, replaced);
      const restored = replaced === undefined ? write.before : replaced.after;
      this.#replaceRows(write.table, write.after, { ...write, after: restored });
    }
  }

  /** A row that was never there may be marked as gone: that hides nothing. */
  #replaceRows(table: Table, old: DocumentVersion | null, write: PendingWrite): void {
    this.#setRow(table.byId.space, write.key, write.after === null ? null : write.key);
    for (const index of table.indexes.values()) {
      if (old !== null) this.#setRow(index.space, indexKey(index.fields, old.value), null);
      if (write.after !== null) {
        this.#setRow(index.space, indexKey(index.fields, write.after.value), write.key);
      }
    }
  }

  #setRow(space: SpaceId, key: string, value: string | null): void {
    let rows = this.#rows.get(space);
    if (rows === undefined) {
      rows = newOrderedMap<string | null>();
      this.#rows.set(space, rows);
    }
    rows.set(key, value);
  }
}

import { isDocumentSpace, type SpaceId } from "../store/store.js";
import type { OrderedMap } from "../store/orderedMap.js";
import type { History } from "./history.js";
import { type Interval, keyAfter, type ReadSet } from "./readSet.js";
import type { WriteSet } from "./writeSet.js";

/** Rows asked of the store at once: few at first, since most readers stop early. */
const FIRST_CHUNK_ROWS = 16;
/** The same where documents are seldom in memory: then they come with their rows at once. */
const FIRST_COLD_ROWS = 4;
const CHUNK_ROWS_MAX = 512;
/** Who has taken a first chunk gets the next rows with their documents, which may be large. */
const DOCUMENT_ROWS_MAX = 64;

/** A row of an index: its key, and the by_id key of its document. */
export type IndexRow = { key: string; documentKey: string };
export type ScanSource = {
  history: History;
  ts: bigint;
  /** Own writes, merged in. */
  writes: WriteSet;
  /** Grows by what was consumed. */
  reads: ReadSet;
};
export type IndexScan = {
  space: SpaceId;
  /** Where the documents of the rows are. */
  documents: SpaceId;
  interval: Interval;
  order: "asc" | "desc";
};

/**
 * Walks a range of an index at a snapshot, own writes included. The read set is extended by
 * exactly the part walked over: up to the last row given out, or to the end once it is reached.
 */
export class RangeScan {
  readonly #source: ScanSource;
  readonly #scan: IndexScan;
  /** What is left to read from the store. */
  #rest: Interval;
  #isExhausted = false;
  #isDone = false;
  #buffer: IndexRow[] = [];
  #at = 0;
  #chunkRows = FIRST_CHUNK_ROWS;
  /** What has not been given out: its edge is how far own writes are merged. */
  #open: Interval;

  constructor(source: ScanSource, scan: IndexScan) {
    this.#source = source;
    this.#scan = scan;
    this.#rest = { ...scan.interval };
    this.#open = { ...scan.interval };
  }

  next(): IndexRow | null {
    while (!this.#isDone) {
      const stored = this.#peekStored();
      const own = this.#peekOwn();
      const row: OwnRow | null = this.#isFirst(own, stored) ? own : stored;
      // An own row hides the stored one of the same key.
      if (row !== null && row.key === stored?.key) this.#at += 1;
      if (row === null) {
        this.#consume(null);
        return null;
      }
      this.#consume(row.key);
      if (row.documentKey !== null) return { key: row.key, documentKey: row.documentKey };
    }
    return null;
  }

  #isFirst(own: OwnRow | null, stored: IndexRow | null): own is OwnRow {
    if (own === null) return false;
    if (stored === null) return true;
    return this.#scan.order === "asc" ? own.key <= stored.key : own.key >= stored.key;
  }

  #peekStored(): IndexRow | null {
    if (this.#at >= this.#buffer.length && !this.#isExhausted) this.#fill();
    return this.#buffer[this.#at] ?? null;
  }

  #fill(): void {
    const { space, documents, order } = this.#scan;
    const { history, ts } = this.#source;
    const isFirst = this.#chunkRows === FIRST_CHUNK_ROWS;
    const range = { space, ...this.#rest, order };
    const isCold = isFirst && history.cache.isCold(documents);
    const withDocuments = isFirst ? FIRST_COLD_ROWS : DOCUMENT_ROWS_MAX;
    const spec =
      isDocumentSpace(space) || (isFirst && !isCold)
        ? { ...range, limit: this.#chunkRows }
        : { ...range, limit: Math.min(this.#chunkRows, withDocuments), documents };
    const chunk = history.scan(spec, ts);
    this.#chunkRows = Math.min(this.#chunkRows * 4, CHUNK_ROWS_MAX);
    this.#isExhausted = chunk.isExhausted;
    const isDocuments = isDocumentSpace(space);
    this.#buffer = chunk.rows.map(({ key, value }) => ({
      key,
      documentKey: isDocuments ? key : value,
    }));
    this.#at = 0;
    const last = chunk.rows.at(-1);
    if (last === undefined) return;
    if (order === "asc") this.#rest = { lo: keyAfter(last.key), hi: this.#rest.hi };
    else this.#rest = { lo: this.#rest.lo, hi: last.key };
  }

  #peekOwn(): OwnRow | null {
    const rows = this.#source.writes.rows(this.#scan.space);
    if (rows === undefined) return null;
    return this.#scan.order === "asc" ? this.#ownAscending(rows) : this.#ownDescending(rows);
  }

  #ownAscending(rows: OrderedMap<string | null>): OwnRow | null {
    const pair = rows.getPairOrNextHigher(this.#open.lo);
    if (pair === undefined) return null;
    const [key, documentKey] = pair;
    return this.#open.hi !== null && key >= this.#open.hi ? null : { key, documentKey };
  }

  #ownDescending(rows: OrderedMap<string | null>): OwnRow | null {
    const pair = rows.nextLowerPair(this.#open.hi ?? undefined);
    if (pair === undefined) return null;
    const [key, documentKey] = pair;
    return key < this.#open.lo ? null : { key, documentKey };
  }

  /** Moves the edge past `key`, or to the end. */
  #consume(key: string | null): void {
    const { space, order } = this.#scan;
    const { lo, hi } = this.#open;
    if (key === null) {
      this.#source.reads.add(space, this.#open);
      this.#isDone = true;
    } else if (order === "asc") {
      const edge = keyAfter(key);
      this.#source.reads.add(space, { lo, hi: edge });
      this.#open = { lo: edge, hi };
    } else {
      this.#source.reads.add(space, { lo: key, hi });
      this.#open = { lo, hi: key };
    }
  }
}

/** `documentKey` is null where the transaction removed the row. */
type OwnRow = { key: string; documentKey: string | null };

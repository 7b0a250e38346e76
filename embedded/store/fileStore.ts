import { join } from "node:path";
import Database from "libsql";
import { type FolderLock, lockDataFolder, unusable } from "./dataFolder.js";
import { DocumentCounts } from "./documentCounts.js";
import { prepareFormat, readFormat, refuseNewer } from "./format.js";
import {
  isDocumentSpace,
  type Row,
  type ScanSpec,
  type SpaceId,
  type Store,
  type StoreBatch,
  StoreFailure,
  type StoreWrite,
} from "./store.js";

export const DATABASE_FILE = "data.sqlite";
/** No key begins with this byte, so it ends every space. */
const END_OF_SPACE = "\xff";
/** While more commits keep coming, a sync waits for them as long as the last one took, at most this. */
const COLLECT_MS_MAX = 5;
/** Pages of the file that SQLite keeps in memory, in KiB. */
const PAGE_CACHE_KIB = 32 * 1024;
/** The write-ahead log shrinks back to this after a burst. */
const LOG_BYTES_KEPT = 64 * 1024 * 1024;

type Statement = Database.Statement;
/** The statements of one of the two tables. */
type TableStatements = Record<
  "get" | "put" | "update" | "remove" | "drop" | "asc" | "desc" | "count",
  Statement
>;

const JOINED = `SELECT idx.key AS key, idx.value AS value, docs.value AS document
  FROM idx LEFT JOIN docs ON docs.space = ? AND docs.key = idx.value
  WHERE idx.space = ? AND idx.key >= ? AND idx.key < ? ORDER BY idx.key`;

const toBlob = (key: string): Buffer => Buffer.from(key, "latin1");

/**
 * Keeps everything in one SQLite file. Commits are collected in an open SQL transaction, where
 * later reads see them, and made durable together: at the end of the event loop's turn, or some turns
 * later while each brings more. If the
 * disk refuses, the store is broken for good: what memory says and what the disk holds may differ,
 * so every later call throws and the process must be started again.
 */
export class FileStore implements Store {
  readonly #db: Database.Database;
  readonly #lock: FolderLock;
  readonly #docs: TableStatements;
  readonly #index: TableStatements;
  /** Rows of an index with their documents. */
  readonly #joined: Record<"asc" | "desc", Statement>;
  readonly #meta: Record<"get" | "put" | "remove" | "scan", Statement>;
  /** Documents in each space, so that nobody has to scan for it; written down with each SQL commit. */
  readonly #counts: DocumentCounts;
  #pending: Promise<void> | null = null;
  #failure: StoreFailure | null = null;
  readonly #failureListeners: ((failure: StoreFailure) => void)[] = [];
  /** Commits in the open SQL transaction. */
  #collected = 0;
  #lastSyncMs = 0;
  #isClosed = false;

  /** Throws DataFolderError when the folder is in use, damaged, or written by a newer version. */
  static open(folder: string, options: { isSynced?: boolean } = {}): FileStore {
    const lock = lockDataFolder(folder);
    try {
      const db = new Database(join(folder, DATABASE_FILE));
      // First of all: what follows writes to the file.
      refuseNewer(readFormat(db), folder);
      db.exec("PRAGMA journal_mode = WAL");
      db.exec(`PRAGMA synchronous = ${options.isSynced === false ? "NORMAL" : "FULL"}`);
      db.exec(`PRAGMA cache_size = -${PAGE_CACHE_KIB}`);
      db.exec(`PRAGMA journal_size_limit = ${LOG_BYTES_KEPT}`);
      prepareFormat(db);
      return new FileStore(db, lock);
    } catch (error) {
      lock.release();
      throw unusable(folder, error);
    }
  }

  private constructor(db: Database.Database, lock: FolderLock) {
    this.#db = db;
    this.#lock = lock;
    this.#docs = tableStatements(db, "docs");
    this.#index = tableStatements(db, "idx");
    this.#joined = {
      asc: db.prepare(`${JOINED} LIMIT ?`),
      desc: db.prepare(`${JOINED} DESC LIMIT ?`),
    };
    this.#counts = new DocumentCounts(db);
    this.#meta = {
      get: db.prepare("SELECT value FROM meta WHERE key = ?"),
      put: db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"),
      remove: db.prepare("DELETE FROM meta WHERE key = ?"),
      scan: db.prepare("SELECT key, value FROM meta WHERE key >= ? AND key < ? ORDER BY key"),
    };
  }

  get(space: SpaceId, key: string): string | null {
    this.#assertUsable();
    // Each statement selects exactly these columns.
    const row = this.#of(space).get.get(space, toBlob(key)) as { value: unknown } | undefined;
    return row === undefined ? null : asText(row.value);
  }

  scan(spec: ScanSpec): Row[] {
    this.#assertUsable();
    const { space, lo, hi, order, limit, documents } = spec;
    const bounds = [space, toBlob(lo), toBlob(hi ?? END_OF_SPACE), limit];
    const found =
      documents === undefined
        ? this.#of(space)[order].all(...bounds)
        : this.#joined[order].all(documents, ...bounds);
    // Each statement selects exactly these columns.
    const rows = found as { key: unknown; value: unknown; document?: string | null }[];
    return rows.map(({ key, value, document }) => ({
      key: asText(key),
      value: asText(value),
      ...(document === undefined || document === null ? {} : { document }),
    }));
  }

  count(space: SpaceId, lo: string, hi: string | null): number {
    if (isDocumentSpace(space) && lo === "" && hi === null) return this.#counts.of(space);
    const found = this.#of(space).count.get(space, toBlob(lo), toBlob(hi ?? END_OF_SPACE));
    // The statement selects exactly this column.
    return (found as { n: number }).n;
  }

  metaGet(key: string): string | null {
    // The column is declared TEXT NOT NULL.
    const row = this.#meta.get.get(key) as { value: string } | undefined;
    return row?.value ?? null;
  }

  metaScan(prefix: string): Row[] {
    // Both columns are declared TEXT NOT NULL.
    return this.#meta.scan.all(prefix, `${prefix}\u{10ffff}`) as Row[];
  }

  commit({ writes, meta = [], drop = [] }: StoreBatch): void {
    this.#assertUsable();
    try {
      if (this.#pending === null) this.#begin();
      this.#collected += 1;
      for (const space of drop) {
        this.#of(space).drop.run(space);
        this.#counts.reset(space);
      }
      for (const write of writes) {
        if (isDocumentSpace(write.space)) this.#writeDocument(write);
        else this.#writeRow(write);
      }
      for (const { key, value } of meta) {
        if (value === null) this.#meta.remove.run(key);
        else this.#meta.put.run(key, value);
      }
    } catch (error) {
      throw this.#fail(error);
    }
  }

  flush(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return this.#pending ?? Promise.resolve();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.flush();
    } finally {
      this.#db.close();
      this.#lock.release();
    }
  }

  #writeDocument({ space, key, value }: StoreWrite): void {
    const blob = toBlob(key);
    if (value === null) {
      this.#counts.add(space, -this.#docs.remove.run(space, blob).changes);
    } else if (this.#docs.update.run(value, space, blob).changes === 0) {
      this.#docs.put.run(space, blob, value);
      this.#counts.add(space, 1);
    }
  }

  #writeRow({ space, key, value }: StoreWrite): void {
    if (value === null) this.#index.remove.run(space, toBlob(key));
    else this.#index.put.run(space, toBlob(key), toBlob(value));
  }

  #begin(): void {
    this.#db.exec("BEGIN IMMEDIATE");
    const openedAt = performance.now();
    const pending = new Promise<void>((resolve, reject) => {
      let seen = 0;
      const settle = () => {
        const isGrowing = this.#collected > seen;
        seen = this.#collected;
        const waitMs = Math.min(this.#lastSyncMs, COLLECT_MS_MAX);
        if (isGrowing && performance.now() - openedAt < waitMs) setImmediate(settle);
        else this.#sync(resolve, reject);
      };
      setImmediate(settle);
    });
    // Whoever asks for durability hears of a failure through flush; nobody may be asking.
    pending.catch(() => undefined);
    this.#pending = pending;
  }

  #sync(resolve: () => void, reject: (error: Error) => void): void {
    this.#pending = null;
    this.#collected = 0;
    if (this.#failure !== null) {
      reject(this.#failure);
      return;
    }
    const startedAt = performance.now();
    try {
      this.#counts.save();
      this.#db.exec("COMMIT");
      this.#lastSyncMs = performance.now() - startedAt;
      resolve();
    } catch (error) {
      reject(this.#fail(error));
    }
  }

  #fail(error: unknown): StoreFailure {
    if (this.#failure !== null) return this.#failure;
    const reason = error instanceof Error ? error.message : String(error);
    const failure = new StoreFailure(
      `The data folder could not be written (${reason}): free the disk or fix the folder, then start again.`,
      { cause: error },
    );
    this.#failure = failure;
    for (const listener of this.#failureListeners.splice(0)) listener(failure);
    return failure;
  }

  onFailure(listener: (failure: StoreFailure) => void): void {
    if (this.#failure === null) this.#failureListeners.push(listener);
    else listener(this.#failure);
  }

  #assertUsable(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#isClosed) throw new Error("The store is closed.");
  }

  #of(space: SpaceId): TableStatements {
    return isDocumentSpace(space) ? this.#docs : this.#index;
  }
}

function tableStatements(db: Database.Database, table: "docs" | "idx"): TableStatements {
  const within = "space = ? AND key >= ? AND key < ?";
  const select = `SELECT key, value FROM ${table} WHERE ${within} ORDER BY key`;
  return {
    get: db.prepare(`SELECT value FROM ${table} WHERE space = ? AND key = ?`),
    put: db.prepare(`INSERT OR REPLACE INTO ${table} (space, key, value) VALUES (?, ?, ?)`),
    update: db.prepare(`UPDATE ${table} SET value = ? WHERE space = ? AND key = ?`),
    remove: db.prepare(`DELETE FROM ${table} WHERE space = ? AND key = ?`),
    drop: db.prepare(`DELETE FROM ${table} WHERE space = ?`),
    asc: db.prepare(`${select} LIMIT ?`),
    desc: db.prepare(`${select} DESC LIMIT ?`),
    count: db.prepare(`SELECT count(*) AS n FROM ${table} WHERE ${within}`),
  };
}

/** Blobs come as Buffer from `get` and as ArrayBuffer from `all`. */
function asText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Buffer.isBuffer(value)) return value.toString("latin1");
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("latin1");
  throw new Error(`The data file holds a ${typeof value} where text belongs.`);
}

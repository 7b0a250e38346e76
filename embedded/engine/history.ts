/**
 * Reads at older snapshots. The store holds only the newest versions; while somebody still reads
 * at an older timestamp, each commit leaves here what it replaced. A read at `ts` takes the value
 * that the first commit after `ts` replaced, or the store's when no commit after `ts` touched it.
 */
import { newOrderedMap, type OrderedMap } from "../store/orderedMap.js";
import type { Row, ScanSpec, SpaceId, Store } from "../store/store.js";
import { DocumentCache } from "./documentCache.js";
import { DocumentVersion } from "./documents.js";

type Replaced = { ts: bigint; before: string | null };
export type RowChange = { space: SpaceId; key: string; before: string | null };
/** Rows in scan order; `next` is where to go on, null when the interval is exhausted. */
export type Chunk = { rows: Row[]; isExhausted: boolean };

export class History {
  /** Of the store's documents, that is of the newest versions. */
  readonly cache = new DocumentCache();
  readonly #store: Store;
  /** Oldest first per key. */
  readonly #replaced = new Map<SpaceId, OrderedMap<Replaced[]>>();
  /** In order of commit: what to forget first. */
  #order: { ts: bigint; space: SpaceId; key: string }[] = [];
  /** Readers per snapshot. Oldest first: a snapshot is taken at the newest timestamp or shared. */
  readonly #readers = new Map<bigint, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  enter(ts: bigint): void {
    this.#readers.set(ts, (this.#readers.get(ts) ?? 0) + 1);
  }

  leave(ts: bigint): void {
    const left = (this.#readers.get(ts) ?? 1) - 1;
    if (left > 0) {
      this.#readers.set(ts, left);
      return;
    }
    this.#readers.delete(ts);
    this.#forget();
  }

  isHeld(ts: bigint): boolean {
    return this.#readers.has(ts);
  }

  /** Null when nobody reads. */
  oldestReader(): bigint | null {
    for (const ts of this.#readers.keys()) return ts;
    return null;
  }

  /** Called by the committer, before the store changes. */
  record(ts: bigint, changes: readonly RowChange[]): void {
    if (this.#readers.size === 0) return;
    for (const { space, key, before } of changes) {
      let keys = this.#replaced.get(space);
      if (keys === undefined) {
        keys = newOrderedMap<Replaced[]>();
        this.#replaced.set(space, keys);
      }
      const versions = keys.get(key);
      if (versions === undefined) keys.set(key, [{ ts, before }]);
      else versions.push({ ts, before });
      this.#order.push({ ts, space, key });
    }
  }

  document(space: SpaceId, key: string, ts: bigint): DocumentVersion | null {
    const versions = this.#replaced.get(space)?.get(key);
    const replaced = versions?.find((version) => version.ts > ts);
    if (replaced !== undefined) {
      return replaced.before === null ? null : DocumentVersion.ofJson(replaced.before);
    }
    const cached = this.cache.get(space, key);
    if (cached !== undefined) return cached;
    const json = this.#store.get(space, key);
    if (json === null) return null;
    const version = DocumentVersion.ofJson(json);
    this.cache.set(space, key, version);
    return version;
  }

  scan(spec: ScanSpec, ts: bigint): Chunk {
    const rows = this.#store.scan(spec);
    this.#keepDocuments(spec, rows);
    const isExhausted = rows.length < spec.limit;
    const changed = this.#changedWithin(spec, isExhausted ? null : (rows.at(-1)?.key ?? null), ts);
    if (changed.size === 0) return { rows, isExhausted };
    const merged = rows.filter((row) => !changed.has(row.key));
    for (const [key, value] of changed) if (value !== null) merged.push({ key, value });
    const sign = spec.order === "asc" ? 1 : -1;
    merged.sort((a, b) => (a.key < b.key ? -sign : sign));
    // The keys that filled the chunk may all be newer than the snapshot: then go on behind them.
    const last = rows.at(-1);
    if (merged.length > 0 || isExhausted || last === undefined)
      return { rows: merged, isExhausted };
    const rest =
      spec.order === "asc" ? { ...spec, lo: `${last.key}\0` } : { ...spec, hi: last.key };
    return this.scan(rest, ts);
  }

  /** The store's documents are the newest versions, which is what the cache is for. */
  #keepDocuments({ documents }: ScanSpec, rows: readonly Row[]): void {
    if (documents === undefined) return;
    for (const { value: key, document } of rows) {
      if (document === undefined || this.cache.get(documents, key) !== undefined) continue;
      this.cache.set(documents, key, DocumentVersion.ofJson(document));
    }
  }

  count(interval: { space: SpaceId; lo: string; hi: string | null }, ts: bigint): number {
    const { space, lo, hi } = interval;
    let count = this.#store.count(space, lo, hi);
    const spec: ScanSpec = { space, lo, hi, order: "asc", limit: 0 };
    for (const [key, value] of this.#changedWithin(spec, null, ts)) {
      const isThere = this.#store.get(space, key) !== null;
      if (isThere && value === null) count -= 1;
      if (!isThere && value !== null) count += 1;
    }
    return count;
  }

  /** Values at `ts` of the keys that changed since, from the scan's start through `last`. */
  #changedWithin(spec: ScanSpec, last: string | null, ts: bigint): Map<string, string | null> {
    const changed = new Map<string, string | null>();
    const keys = this.#replaced.get(spec.space);
    if (keys === undefined) return changed;
    const lo = spec.order === "desc" && last !== null ? last : spec.lo;
    for (const [key, versions] of keys.entries(lo)) {
      if (spec.hi !== null && key >= spec.hi) break;
      if (spec.order === "asc" && last !== null && key > last) break;
      const replaced = versions.find((version) => version.ts > ts);
      if (replaced !== undefined) changed.set(key, replaced.before);
    }
    return changed;
  }

  #forget(): void {
    const oldest = this.oldestReader();
    if (oldest === null) {
      this.#replaced.clear();
      this.#order = [];
      return;
    }
    let forgotten = 0;
    for (const { ts, space, key } of this.#order) {
      if (ts > oldest) break;
      forgotten += 1;
      const keys = this.#replaced.get(space);
      const versions = keys?.get(key);
      versions?.shift();
      if (versions?.length === 0) keys?.delete(key);
    }
    if (forgotten > 0) this.#order.splice(0, forgotten);
  }
}

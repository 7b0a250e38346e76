import { newOrderedMap, type OrderedMap } from "./orderedMap.js";
import type { MetaWrite, Row, ScanSpec, SpaceId, Store, StoreBatch } from "./store.js";

/** Keeps everything in memory; durable at once, gone with the process. */
export class MemoryStore implements Store {
  readonly #spaces = new Map<SpaceId, OrderedMap<string>>();
  readonly #meta = newOrderedMap<string>();

  get(space: SpaceId, key: string): string | null {
    return this.#spaces.get(space)?.get(key) ?? null;
  }

  scan({ space, lo, hi, order, limit }: ScanSpec): Row[] {
    const tree = this.#spaces.get(space);
    if (tree === undefined) return [];
    const rows: Row[] = [];
    if (order === "asc") {
      for (const [key, value] of tree.entries(lo)) {
        if (rows.length >= limit || (hi !== null && key >= hi)) break;
        rows.push({ key, value });
      }
    } else {
      for (const [key, value] of tree.entriesReversed(hi ?? undefined, undefined, true)) {
        if (rows.length >= limit || key < lo) break;
        rows.push({ key, value });
      }
    }
    return rows;
  }

  count(space: SpaceId, lo: string, hi: string | null): number {
    const tree = this.#spaces.get(space);
    const last = tree?.maxKey();
    if (tree === undefined || last === undefined || (hi !== null && hi <= lo)) return 0;
    if (hi === null && lo === "") return tree.size;
    return hi === null ? tree.forRange(lo, last, true) : tree.forRange(lo, hi, false);
  }

  metaGet(key: string): string | null {
    return this.#meta.get(key) ?? null;
  }

  metaScan(prefix: string): Row[] {
    const rows: Row[] = [];
    for (const [key, value] of this.#meta.entries(prefix)) {
      if (!key.startsWith(prefix)) break;
      rows.push({ key, value });
    }
    return rows;
  }

  commit({ writes, meta = [], drop = [] }: StoreBatch): void {
    for (const space of drop) this.#spaces.delete(space);
    for (const { space, key, value } of writes) {
      let tree = this.#spaces.get(space);
      if (tree === undefined) {
        tree = newOrderedMap<string>();
        this.#spaces.set(space, tree);
      }
      if (value === null) tree.delete(key);
      else tree.set(key, value);
    }
    for (const write of meta) this.#writeMeta(write);
  }

  #writeMeta({ key, value }: MetaWrite): void {
    if (value === null) this.#meta.delete(key);
    else this.#meta.set(key, value);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  onFailure(): void {
    // Memory does not refuse.
  }

  close(): Promise<void> {
    this.#spaces.clear();
    return Promise.resolve();
  }
}

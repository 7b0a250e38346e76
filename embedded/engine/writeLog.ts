import type { ReadSet } from "./readSet.js";
import type { SpaceId } from "../store/store.js";

/** The keys a commit touched, old and new, by space. */
export type Touched = ReadonlyMap<SpaceId, readonly string[]>;
export type LogEntry = { ts: bigint; touched: Touched };

/** Kept even when no transaction needs them, for readers that subscribe a moment later. */
const ENTRIES_KEPT = 1_000;
/** Keys in all entries, beyond which fewer entries are kept. */
const KEYS_KEPT = 100_000;

/** The recent commits, oldest first: against them read sets are checked. */
export class WriteLog {
  #entries: LogEntry[] = [];
  #keys = 0;
  /** Reads at this timestamp or later can be checked; before it entries may be gone. */
  #floor: bigint;

  constructor(floor: bigint) {
    this.#floor = floor;
  }

  append(entry: LogEntry, oldestNeeded: bigint | null): void {
    this.#entries.push(entry);
    this.#keys += keysOf(entry);
    // Trimmed in batches, so that the cost per commit stays constant.
    if (this.#entries.length < 2 * ENTRIES_KEPT && this.#keys < 2 * KEYS_KEPT) return;
    let drop = this.#superfluous();
    if (oldestNeeded !== null) drop = Math.min(drop, this.#firstAfter(oldestNeeded));
    const last = this.#entries[drop - 1];
    if (last === undefined) return;
    this.#floor = last.ts;
    for (const dropped of this.#entries.splice(0, drop)) this.#keys -= keysOf(dropped);
  }

  /** The space of a key in `reads` that a commit after `ts` touched; "unknown" when too long ago. */
  conflict(reads: ReadSet, ts: bigint): SpaceId | "unknown" | null {
    if (ts < this.#floor) return "unknown";
    for (let at = this.#firstAfter(ts); at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry === undefined) break;
      for (const [space, keys] of entry.touched) {
        if (keys.some((key) => reads.covers(space, key))) return space;
      }
    }
    return null;
  }

  /** All reads before this moment are out of date. */
  reset(floor: bigint): void {
    this.#entries = [];
    this.#keys = 0;
    this.#floor = floor;
  }

  /** How many of the oldest go beyond what is kept. */
  #superfluous(): number {
    let keys = this.#keys;
    let drop = 0;
    for (const entry of this.#entries) {
      if (this.#entries.length - drop <= ENTRIES_KEPT && keys <= KEYS_KEPT) break;
      keys -= keysOf(entry);
      drop += 1;
    }
    return drop;
  }

  #firstAfter(ts: bigint): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.ts ?? ts) <= ts) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function keysOf({ touched }: LogEntry): number {
  let count = 0;
  for (const keys of touched.values()) count += keys.length;
  return count;
}

/**
 * What a transaction has observed: for each index, the intervals of keys whose contents its
 * answer depends on. Intervals are half open, `[lo, hi)`, over order-preserving keys.
 */
import type { SpaceId } from "../store/store.js";

/** `hi === null` means "to the end of the space". */
export type Interval = { lo: string; hi: string | null };

/** The smallest key greater than `key`. */
export const keyAfter = (key: string): string => `${key}\0`;

const isEmpty = ({ lo, hi }: Interval): boolean => hi !== null && hi <= lo;

/** Collects intervals; merges lazily so that recording is O(1) and lookup O(log n). */
export class ReadSet {
  readonly #spaces = new Map<SpaceId, { intervals: Interval[]; isMerged: boolean }>();

  add(space: SpaceId, interval: Interval): void {
    if (isEmpty(interval)) return;
    const held = this.#spaces.get(space);
    if (held === undefined) {
      this.#spaces.set(space, { intervals: [{ ...interval }], isMerged: true });
      return;
    }
    // A scan adds one adjoining piece after the other: grow the last interval instead of listing them.
    const last = held.intervals.at(-1);
    if (last?.hi === interval.lo) last.hi = interval.hi;
    else if (last?.lo === interval.hi) last.lo = interval.lo;
    else held.intervals.push({ ...interval });
    held.isMerged = held.intervals.length === 1;
  }

  addPoint(space: SpaceId, key: string): void {
    this.add(space, { lo: key, hi: keyAfter(key) });
  }

  /** The spaces touched, each with sorted, disjoint intervals. */
  *entries(): IterableIterator<[SpaceId, readonly Interval[]]> {
    for (const space of this.#spaces.keys()) yield [space, this.intervalsOf(space)];
  }

  intervalsOf(space: SpaceId): readonly Interval[] {
    const held = this.#spaces.get(space);
    if (held === undefined) return [];
    if (!held.isMerged) {
      held.intervals = merge(held.intervals);
      held.isMerged = true;
    }
    return held.intervals;
  }

  covers(space: SpaceId, key: string): boolean {
    return stab(this.intervalsOf(space), key);
  }
}

/** Whether one of the sorted, disjoint intervals holds `key`. */
function stab(intervals: readonly Interval[], key: string): boolean {
  let low = 0;
  let high = intervals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const interval = intervals[middle];
    if (interval === undefined) return false;
    if (interval.hi !== null && interval.hi <= key) low = middle + 1;
    else high = middle;
  }
  const found = intervals[low];
  return found !== undefined && found.lo <= key;
}

function merge(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals.toSorted((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
  const merged: Interval[] = [];
  for (const next of sorted) {
    const last = merged.at(-1);
    if (last === undefined || (last.hi !== null && last.hi < next.lo)) {
      merged.push({ ...next });
    } else if (last.hi !== null && (next.hi === null || next.hi > last.hi)) {
      last.hi = next.hi;
    }
  }
  return merged;
}

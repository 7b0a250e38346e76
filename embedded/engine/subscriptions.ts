import type { SpaceId } from "../store/store.js";
import { IntervalTree } from "./intervalTree.js";
import type { Interval, ReadSet } from "./readSet.js";
import type { Touched } from "./writeLog.js";

export type Subscription = {
  /** False once a commit touched what was read. */
  readonly isValid: boolean;
  close(): void;
};

class Entry implements Subscription {
  isValid = true;
  isClosed = false;
  readonly intervals: (readonly [SpaceId, Interval])[] = [];
  readonly onInvalidated: () => void;
  readonly #remove: (entry: Entry) => void;

  constructor(onInvalidated: () => void, remove: (entry: Entry) => void) {
    this.onInvalidated = onInvalidated;
    this.#remove = remove;
  }

  close(): void {
    this.isClosed = true;
    this.#remove(this);
  }
}

/** Who wants to hear of changes to what. A subscription is invalidated at most once, then gone. */
export class Subscriptions {
  readonly #entries = new Set<Entry>();
  readonly #trees = new Map<SpaceId, IntervalTree<Entry>>();

  add(reads: ReadSet, onInvalidated: () => void): Subscription {
    const entry = new Entry(onInvalidated, (closed) => {
      this.#remove(closed);
    });
    this.#entries.add(entry);
    for (const [space, intervals] of reads.entries()) {
      for (const interval of intervals) {
        entry.intervals.push([space, interval]);
        this.#treeOf(space).add(interval, entry);
      }
    }
    return entry;
  }

  /** Already out of date when it is made. */
  addStale(onInvalidated: () => void): Subscription {
    const entry = new Entry(onInvalidated, () => undefined);
    this.#invalidate(entry);
    return entry;
  }

  onCommit(touched: Touched): void {
    for (const [space, keys] of touched) {
      const tree = this.#trees.get(space);
      if (tree === undefined) continue;
      for (const key of keys) for (const entry of tree.stab(key)) this.#invalidate(entry);
    }
  }

  invalidateAll(): void {
    for (const entry of [...this.#entries]) this.#invalidate(entry);
  }

  #invalidate(entry: Entry): void {
    if (!entry.isValid) return;
    entry.isValid = false;
    this.#remove(entry);
    queueMicrotask(() => {
      if (!entry.isClosed) entry.onInvalidated();
    });
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    for (const [space, interval] of entry.intervals) {
      const tree = this.#trees.get(space);
      tree?.remove(interval, entry);
      if (tree?.isEmpty === true) this.#trees.delete(space);
    }
  }

  #treeOf(space: SpaceId): IntervalTree<Entry> {
    let tree = this.#trees.get(space);
    if (tree === undefined) {
      tree = new IntervalTree<Entry>();
      this.#trees.set(space, tree);
    }
    return tree;
  }
}

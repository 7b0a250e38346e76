import type { Interval } from "./readSet.js";

/** A node of a treap ordered by `lo`; `reach` is the highest `hi` below it (null: unbounded). */
type Node<T> = {
  readonly interval: Interval;
  readonly item: T;
  readonly priority: number;
  reach: string | null;
  left: Node<T> | null;
  right: Node<T> | null;
};

/** Intervals with owners: add and remove in O(log n), stab in O(log n + answers). */
export class IntervalTree<T> {
  #root: Node<T> | null = null;
  #priority = 1;

  get isEmpty(): boolean {
    return this.#root === null;
  }

  add(interval: Interval, item: T): void {
    // Uneven enough to keep the tree flat, and the same in every run.
    this.#priority = (Math.imul(this.#priority, 1_664_525) + 1_013_904_223) >>> 0;
    const priority = this.#priority;
    const node: Node<T> = { interval, item, priority, reach: interval.hi, left: null, right: null };
    this.#root = insert(this.#root, node);
  }

  remove(interval: Interval, item: T): void {
    this.#root = remove(this.#root, interval, item);
  }

  /** The owners of all intervals that hold `key`; one with several intervals may come twice. */
  stab(key: string): T[] {
    const found: T[] = [];
    const open: (Node<T> | null)[] = [this.#root];
    while (open.length > 0) {
      const node = open.pop();
      if (node === undefined || node === null) continue;
      if (node.reach !== null && node.reach <= key) continue;
      open.push(node.left);
      if (node.interval.lo > key) continue;
      if (node.interval.hi === null || node.interval.hi > key) found.push(node.item);
      open.push(node.right);
    }
    return found;
  }
}

function insert<T>(node: Node<T> | null, added: Node<T>): Node<T> {
  if (node === null) return added;
  if (added.priority > node.priority) {
    [added.left, added.right] = split(node, added.interval.lo);
    return update(added);
  }
  if (added.interval.lo < node.interval.lo) node.left = insert(node.left, added);
  else node.right = insert(node.right, added);
  return update(node);
}

/** Nodes with `lo` below the key, and the others. */
function split<T>(node: Node<T> | null, key: string): [Node<T> | null, Node<T> | null] {
  if (node === null) return [null, null];
  if (node.interval.lo < key) {
    const [low, high] = split(node.right, key);
    node.right = low;
    return [update(node), high];
  }
  const [low, high] = split(node.left, key);
  node.left = high;
  return [low, update(node)];
}

function remove<T>(node: Node<T> | null, interval: Interval, item: T): Node<T> | null {
  if (node === null) return null;
  if (node.item === item && node.interval === interval) return join(node.left, node.right);
  // Equal starts may lie on both sides after rotations.
  if (interval.lo <= node.interval.lo) node.left = remove(node.left, interval, item);
  if (interval.lo >= node.interval.lo) node.right = remove(node.right, interval, item);
  return update(node);
}

function join<T>(left: Node<T> | null, right: Node<T> | null): Node<T> | null {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority > right.priority) {
    left.right = join(left.right, right);
    return update(left);
  }
  right.left = join(left, right.left);
  return update(right);
}

function update<T>(node: Node<T>): Node<T> {
  let reach = node.interval.hi;
  for (const child of [node.left, node.right]) {
    if (child === null || reach === null) continue;
    if (child.reach === null || child.reach > reach) reach = child.reach;
  }
  node.reach = reach;
  return node;
}

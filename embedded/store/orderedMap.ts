import BTreeModule from "sorted-btree";

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

// The package is CommonJS: under Node's ESM the class is the `default` of the default import,
// under a bundler it is the import itself. The types know only the second form.
const BTree = (BTreeModule as unknown as { default?: typeof BTreeModule }).default ?? BTreeModule;

/** A map ordered by its string keys. */
export type OrderedMap<V> = BTreeModule<string, V>;

export const newOrderedMap = <V>(): OrderedMap<V> => new BTree<string, V>(undefined, compare);

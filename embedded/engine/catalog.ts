/**
 * Which tables and indexes exist and in which spaces of the store they live. Tables come into
 * being when first named; they are written down with the first commit that puts a document there.
 */
import type { MetaWrite, SpaceId, Store } from "../store/store.js";
import { SYSTEM_TABLES } from "./systemTables.js";

/** A table of one component; `componentId` "" is the root component. */
export type TableName = { componentId: string; name: string };
export type IndexSpec = { name: string; fields: readonly string[]; isStaged?: boolean };
export type Index = {
  readonly table: Table;
  readonly name: string;
  readonly space: SpaceId;
  /** The user's fields, then `_creationTime` (except by_id), then `_id`. */
  readonly fields: readonly string[];
  /** Kept up to date, but not to be used by queries yet. */
  isStaged: boolean;
};
/** A text or vector index: a way to search a table; documents are compared when it is asked. */
export type SearchIndex = { name: string; filterFields: readonly string[]; isStaged: boolean } & (
  | { kind: "text"; searchField: string }
  | { kind: "vector"; vectorField: string; dimensions: number }
);
/** Says what is wrong with a document of the table, or null. */
export type DocumentCheck = (doc: Readonly<Record<string, unknown>>) => string | null;

export type Table = TableName & {
  readonly number: number;
  readonly byId: Index;
  /** All but by_id, by name. */
  readonly indexes: Map<string, Index>;
  /** Whether the table is known to the outside: it is in the schema or was written to. */
  isMaterialized: boolean;
  check: DocumentCheck | null;
  searches: readonly SearchIndex[];
};

const META_PREFIX = "table/";
const FIRST_USER_TABLE_NUMBER = 10_001;
const FIRST_SYSTEM_TABLE_NUMBER = 1;
type StoredTable = TableName & {
  number: number;
  space: SpaceId;
  indexes: { name: string; space: SpaceId; fields: readonly string[]; isStaged?: boolean }[];
};

const tableKey = ({ componentId, name }: TableName): string => `${componentId}\0${name}`;
const numberKey = ({ componentId }: TableName, number: number): string =>
  tableKey({ componentId, name: String(number) });
export const isSystemName = (name: string): boolean => name.startsWith("_");

export class Catalog {
  /** Grows whenever the schema or the deployed code changes; older transactions cannot commit. */
  version = 0;
  readonly #tables = new Map<string, Table>();
  readonly #byNumber = new Map<string, Table>();
  readonly #bySpace = new Map<SpaceId, Index>();
  #nextUserNumber = FIRST_USER_TABLE_NUMBER;
  #nextSystemNumber = FIRST_SYSTEM_TABLE_NUMBER;
  #nextEvenSpace = 2;
  #nextOddSpace = 1;

  constructor(store: Store) {
    for (const { value } of store.metaScan(META_PREFIX)) {
      // Written by `metaOf` only.
      this.#restore(JSON.parse(value) as StoredTable);
    }
  }

  /** Creates it (not yet materialized) when there is none. */
  table(name: TableName): Table {
    return this.#tables.get(tableKey(name)) ?? this.#create(name);
  }

  /** Null when there is none, or none that the outside knows. */
  find(name: TableName): Table | null {
    const table = this.#tables.get(tableKey(name));
    return table?.isMaterialized === true ? table : null;
  }

  byNumber(componentId: string, number: number): Table | null {
    return this.#byNumber.get(numberKey({ componentId, name: "" }, number)) ?? null;
  }

  tableOfSpace(space: SpaceId): Table | null {
    return this.#bySpace.get(space)?.table ?? null;
  }

  /** Materialized tables of a component, system tables included, by name. */
  list(componentId: string): Table[] {
    return [...this.#tables.values()]
      .filter((table) => table.componentId === componentId && table.isMaterialized)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Every table of a component, in no order, those included that nobody has written to. */
  tablesOf(componentId: string): Table[] {
    return [...this.#tables.values()].filter((table) => table.componentId === componentId);
  }

  addIndex(table: Table, spec: IndexSpec): Index {
    const index: Index = {
      table,
      name: spec.name,
      space: this.#takeOddSpace(),
      fields: [...spec.fields, "_creationTime", "_id"],
      isStaged: spec.isStaged === true,
    };
    table.indexes.set(spec.name, index);
    this.#bySpace.set(index.space, index);
    return index;
  }

  removeIndex(index: Index): void {
    index.table.indexes.delete(index.name);
    this.#bySpace.delete(index.space);
  }

  /**
   * Lets `target` have the number, the spaces and the indexes of `staged`, which is gone afterwards;
   * answers the spaces left behind. A third table with that number gets a new one: it must be empty.
   */
  takeOver(target: Table, staged: Table): { dropped: SpaceId[]; renumbered: Table | null } {
    const dropped = [target.byId.space, ...[...target.indexes.values()].map(({ space }) => space)];
    for (const space of dropped) this.#bySpace.delete(space);
    this.forget(staged);
    const holder = this.byNumber(target.componentId, staged.number);
    const renumbered = holder === null || holder === target ? null : holder;
    if (renumbered !== null) this.#setNumber(renumbered, this.#takeNumber(renumbered.name));
    this.#setNumber(target, staged.number);
    // The one place where a table gets other spaces; whoever reads is stopped by the new version.
    const changed: { -readonly [K in keyof Table]: Table[K] } = target;
    changed.byId = { ...staged.byId, table: target };
    changed.isMaterialized = true;
    this.#bySpace.set(target.byId.space, target.byId);
    target.indexes.clear();
    for (const index of staged.indexes.values()) {
      const moved = { ...index, table: target };
      target.indexes.set(index.name, moved);
      this.#bySpace.set(index.space, moved);
    }
    return { dropped, renumbered };
  }

  /** Removes a table from memory; answers the key under which it was written down. */
  forget(table: Table): MetaWrite {
    this.#tables.delete(tableKey(table));
    this.#byNumber.delete(numberKey(table, table.number));
    this.#bySpace.delete(table.byId.space);
    for (const { space } of table.indexes.values()) this.#bySpace.delete(space);
    return { key: META_PREFIX + tableKey(table), value: null };
  }

  /** A table of documents that are on their way to another: `number` is what their ids say. */
  createStaged(name: TableName, number: number): Table {
    const table = this.#register(name, number, this.#takeEvenSpace());
    this.#addBuiltIn(table, this.#takeOddSpace());
    return table;
  }

  /** Ids of components that have tables. */
  componentIds(): string[] {
    return [...new Set([...this.#tables.values()].map(({ componentId }) => componentId))];
  }

  #setNumber(table: Table, number: number): void {
    this.#byNumber.delete(numberKey(table, table.number));
    const changed: { -readonly [K in keyof Table]: Table[K] } = table;
    changed.number = number;
    this.#byNumber.set(numberKey(table, number), table);
    if (isSystemName(table.name)) {
      this.#nextSystemNumber = Math.max(this.#nextSystemNumber, number + 1);
    } else this.#nextUserNumber = Math.max(this.#nextUserNumber, number + 1);
  }

  #takeNumber(name: string): number {
    return isSystemName(name) ? this.#nextSystemNumber++ : this.#nextUserNumber++;
  }

  /** What to write so that the table is there after a restart. */
  metaOf(table: Table): MetaWrite {
    const stored: StoredTable = {
      componentId: table.componentId,
      name: table.name,
      number: table.number,
      space: table.byId.space,
      indexes: [...table.indexes.values()].map(({ name, space, fields, isStaged }) => ({
        name,
        space,
        fields,
        ...(isStaged ? { isStaged } : {}),
      })),
    };
    return { key: META_PREFIX + tableKey(table), value: JSON.stringify(stored) };
  }

  #create(name: TableName): Table {
    const table = this.#register(name, this.#takeNumber(name.name), this.#takeEvenSpace());
    this.#addBuiltIn(table, this.#takeOddSpace());
    for (const spec of systemIndexes(name.name)) this.addIndex(table, spec);
    return table;
  }

  #restore(stored: StoredTable): void {
    const { componentId, name, number, space } = stored;
    const table = this.#register({ componentId, name }, number, space);
    table.isMaterialized = true;
    this.#nextEvenSpace = Math.max(this.#nextEvenSpace, space + 2);
    if (isSystemName(name)) this.#nextSystemNumber = Math.max(this.#nextSystemNumber, number + 1);
    else this.#nextUserNumber = Math.max(this.#nextUserNumber, number + 1);
    for (const index of stored.indexes) {
      const restored: Index = { isStaged: false, ...index, table };
      table.indexes.set(index.name, restored);
      this.#bySpace.set(index.space, restored);
      this.#nextOddSpace = Math.max(this.#nextOddSpace, index.space + 2);
    }
  }

  #register(name: TableName, number: number, space: SpaceId): Table {
    const indexes = new Map<string, Index>();
    const table: { -readonly [K in keyof Table]: Table[K] } = {
      ...name,
      number,
      indexes,
      isMaterialized: false,
      check: null,
      searches: [],
      // Replaced on the next line: an index and its table point at each other.
      byId: undefined as unknown as Index,
    };
    table.byId = { table, name: "by_id", space, fields: ["_id"], isStaged: false };
    this.#tables.set(tableKey(name), table);
    this.#byNumber.set(numberKey(name, number), table);
    this.#bySpace.set(space, table.byId);
    return table;
  }

  #addBuiltIn(table: Table, space: SpaceId): void {
    const index: Index = {
      table,
      name: "by_creation_time",
      space,
      fields: ["_creationTime", "_id"],
      isStaged: false,
    };
    table.indexes.set(index.name, index);
    this.#bySpace.set(space, index);
  }

  #takeEvenSpace(): SpaceId {
    const space = this.#nextEvenSpace;
    this.#nextEvenSpace += 2;
    return space;
  }

  #takeOddSpace(): SpaceId {
    const space = this.#nextOddSpace;
    this.#nextOddSpace += 2;
    return space;
  }
}

/** Indexes that the backend's own tables must have. */
export const systemIndexes = (name: string): readonly IndexSpec[] =>
  SYSTEM_TABLES.find((table) => table.name === name)?.indexes ?? [];

/** Compares the indexes a schema wants with those there are, and builds what is missing. */
import { indexKey } from "../index/fields.js";
import { encodeKey } from "../index/keys.js";
import { keyAfter } from "./readSet.js";
import type { MetaWrite, SpaceId, Store, StoreWrite } from "../store/store.js";
import type { Catalog, DocumentCheck, Index, IndexSpec, SearchIndex, Table } from "./catalog.js";
import { isSystemName } from "./catalog.js";
import { DocumentVersion } from "./documents.js";

export type SchemaTable = {
  name: string;
  indexes: readonly IndexSpec[];
  check: DocumentCheck | null;
  searches?: readonly SearchIndex[];
};
/** Everything a component's schema says; user tables it does not name lose indexes and checks. */
export type SchemaTables = { componentId: string; tables: readonly SchemaTable[] };
export type IndexPlan = { writes: StoreWrite[]; meta: MetaWrite[]; drop: SpaceId[] };

const CHUNK_ROWS = 512;
const BUILT_IN = "by_creation_time";

/** Changes the catalog; the plan must be committed to the store in the same breath. */
export function planIndexChange(catalog: Catalog, store: Store, schema: SchemaTables): IndexPlan {
  const plan = planTables(catalog, store, schema);
  const named = new Set(schema.tables.map(({ name }) => name));
  for (const table of catalog.list(schema.componentId)) {
    if (named.has(table.name) || isSystemName(table.name)) continue;
    table.check = null;
    table.searches = [];
    if (changeIndexes(catalog, { table, wanted: [], store, plan })) {
      plan.meta.push(catalog.metaOf(table));
    }
  }
  return plan;
}

/** As `planIndexChange`, for the named tables alone. */
export function planTables(catalog: Catalog, store: Store, schema: SchemaTables): IndexPlan {
  const plan: IndexPlan = { writes: [], meta: [], drop: [] };
  for (const wanted of schema.tables) {
    const table = catalog.table({ componentId: schema.componentId, name: wanted.name });
    table.check = wanted.check;
    table.searches = wanted.searches ?? [];
    const isNew = !table.isMaterialized;
    table.isMaterialized = true;
    if (changeIndexes(catalog, { table, wanted: wanted.indexes, store, plan }) || isNew) {
      plan.meta.push(catalog.metaOf(table));
    }
  }
  return plan;
}

/** Every document of a table in its newest version, in chunks. */
export function* allDocuments(store: Store, table: Table): IterableIterator<DocumentVersion> {
  let lo = "";
  for (;;) {
    const spec = {
      space: table.byId.space,
      lo,
      hi: null,
      order: "asc",
      limit: CHUNK_ROWS,
    } as const;
    const rows = store.scan(spec);
    for (const { value } of rows) yield DocumentVersion.ofJson(value);
    const last = rows.at(-1);
    if (last === undefined || rows.length < CHUNK_ROWS) return;
    lo = keyAfter(last.key);
  }
}

type TableChange = { table: Table; wanted: readonly IndexSpec[]; store: Store; plan: IndexPlan };

function changeIndexes(catalog: Catalog, { table, wanted, store, plan }: TableChange): boolean {
  const removed = [...table.indexes.values()].filter(
    (index) => index.name !== BUILT_IN && !wanted.some((spec) => isSame(index, spec)),
  );
  const restaged = wanted.filter((spec) => setStaged(table.indexes.get(spec.name), spec));
  const added = wanted.filter((spec) => {
    const index = table.indexes.get(spec.name);
    return index === undefined || !isSame(index, spec);
  });
  for (const index of removed) {
    catalog.removeIndex(index);
    plan.drop.push(index.space);
  }
  const indexes = added.map((spec) => catalog.addIndex(table, spec));
  if (indexes.length > 0) {
    for (const { value } of allDocuments(store, table)) {
      for (const { space, fields } of indexes) {
        plan.writes.push({ space, key: indexKey(fields, value), value: encodeKey(value._id) });
      }
    }
  }
  return removed.length + indexes.length + restaged.length > 0;
}

/** A staged index is built like any other; only using it is refused. Answers whether that changes. */
function setStaged(index: Index | undefined, spec: IndexSpec): boolean {
  const isStaged = spec.isStaged === true;
  if (index === undefined || !isSame(index, spec) || index.isStaged === isStaged) return false;
  index.isStaged = isStaged;
  return true;
}

function isSame(index: Index, spec: IndexSpec): boolean {
  const fields = index.fields.slice(0, -2);
  return (
    index.name === spec.name &&
    fields.length === spec.fields.length &&
    fields.every((field, at) => field === spec.fields[at])
  );
}

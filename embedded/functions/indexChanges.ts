/** Which indexes a push adds, removes, starts to use or stops using: what the CLI shows. */
import type { SearchIndex, Table } from "../engine/catalog.js";
import type { Engine } from "../engine/engine.js";
import { type SchemaTable, type SchemaTables } from "../engine/schemaChange.js";
import type { IndexChange, IndexChanges, IndexShape } from "./deployment.js";

const BUILT_IN = "by_creation_time";

/** By component path. */
export function indexChanges(
  engine: Engine,
  schemas: readonly SchemaTables[],
): Record<string, IndexChanges> {
  return Object.fromEntries(
    schemas.map((schema) => [schema.componentId, changesOf(engine, schema)]),
  );
}

function changesOf(engine: Engine, { componentId, tables }: SchemaTables): IndexChanges {
  const wanted = new Map(tables.map((table) => [table.name, table]));
  const names = new Set([...wanted.keys(), ...engine.listTables(componentId)]);
  const changes: IndexChanges = { added: [], removed: [], enabled: [], disabled: [] };
  for (const name of names) {
    const existing = engine.catalog.find({ componentId, name });
    compare(changes, {
      name,
      before: existing === null ? [] : shapesOfTable(existing),
      after: shapesOfSchema(wanted.get(name)),
    });
  }
  return changes;
}

type Named = { name: string; shape: IndexShape };

function compare(
  changes: IndexChanges,
  table: { name: string; before: readonly Named[]; after: readonly Named[] },
): void {
  const toChange = ({ name, shape }: Named): IndexChange => ({
    table: table.name,
    name,
    ...shape,
  });
  for (const index of table.after) {
    const old = table.before.find((other) => isSameIndex(other, index));
    if (old === undefined) changes.added.push(toChange(index));
    else if (isStaged(old) && !isStaged(index)) changes.enabled.push(toChange(index));
    else if (!isStaged(old) && isStaged(index)) changes.disabled.push(toChange(index));
  }
  for (const index of table.before) {
    const isKept = table.after.some((other) => isSameIndex(other, index));
    if (!isKept) changes.removed.push(toChange(index));
  }
}

const isStaged = ({ shape }: Named): boolean => shape.staged === true;

const mark = (staged: boolean): { staged?: true } => (staged ? { staged } : {});

/** Apart from being staged. */
const isSameIndex = (a: Named, b: Named): boolean =>
  JSON.stringify([a.name, { ...a.shape, staged: false }]) ===
  JSON.stringify([b.name, { ...b.shape, staged: false }]);

function shapesOfTable(table: Table): Named[] {
  const database = [...table.indexes.values()].filter(({ name }) => name !== BUILT_IN);
  return [
    ...database.map(({ name, fields, isStaged: staged }) => ({
      name,
      shape: { type: "database" as const, fields: fields.slice(0, -2), ...mark(staged) },
    })),
    ...table.searches.map(shapeOfSearch),
  ];
}

function shapesOfSchema(table: SchemaTable | undefined): Named[] {
  if (table === undefined) return [];
  return [
    ...table.indexes.map(({ name, fields, isStaged: staged = false }) => ({
      name,
      shape: { type: "database" as const, fields: [...fields], ...mark(staged) },
    })),
    ...(table.searches ?? []).map(shapeOfSearch),
  ];
}

function shapeOfSearch(search: SearchIndex): Named {
  const { name, isStaged: staged } = search;
  const filterFields = [...search.filterFields];
  if (search.kind === "text") {
    const { searchField } = search;
    return { name, shape: { type: "search", searchField, filterFields, ...mark(staged) } };
  }
  const { vectorField, dimensions } = search;
  return {
    name,
    shape: { type: "vector", vectorField, dimensions, filterFields, ...mark(staged) },
  };
}

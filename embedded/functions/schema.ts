/** What a schema.ts export says, in the form the engine enforces. */
import type { JSONValue, Value } from "convex/values";
import type { DocumentCheck, IndexSpec, SearchIndex } from "../engine/catalog.js";
import type { SchemaTable, SchemaTables } from "../engine/schemaChange.js";
import { mismatch, parseValidator, type TableOfId, type ValidatorJson } from "./validators.js";

const TABLES_MAX = 10_000;
const INDEXES_MAX = 64;
const INDEX_FIELDS_MAX = 16;
const DIMENSIONS_MIN = 2;
const DIMENSIONS_MAX = 4_096;

type ExportedIndex = { indexDescriptor: string; fields: string[] };
type ExportedText = { indexDescriptor: string; searchField: string; filterFields: string[] };
type ExportedVector = {
  indexDescriptor: string;
  vectorField: string;
  dimensions: number;
  filterFields: string[];
};
/** `schema.export()` as JSON; only convex/server writes it, in this shape. */
type ExportedTable = {
  tableName: string;
  indexes: ExportedIndex[];
  stagedDbIndexes?: ExportedIndex[];
  searchIndexes?: ExportedText[];
  stagedSearchIndexes?: ExportedText[];
  vectorIndexes?: ExportedVector[];
  stagedVectorIndexes?: ExportedVector[];
  documentType: JSONValue | null;
};
type ExportedSchema = { tables: ExportedTable[]; schemaValidation: boolean };

const SYSTEM_FIELDS = {
  _id: (tableName: string) => ({
    fieldType: { type: "id", tableName } as const,
    optional: true,
  }),
  _creationTime: { fieldType: { type: "number" } as const, optional: true },
};

/** `exported` null: no schema, hence no indexes and no checks. */
export function schemaTables(
  exported: JSONValue | null,
  { componentId, tableOfId }: { componentId: string; tableOfId: TableOfId },
): SchemaTables {
  if (exported === null) return { componentId, tables: [] };
  // See ExportedSchema.
  const schema = exported as unknown as ExportedSchema;
  return {
    componentId,
    tables: schema.tables.map((table): SchemaTable => ({
      name: table.tableName,
      indexes: [
        ...table.indexes.map((index) => indexSpec(index, false)),
        ...(table.stagedDbIndexes ?? []).map((index) => indexSpec(index, true)),
      ],
      searches: searchIndexes(table),
      check:
        schema.schemaValidation && table.documentType !== null
          ? documentCheck(table.tableName, parseValidator(table.documentType), tableOfId)
          : null,
    })),
  };
}

const indexSpec = ({ indexDescriptor, fields }: ExportedIndex, isStaged: boolean): IndexSpec => ({
  name: indexDescriptor,
  fields,
  isStaged,
});

function searchIndexes(table: ExportedTable): SearchIndex[] {
  const text =
    (isStaged: boolean) =>
    ({ indexDescriptor: name, searchField, filterFields }: ExportedText): SearchIndex => ({
      kind: "text",
      name,
      searchField,
      filterFields,
      isStaged,
    });
  const vector =
    (isStaged: boolean) =>
    ({ indexDescriptor: name, ...shape }: ExportedVector): SearchIndex => ({
      kind: "vector",
      name,
      vectorField: shape.vectorField,
      dimensions: shape.dimensions,
      filterFields: shape.filterFields,
      isStaged,
    });
  return [
    ...(table.searchIndexes ?? []).map(text(false)),
    ...(table.stagedSearchIndexes ?? []).map(text(true)),
    ...(table.vectorIndexes ?? []).map(vector(false)),
    ...(table.stagedVectorIndexes ?? []).map(vector(true)),
  ];
}

/** What is beyond the documented limits of schemas, or null. */
export function schemaBreach({ tables }: SchemaTables): string | null {
  if (tables.length > TABLES_MAX) {
    return `A schema has at most ${TABLES_MAX} tables, not ${tables.length}.`;
  }
  for (const { name, indexes, searches = [] } of tables) {
    const count = indexes.length + searches.length;
    if (count > INDEXES_MAX) {
      return `Table "${name}" has ${count} indexes; a table has at most ${INDEXES_MAX}.`;
    }
    for (const index of indexes) {
      if (index.fields.length <= INDEX_FIELDS_MAX) continue;
      return `Index "${name}.${index.name}" has ${index.fields.length} fields; an index has at most ${INDEX_FIELDS_MAX}.`;
    }
    for (const search of searches) {
      const breach = searchBreach(search);
      if (breach !== null) return `Index "${name}.${search.name}" ${breach}`;
    }
  }
  return null;
}

function searchBreach(search: SearchIndex): string | null {
  if (search.filterFields.length > INDEX_FIELDS_MAX) {
    return `has ${search.filterFields.length} filter fields; an index has at most ${INDEX_FIELDS_MAX}.`;
  }
  if (search.kind === "text") return null;
  const { dimensions } = search;
  const isValid =
    Number.isInteger(dimensions) && dimensions >= DIMENSIONS_MIN && dimensions <= DIMENSIONS_MAX;
  return isValid
    ? null
    : `has ${dimensions} dimensions; a vector has from ${DIMENSIONS_MIN} to ${DIMENSIONS_MAX}.`;
}

function documentCheck(
  table: string,
  validator: ValidatorJson,
  tableOfId: TableOfId,
): DocumentCheck {
  const whole = withSystemFields(table, validator);
  // Documents are values.
  return (doc) => mismatch(whole, doc as Record<string, Value>, tableOfId);
}

/** Objects of a table's validator also carry `_id` and `_creationTime`. */
function withSystemFields(table: string, validator: ValidatorJson): ValidatorJson {
  if (validator.type === "union") {
    return {
      type: "union",
      value: validator.value.map((member) => withSystemFields(table, member)),
    };
  }
  if (validator.type !== "object") return validator;
  const { _id, _creationTime } = SYSTEM_FIELDS;
  return { type: "object", value: { ...validator.value, _id: _id(table), _creationTime } };
}

/** What a schema.ts export says, in the form the engine enforces. */
import type { JSONValue, Value } from "convex/values";
import type { DocumentCheck } from "../engine/catalog.js";
import type { SchemaTable, SchemaTables } from "../engine/schemaChange.js";
import { mismatch, parseValidator, type TableOfId, type ValidatorJson } from "./validators.js";

/** `schema.export()` as JSON; only convex/server writes it, in this shape. */
type ExportedSchema = {
  tables: {
    tableName: string;
    indexes: { indexDescriptor: string; fields: string[] }[];
    documentType: JSONValue | null;
  }[];
  schemaValidation: boolean;
};

const SYSTEM_FIELDS = {
  _id: (tableName: string) => ({
    fieldType: { type: "id", tableName } as const,
    optional: true,
  }),
  _creationTime: { fieldType: { type: "number" } as const, optional: true },
};

/** `exported` null: no schema, hence no indexes and no checks. */
export function schemaTables(exported: JSONValue | null, tableOfId: TableOfId): SchemaTables {
  if (exported === null) return { componentId: "", tables: [] };
  // See ExportedSchema.
  const schema = exported as unknown as ExportedSchema;
  return {
    componentId: "",
    tables: schema.tables.map((table): SchemaTable => ({
      name: table.tableName,
      indexes: table.indexes.map(({ indexDescriptor, fields }) => ({
        name: indexDescriptor,
        fields,
      })),
      check:
        schema.schemaValidation && table.documentType !== null
          ? documentCheck(table.tableName, parseValidator(table.documentType), tableOfId)
          : null,
    })),
  };
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

import { type JSONValue, jsonToConvex, type Value } from "convex/values";
import type { Table } from "../engine/catalog.js";
import { isSystemName } from "../engine/catalog.js";
import { DocumentVersion, type Fields } from "../engine/documents.js";
import { UserError } from "../engine/errors.js";
import { tableNumberOf } from "../values/ids.js";
import type { Execution } from "./execution.js";
import { valueOrUndefined } from "./filter.js";
import { tableFor } from "./query.js";
import {
  isOwnRow,
  isVisibleSystemTable,
  systemView,
  tableByNumber,
  tableName,
} from "./systemViews.js";
import { stringArg } from "./syscallArgs.js";
import { type AsyncSyscalls, requireTx, requireWriter } from "./syscallAccess.js";

type Args = Record<string, JSONValue>;
const TABLE_NAME = /^[a-zA-Z][a-zA-Z0-9_]{0,63}$/;

export const databaseSyscalls: AsyncSyscalls = {
  "1.0/get": (execution, args) => {
    const tx = requireTx(execution, "1.0/get");
    const id = stringArg(args, "id", "db.get");
    const table = tableOf(execution, id, "db.get");
    if (table === null) return "null";
    assertTable(args, table, id);
    if (isSystemName(table.name) !== (args["isSystem"] === true)) {
      throw new UserError(
        "SystemTableError",
        isSystemName(table.name)
          ? "System tables can only be accessed from db.system.get()."
          : "User tables can only be accessed from db.get().",
      );
    }
    const version = tx.find(table, id);
    if (version === null) return "null";
    if (!isSystemName(table.name)) return version.json;
    if (!isOwnRow(version.value, execution.componentId)) return "null";
    return DocumentVersion.of(systemView(table.name, version.value)).json;
  },
  "1.0/count": (execution, args) => {
    const tx = requireTx(execution, "1.0/count");
    const table = tableFor(tx, execution.componentId, stringArg(args, "table", "db.count"));
    return JSON.stringify(tx.count(table));
  },
  "1.0/insert": (execution, args) => {
    const tx = requireWriter(execution, "1.0/insert");
    const name = stringArg(args, "table", "db.insert");
    if (!TABLE_NAME.test(name)) {
      throw new UserError(
        "InvalidTableName",
        `Invalid table name "${name}": names begin with a letter and hold at most 64 letters, digits and underscores.`,
      );
    }
    const fields = fieldsOf(args["value"], "db.insert");
    if (Object.hasOwn(fields, "_id") || Object.hasOwn(fields, "_creationTime")) {
      throw new UserError(
        "InvalidDocument",
        `System fields (_id, _creationTime) are set by the backend: leave them out of db.insert.`,
      );
    }
    const table = tx.table({ componentId: execution.componentId, name });
    return JSON.stringify({ _id: tx.insertInto(table, fields) });
  },
  "1.0/shallowMerge": (execution, args) => {
    const { tx, table, id } = target(execution, args, "db.patch");
    const changes: Record<string, Value | undefined> = {};
    for (const [name, json] of Object.entries(asJsonObject(args["value"], "db.patch"))) {
      changes[name] = valueOrUndefined(json);
    }
    return tx.patchIn(table, id, changes).json;
  },
  "1.0/replace": (execution, args) => {
    const { tx, table, id } = target(execution, args, "db.replace");
    return tx.replaceIn(table, id, fieldsOf(args["value"], "db.replace")).json;
  },
  "1.0/remove": (execution, args) => {
    const { tx, table, id } = target(execution, args, "db.delete");
    return tx.removeFrom(table, id).json;
  },
};

export function normalizeId(execution: Execution, args: Args): JSONValue {
  const tx = requireTx(execution, "1.0/db/normalizeId");
  const idString = stringArg(args, "idString", "db.normalizeId");
  const name = stringArg(args, "table", "db.normalizeId");
  const number = tableNumberOf(idString);
  const table = tx.catalog.find(tableName(execution.componentId, name));
  return { id: table !== null && table.number === number ? idString : null };
}

/** Null when the id is well formed but of no table here. */
function tableOf(execution: Execution, id: string, where: string): Table | null {
  const number = tableNumberOf(id);
  if (number === null) {
    throw new UserError(
      "InvalidArgument",
      `Invalid argument \`id\` for \`${where}\`: Unable to decode ID: "${id}" is not a document ID.`,
    );
  }
  const tx = requireTx(execution, where);
  const table = tableByNumber(tx.catalog, execution.componentId, number);
  const isHidden = table !== null && isSystemName(table.name) && !isVisibleSystemTable(table.name);
  return isHidden ? null : table;
}

function target(execution: Execution, args: Args, where: string) {
  const tx = requireWriter(execution, where);
  const id = stringArg(args, "id", where);
  const table = tableOf(execution, id, where);
  if (table === null) {
    throw new UserError("DocumentNotFound", `Update on nonexistent document ID ${id}`);
  }
  if (isSystemName(table.name)) {
    throw new UserError("SystemTableError", "System tables (prefixed with `_`) are read-only.");
  }
  assertTable(args, table, id);
  return { tx, table, id };
}

function assertTable(args: Args, table: Table, id: string): void {
  const wanted = args["table"];
  if (typeof wanted !== "string" || wanted === table.name) return;
  throw new UserError(
    "InvalidTable",
    `Invalid argument \`id\`: expected an ID of table "${wanted}", but "${id}" is of table "${table.name}".`,
  );
}

function asJsonObject(json: JSONValue | undefined, where: string): Record<string, JSONValue> {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    const isSpecial = Object.keys(json).some((name) => name.startsWith("$"));
    // A JSON object without missing fields.
    if (!isSpecial) return json;
  }
  throw new UserError(
    "InvalidArgument",
    `Invalid argument \`value\` for \`${where}\`: expected an object.`,
  );
}

function fieldsOf(json: JSONValue | undefined, where: string): Fields {
  // The JSON of an object gives an object.
  return jsonToConvex(asJsonObject(json, where)) as Fields;
}

/** Lets the closures of tests change system tables, to bring about states that only the backend makes. */
import { type JSONValue, jsonToConvex, type Value } from "convex/values";
import { isSystemName, type Table } from "../engine/catalog.js";
import type { Execution, SyscallHost } from "../functions/execution.js";
import { valueOrUndefined } from "../functions/filter.js";
import { tableByNumber } from "../functions/systemViews.js";
import { tableNumberOf } from "../values/ids.js";
import { isInline } from "./functions.js";

const WRITES = new Set(["1.0/shallowMerge", "1.0/replace", "1.0/remove"]);
type Target = { table: Table; id: string };

export function withSystemWrites(host: SyscallHost): SyscallHost {
  return {
    ...host,
    asyncSyscall: (execution, op, args) => {
      const target = WRITES.has(op) && isInline(execution.path) ? targetOf(execution, args) : null;
      if (target === null) return host.asyncSyscall(execution, op, args);
      return write(execution, op, { ...target, value: fieldOf(args, "value") });
    },
  };
}

function targetOf({ tx, componentId }: Execution, args: JSONValue): Target | null {
  const id = fieldOf(args, "id");
  const number = typeof id === "string" ? tableNumberOf(id) : null;
  if (tx === null || number === null || typeof id !== "string") return null;
  const table = tableByNumber(tx.catalog, componentId, number);
  return table !== null && isSystemName(table.name) ? { table, id } : null;
}

function write(
  { tx }: Execution,
  op: string,
  { table, id, value }: Target & { value: JSONValue | undefined },
): string {
  if (tx === null) throw new Error("There is no transaction to write in.");
  if (op === "1.0/remove") return tx.removeFrom(table, id).json;
  const fields: Record<string, Value | undefined> = {};
  // convex/server passes an object.
  for (const [name, json] of Object.entries(value as Record<string, JSONValue>)) {
    // A patch may hold missing fields; what is hidden from functions stays as it is.
    fields[name] = op === "1.0/replace" ? jsonToConvex(json) : valueOrUndefined(json);
  }
  return tx.patchIn(table, id, fields).json;
}

const fieldOf = (args: JSONValue, name: string): JSONValue | undefined =>
  typeof args === "object" && args !== null && !Array.isArray(args) ? args[name] : undefined;

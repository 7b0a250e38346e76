/** One function with everything around it: arguments and return value checked, isolate borrowed. */
import { type JSONValue, jsonToConvex, type Value } from "convex/values";
import { hasCommitTs } from "../engine/commitTs.js";
import { checkValue } from "../engine/checkDocument.js";
import { UserError } from "../engine/errors.js";
import { VALUE_NESTING_MAX } from "../engine/limits.js";
import { Execution, type ExecutionOptions, type SyscallHost } from "./execution.js";
import { FunctionFailure } from "./failure.js";
import { FUNCTION_TIMES, type FunctionTimes, JSON_BYTES_MAX } from "./functionTimes.js";
import { invoke } from "./invoke.js";
import type { IsolatePool } from "./isolatePool.js";
import type { IsolateKind } from "./isolateGlobals.js";
import { displayPath } from "./paths.js";
import type { RegisteredFunction } from "./registry.js";
import { mismatch, type TableOfId } from "./validators.js";

export type RunContext = {
  pool: IsolatePool;
  host: SyscallHost;
  /** The check of ids for functions of a component. */
  tableOfId: (componentPath: string) => TableOfId;
  /** By default as documented. */
  times?: FunctionTimes;
};
export type FunctionResult = { json: string; execution: Execution };
/** What convex/server hangs on exported functions. */
type Invocable = {
  invokeQuery?: (args: string) => Promise<string>;
  invokeMutation?: (args: string) => Promise<string>;
  invokeAction?: (requestId: string, args: string) => Promise<string>;
};

const TYPE_OF_KIND = { query: "Query", mutation: "Mutation", action: "Action" } as const;

/** Throws FunctionFailure, or what ended the run from outside. */
export async function runFunction(
  context: RunContext,
  found: RegisteredFunction,
  options: ExecutionOptions & { args: JSONValue },
): Promise<FunctionResult> {
  const { args, kind } = options;
  if (found.udfType !== TYPE_OF_KIND[kind]) {
    throw new FunctionFailure(
      `Trying to execute ${displayPath(found.path)} as ${TYPE_OF_KIND[kind]}, but it is defined as ${found.udfType}.`,
      { code: "WrongFunctionType" },
    );
  }
  const tableOfId = context.tableOfId(found.componentPath);
  checkArguments(found, args, { tableOfId, depth: options.depth });
  const isolateOf = isolateKind(context, found);
  const isolate = context.pool.take(isolateOf, found.componentPath);
  const { nodeActionMs, ...others } = context.times ?? FUNCTION_TIMES;
  const times = isolateOf === "node" ? { ...others, actionMs: nodeActionMs } : others;
  const execution = new Execution(context.host, { ...options, times });
  try {
    const text = await invoke(isolate, execution, () =>
      start(isolate.load(found.path.module)[found.path.name] as Invocable, kind, args),
    );
    const json = String(text);
    checkResult(found, json, { tableOfId, isFinal: options.depth === 0 && kind !== "mutation" });
    return { json, execution };
  } finally {
    context.pool.giveBack(isolate, execution.pendingCalls === 0);
  }
}

/** `load` runs in here too, so that what a module throws while imported is the function's failure. */
function start(
  exported: Invocable,
  kind: ExecutionOptions["kind"],
  args: JSONValue,
): Promise<string> | undefined {
  const argsText = JSON.stringify([args]);
  switch (kind) {
    case "query":
      return exported.invokeQuery?.(argsText);
    case "mutation":
      return exported.invokeMutation?.(argsText);
    case "action":
      return exported.invokeAction?.("", argsText);
  }
}

function isolateKind(context: RunContext, found: RegisteredFunction): IsolateKind {
  if (found.udfType !== "Action") return "db";
  return context.pool.isNode(found.componentPath, found.path.module) ? "node" : "action";
}

/** Commit timestamps to come mean something within their transaction alone, hence to nested calls. */
function checkArguments(
  found: RegisteredFunction,
  args: JSONValue,
  { tableOfId, depth }: { tableOfId: TableOfId; depth: number },
): void {
  const bytes = JSON.stringify(args).length;
  if (bytes > JSON_BYTES_MAX) {
    throw new UserError(
      "FunctionArgumentsTooLarge",
      `Function ${displayPath(found.path)} arguments size is too large (actual: ${bytes} bytes, limit: ${JSON_BYTES_MAX} bytes).`,
    );
  }
  const value = parseValue(args, "ArgumentValidationError");
  checkValue(value, VALUE_NESTING_MAX);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FunctionFailure("ArgumentValidationError: Arguments must be an object.", {
      code: "ArgumentValidation",
    });
  }
  if (depth === 0 && hasCommitTs(value)) {
    throw new FunctionFailure("ArgumentValidationError: Arguments cannot hold db.vars.commitTs.", {
      code: "ArgumentValidation",
    });
  }
  if (found.args === null) return;
  const reason = mismatch(found.args, value, tableOfId);
  if (reason === null) return;
  throw new FunctionFailure(`ArgumentValidationError: ${reason}`, { code: "ArgumentValidation" });
}

function checkResult(
  found: RegisteredFunction,
  json: string,
  { tableOfId, isFinal }: { tableOfId: TableOfId; isFinal: boolean },
): void {
  if (json.length > JSON_BYTES_MAX) {
    throw new UserError(
      "FunctionReturnTooLarge",
      `Function ${displayPath(found.path)} return value is too large (actual: ${json.length} bytes, limit: ${JSON_BYTES_MAX} bytes).`,
    );
  }
  const mayHoldCommitTs = json.includes('"$commitTs"');
  // The isolate gives JSON text of a value.
  const value = parseValue(JSON.parse(json) as JSONValue, "ReturnsValidationError");
  checkValue(value, VALUE_NESTING_MAX);
  if (isFinal && mayHoldCommitTs && hasCommitTs(value)) {
    throw new FunctionFailure(
      "Uncaught Error: Queries and actions cannot return db.vars.commitTs: it is known only at commit.",
    );
  }
  const reason = found.returns === null ? null : mismatch(found.returns, value, tableOfId);
  if (reason === null) return;
  throw new FunctionFailure(`ReturnsValidationError: ${reason}`, { code: "ReturnsValidation" });
}

function parseValue(json: JSONValue, label: string): Value {
  try {
    return jsonToConvex(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FunctionFailure(`${label}: ${reason}`, { code: "ArgumentValidation" });
  }
}

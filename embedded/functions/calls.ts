/** What host calls need of the runner: running other functions. */
import type { JSONValue } from "convex/values";
import type { Transaction } from "../engine/transaction.js";
import type { Limits } from "../engine/limits.js";
import type { Execution } from "./execution.js";
import type { FunctionTarget } from "./paths.js";
import type { UdfType } from "./types.js";

export type NestedCall = {
  kind: "query" | "mutation" | "snapshotQuery";
  target: FunctionTarget;
  args: JSONValue;
  limits: Partial<Limits>;
};
export type SeparateCall = {
  kind: "query" | "mutation" | "action";
  target: FunctionTarget;
  args: JSONValue;
};

export type Calls = {
  /** In the caller's transaction; JSON text of the result. Throws FunctionFailure. */
  nested(caller: Execution, call: NestedCall): Promise<string>;
  /** From an action: a transaction or run of its own. */
  separate(caller: Execution, call: SeparateCall): Promise<string>;
  /** Null when the function does not exist, or not for this caller. */
  typeOf(target: FunctionTarget): UdfType | null;
  /** A transaction for an action's own writes; durable when it resolves. */
  transact<T>(body: (tx: Transaction) => T): Promise<T>;
  nowMs(): number;
};

/** What a host call may touch, depending on the kind of function that makes it. */
import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import type { Transaction } from "../engine/transaction.js";
import type { Execution } from "./execution.js";

/** One asynchronous call; JSON text or a promise of it. */
export type AsyncSyscall = (
  execution: Execution,
  args: Record<string, JSONValue>,
) => Promise<string> | string;
export type AsyncSyscalls = Readonly<Record<string, AsyncSyscall>>;

/** Known to convex/server, not to this backend (yet). */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  "1.0/signJwt": "signing tokens (signJwt)",
  "1.0/createServiceToken": "cloud services",
  "1.0/getServiceUrl": "cloud services",
};

/** Throws the error of an unknown operation in actions, which have no transaction. */
export function requireTx(execution: Execution, op: string): Transaction {
  if (execution.tx === null) throw unknownOperation("async operation", "UnknownAsyncOperation", op);
  return execution.tx;
}

/** As `requireTx`, for what only mutations may do. */
export function requireWriter(execution: Execution, op: string): Transaction {
  if (execution.kind !== "mutation")
    throw unknownOperation("async operation", "UnknownAsyncOperation", op);
  return requireTx(execution, op);
}

export function unknownOperation(what: string, shortName: string, op: string): UserError {
  const feature = UNSUPPORTED[op];
  return feature === undefined
    ? new UserError(shortName, `Unknown ${what} ${op}`)
    : new UserError(shortName, `The embedded backend does not support ${feature} yet (${op}).`);
}

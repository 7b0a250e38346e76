import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import type { Limits } from "../engine/limits.js";
import type { Calls, NestedCall } from "./calls.js";
import type { Execution } from "./execution.js";
import { resolveAddress } from "./paths.js";
import {
  type AsyncSyscalls,
  type AsyncSyscall,
  requireTx,
  unknownOperation,
} from "./syscallAccess.js";

type Args = Record<string, JSONValue>;

/** Functions that run functions. */
export function actionSyscalls(calls: Calls): AsyncSyscalls {
  const separate =
    (kind: "query" | "mutation" | "action"): AsyncSyscall =>
    (execution, args) => {
      if (execution.kind !== "action") {
        throw unknownOperation("async operation", "UnknownAsyncOperation", `1.0/actions/${kind}`);
      }
      return calls.separate(execution, {
        kind,
        target: targetOf(execution, args),
        args: args["args"] ?? {},
      });
    };
  return {
    "1.0/runUdf": (execution, args) => {
      requireTx(execution, "1.0/runUdf");
      const kind = kindOf(args["udfType"]);
      if (kind === "mutation" && execution.kind === "query") {
        throw new UserError("MutationFromQuery", "Queries may call only queries, not mutations.");
      }
      const call: NestedCall = {
        kind,
        target: targetOf(execution, args),
        args: args["args"] ?? {},
        limits: limitsOf(args["transactionLimits"]),
      };
      return calls.nested(execution, call);
    },
    "1.0/actions/query": separate("query"),
    "1.0/actions/mutation": separate("mutation"),
    "1.0/actions/action": separate("action"),
  };
}

// The address fields are text where present.
const targetOf = ({ componentId }: Execution, args: Args) => resolveAddress(args, componentId);

function kindOf(udfType: JSONValue | undefined): NestedCall["kind"] {
  if (udfType === "query" || udfType === "mutation" || udfType === "snapshotQuery") return udfType;
  throw new UserError("InvalidArgument", `Unknown kind of function: ${JSON.stringify(udfType)}`);
}

function limitsOf(json: JSONValue | undefined): Partial<Limits> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
  const numbers = Object.entries(json).filter(([, value]) => typeof value === "number");
  // Names that are no limits are ignored by whoever applies them.
  return Object.fromEntries(numbers);
}

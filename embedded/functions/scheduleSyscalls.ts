/** Scheduling from functions. The rows are written here; the scheduler runs them. */
import { type JSONValue, jsonToConvex, type Value } from "convex/values";
import { hasCommitTs } from "../engine/commitTs.js";
import { UserError } from "../engine/errors.js";
import type { Transaction } from "../engine/transaction.js";
import { tableNumberOf } from "../values/ids.js";
import type { Calls } from "./calls.js";
import type { Execution } from "./execution.js";
import { displayPath, resolveAddress, storedPath } from "./paths.js";
import { type AsyncSyscalls, requireWriter, unknownOperation } from "./syscallAccess.js";
import { stringArg } from "./syscallArgs.js";

const TABLE = "_scheduled_functions";
const FIVE_YEARS_MS = 5 * 366 * 24 * 3_600_000;
type Args = Record<string, JSONValue>;

export function scheduleSyscalls(calls: Calls): AsyncSyscalls {
  return {
    "1.0/schedule": (execution, args) => {
      const tx = requireWriter(execution, "1.0/schedule");
      return JSON.stringify(schedule(tx, calls, { execution, args }));
    },
    "1.0/cancel_job": (execution, args) => {
      const tx = requireWriter(execution, "1.0/cancel_job");
      cancel(tx, stringArg(args, "id", "scheduler.cancel"), execution);
      return "null";
    },
    "1.0/actions/schedule": async (execution, args) => {
      requireAction(execution, "1.0/actions/schedule");
      return JSON.stringify(await calls.transact((tx) => schedule(tx, calls, { execution, args })));
    },
    "1.0/actions/cancel_job": async (execution, args) => {
      requireAction(execution, "1.0/actions/cancel_job");
      const id = stringArg(args, "id", "scheduler.cancel");
      await calls.transact((tx) => {
        cancel(tx, id, execution);
      });
      return "null";
    },
  };
}

function requireAction({ kind }: Execution, op: string): void {
  if (kind !== "action") throw unknownOperation("async operation", "UnknownAsyncOperation", op);
}

type Scheduling = { execution: Execution; args: Args };

function schedule(tx: Transaction, calls: Calls, { execution, args }: Scheduling): string {
  // The address fields are text where present.
  const target = resolveAddress(args, execution.componentId);
  const { path, componentPath } = target;
  if (calls.typeOf(target) === null) {
    throw new UserError(
      "NotFound",
      `Could not find function for '${displayPath(path)}'. Did you forget to run \`npx convex dev\`?`,
    );
  }
  const scheduledTime = Number(args["ts"]) * 1_000;
  const nowMs = execution.tx === null ? calls.nowMs() : execution.nowMs;
  if (!(Math.abs(scheduledTime - nowMs) <= FIVE_YEARS_MS)) {
    throw new UserError(
      "InvalidScheduledFunctionDelay",
      "Functions can only be scheduled within five years of now.",
    );
  }
  const argsJson = args["args"] ?? {};
  // The JSON of an array or object gives one.
  const values = jsonToConvex(Array.isArray(argsJson) ? argsJson : [argsJson]) as Value[];
  if (hasCommitTs(values)) {
    throw new UserError(
      "InvalidArgument",
      "Arguments of scheduled functions cannot hold db.vars.commitTs: it is known only at commit.",
    );
  }
  tx.usage.add("functionsScheduled", 1);
  tx.usage.add("scheduledFunctionArgsBytes", JSON.stringify(argsJson).length);
  const isCanceled = isParentCanceled(tx, execution);
  return tx.insert(TABLE, {
    name: storedPath(path),
    args: values,
    scheduledTime,
    state: { kind: isCanceled ? "canceled" : "pending" },
    componentPath: execution.componentId,
    ...(componentPath === execution.componentId ? {} : { targetComponentPath: componentPath }),
    attempts: 0,
    ...(isCanceled ? { completedTime: nowMs } : { nextTs: Math.max(scheduledTime, nowMs) }),
  });
}

/** What a canceled action still schedules must not run. */
function isParentCanceled(tx: Transaction, { kind, scheduledFunctionId }: Execution): boolean {
  if (kind !== "action" || scheduledFunctionId === null) return false;
  const state = tx.get(TABLE, scheduledFunctionId)?.["state"];
  return isStateObject(state) && state["kind"] === "canceled";
}

function cancel(tx: Transaction, id: string, execution: Execution): void {
  const number = tableNumberOf(id);
  if (number !== tx.table(TABLE).number) {
    throw new UserError(
      "InvalidArgument",
      `Invalid argument \`id\` for \`scheduler.cancel\`: "${id}" is not the ID of a scheduled function.`,
    );
  }
  if (id === execution.scheduledFunctionId && execution.kind === "mutation") {
    execution.log.add("warn", ["A scheduled mutation cannot cancel itself."]);
    return;
  }
  const state = tx.get(TABLE, id)?.["state"];
  if (!isStateObject(state)) return;
  if (state["kind"] !== "pending" && state["kind"] !== "inProgress") return;
  tx.patch(TABLE, id, {
    state: { kind: "canceled" },
    completedTime: execution.nowMs,
    nextTs: undefined,
  });
}

const isStateObject = (state: Value | undefined): state is Record<string, Value> =>
  typeof state === "object" && state !== null && !Array.isArray(state);

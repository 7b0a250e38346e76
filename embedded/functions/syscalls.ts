/** The calls that convex/server makes to its host, by name. Unknown ones are named in the error. */
import { convexToJson, type JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import { actionSyscalls } from "./actionSyscalls.js";
import { databaseSyscalls, normalizeId } from "./databaseSyscalls.js";
import type { Execution, SyscallHost } from "./execution.js";
import { handleOf, resolveAddress, storedPath, displayPath } from "./paths.js";
import { openStream, querySyscalls } from "./querySyscalls.js";
import { scheduleSyscalls } from "./scheduleSyscalls.js";
import type { Files } from "../files/files.js";
import type { Calls } from "./calls.js";
import { blobSyscalls, storageSyscalls } from "./storageSyscalls.js";
import { vectorSyscalls } from "./vectorSearch.js";
import { type AsyncSyscalls, requireTx, unknownOperation } from "./syscallAccess.js";

export function syscallHost(calls: Calls, files: Files): SyscallHost {
  const blobs = blobSyscalls(calls, files);
  const table: AsyncSyscalls = {
    ...databaseSyscalls,
    ...querySyscalls,
    ...scheduleSyscalls(calls),
    ...actionSyscalls(calls),
    ...storageSyscalls(calls, files),
    ...vectorSyscalls(calls),
    ...metaSyscalls,
  };
  return {
    syscall: (execution, op, args) => syncSyscall(execution, op, asObject(args)),
    asyncSyscall: (execution, op, args) => {
      const run = table[op];
      if (run === undefined) throw unknownOperation("async operation", "UnknownAsyncOperation", op);
      return run(execution, asObject(args));
    },
    jsSyscall: (execution, op, args) => {
      if (op === "requestFromConvexJson") return execution.httpRequest;
      if (op === "convexJsonFromResponse") {
        // The response is handed on as it is, stream and all.
        execution.httpResponse = args["response"] as Response;
        return {};
      }
      const handle = blobs[op];
      if (handle === undefined) throw unknownOperation("operation", "UnknownOperation", op);
      return handle(execution, args);
    },
  };
}

function syncSyscall(execution: Execution, op: string, args: Record<string, JSONValue>): JSONValue {
  switch (op) {
    case "1.0/queryStream":
      return openStream(execution, args);
    case "1.0/queryCleanup":
      return execution.streams.delete(Number(args["queryId"]));
    case "1.0/db/normalizeId":
      return normalizeId(execution, args);
    case "1.0/getSnapshotTs":
      return convexToJson(requireTx(execution, op).snapshotTs);
    case "1.0/componentArgument":
      // Of components before environment variables replaced arguments: nobody can give one.
      return {};
    default:
      throw unknownOperation("operation", "UnknownOperation", op);
  }
}

const metaSyscalls: AsyncSyscalls = {
  "1.0/getUserIdentity": (execution) => {
    execution.hasObservedIdentity = true;
    const { identity } = execution;
    switch (identity.kind) {
      case "none":
        return "null";
      case "user":
        return JSON.stringify(identity.claims);
      case "admin":
        return JSON.stringify(identity.actingAs);
    }
  },
  "1.0/createFunctionHandle": ({ componentId }, args) =>
    JSON.stringify(handleOf(resolveAddress(args, componentId))),
  "1.0/getFunctionMetadata": ({ path, componentId }) =>
    JSON.stringify({ name: displayPath(path), componentPath: componentId }),
  "1.0/getDeploymentMetadata": () =>
    JSON.stringify({ name: "embedded", region: null, class: "s16" }),
  "1.0/getRequestMetadata": ({ kind, request, scheduledFunctionId }) => {
    if (kind === "query") {
      throw new UserError(
        "RequestMetadataNotAllowed",
        "Request metadata is not available in queries: their answers may be shared.",
      );
    }
    const { ip, userAgent, requestId, authToken } = request;
    return JSON.stringify({ ip, userAgent, requestId, scheduledFunctionId, authToken });
  },
  "1.0/getTransactionMetrics": (execution) => {
    const { usage } = requireTx(execution, "1.0/getTransactionMetrics");
    const of = (kind: Parameters<typeof usage.used>[0]) => ({
      used: usage.used(kind),
      remaining: usage.remaining(kind),
    });
    return JSON.stringify({
      bytesRead: of("bytesRead"),
      bytesWritten: of("bytesWritten"),
      databaseQueries: of("databaseQueries"),
      documentsRead: of("documentsRead"),
      documentsWritten: of("documentsWritten"),
      functionsScheduled: of("functionsScheduled"),
      scheduledFunctionArgsBytes: of("scheduledFunctionArgsBytes"),
    });
  },
  "1.0/auditLog": (execution, args) => {
    if (execution.kind === "action") {
      throw new UserError(
        "AuditLogNotSupportedInAction",
        "The audit log is not available in actions.",
      );
    }
    execution.log.add("info", ["audit", storedPath(execution.path), args["body"]]);
    return "null";
  },
};

function asObject(args: JSONValue): Record<string, JSONValue> {
  if (typeof args === "object" && args !== null && !Array.isArray(args)) {
    // A JSON object without missing fields.
    return args;
  }
  throw new UserError("InvalidArgument", "The arguments of a host call must be an object.");
}

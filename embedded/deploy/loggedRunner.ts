/** A runner that writes each top-level run into the function log. */
import type { Runner } from "../functions/runner.js";
import type { FunctionCall, FunctionError, UdfType } from "../functions/types.js";
import type { FunctionLog } from "./functionLog.js";

type Seen =
  | { ok: "skipped" }
  | { ok: true; logLines: string[] }
  | { ok: false; error: FunctionError; logLines: string[] };

export function loggedRunner(options: {
  runner: Runner;
  log: FunctionLog;
  nowMs: () => number;
}): Runner {
  const { runner, log, nowMs } = options;
  const watch = async <T extends Seen>(
    run: { call: FunctionCall; udfType: UdfType; caller: string },
    work: () => Promise<T>,
  ): Promise<T> => {
    const startedMs = nowMs();
    const outcome = await work();
    if (outcome.ok === "skipped") return outcome;
    log.add({
      udfType: run.udfType,
      path: run.call.path,
      componentPath: run.call.componentPath,
      requestId: run.call.request.requestId,
      caller: run.caller,
      identityType: run.call.identity.kind,
      logLines: outcome.logLines,
      error: outcome.ok ? null : outcome.error,
      startedMs,
      durationMs: Math.max(0, nowMs() - startedMs),
    });
    return outcome;
  };
  return {
    udfTypeOf: (call) => runner.udfTypeOf(call),
    query: (call, more) =>
      watch({ call, udfType: "Query", caller: "Client" }, () => runner.query(call, more)),
    mutation: (call, more) =>
      watch({ call, udfType: "Mutation", caller: "Client" }, () => runner.mutation(call, more)),
    action: (call) =>
      watch({ call, udfType: "Action", caller: "Client" }, () => runner.action(call)),
    runMutationWith: (call, more) =>
      watch({ call, udfType: "Mutation", caller: "Scheduler" }, () =>
        runner.runMutationWith(call, more),
      ),
    scheduledAction: (call, id) =>
      watch({ call, udfType: "Action", caller: "Scheduler" }, () =>
        runner.scheduledAction(call, id),
      ),
    httpAction: async (request, identity, metadata) => {
      const path = `${request.method} ${new URL(request.url).pathname}`;
      const startedMs = nowMs();
      const outcome = await runner.httpAction(request, identity, metadata);
      log.add({
        udfType: "HttpAction",
        path,
        componentPath: "",
        requestId: metadata.requestId,
        caller: "HttpEndpoint",
        identityType: identity.kind,
        logLines: outcome.logLines,
        error: outcome.error,
        startedMs,
        durationMs: Math.max(0, nowMs() - startedMs),
      });
      return outcome;
    },
  };
}

import type { AnalyzedPush } from "./deployment.js";
import { Execution, type ExecutionOptions } from "./execution.js";
import { clientError, failureOf } from "./failure.js";
import type { RunContext } from "./functionRun.js";
import { HTTP_MODULE, hasHttpActions, routeRequest } from "./httpRouting.js";
import { invoke } from "./invoke.js";
import type { HttpActionOutcome } from "./types.js";

/** The router of convex/server. */
type Router = { runRequest: (args: string, route: string) => Promise<string> };

/** Routes a request to the http.ts it is for. Failures become answers with status 500. */
export async function runHttpAction(
  context: RunContext,
  push: AnalyzedPush | null,
  options: ExecutionOptions & { httpRequest: Request },
): Promise<HttpActionOutcome> {
  const { httpRequest, log, request } = options;
  const { pathname } = new URL(httpRequest.url);
  const target = routeRequest(push, { method: httpRequest.method, pathname });
  const logLines = log.lines;
  if (target === null) return { response: notFound(push, pathname), logLines, error: null };
  const { componentPath, route } = target;
  const isolate = context.pool.take("action", componentPath);
  // Components have no ctx.auth.
  const identity = componentPath === "" ? options.identity : ({ kind: "none" } as const);
  const execution = new Execution(context.host, {
    ...options,
    identity,
    componentId: componentPath,
    ...(context.times === undefined ? {} : { times: context.times }),
  });
  try {
    await invoke(isolate, execution, () => {
      const router = isolate.load(HTTP_MODULE)["default"] as Router;
      return router.runRequest("{}", route);
    });
    const response = execution.httpResponse ?? new Response(null, { status: 500 });
    return { response, logLines, error: null };
  } catch (error) {
    const failed = clientError(failureOf(error), request.requestId);
    const body = { code: request.requestId, trace: failed.message };
    return { response: Response.json(body, { status: 500 }), logLines, error: failed };
  } finally {
    context.pool.giveBack(isolate, false);
  }
}

function notFound(push: AnalyzedPush | null, pathname: string): Response {
  const text = hasHttpActions(push)
    ? `No HttpAction routed for ${pathname}`
    : "This Convex deployment does not have HTTP actions enabled.";
  return new Response(text, { status: 404 });
}

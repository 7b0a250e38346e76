import type { AnalyzedPush } from "./deployment.js";
import { Execution, type ExecutionOptions } from "./execution.js";
import { clientError, failureOf, FunctionFailure } from "./failure.js";
import { timedOutText } from "./functionTimes.js";
import type { RunContext } from "./functionRun.js";
import { HTTP_MODULE, hasHttpActions, routeRequest } from "./httpRouting.js";
import { startTimer, stopTimer } from "./turns.js";
import { invokeOpen } from "./invoke.js";
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
  const release = () => {
    execution.stop();
    context.pool.giveBack(isolate, false);
  };
  try {
    await invokeOpen(isolate, execution, () => {
      const router = isolate.load(HTTP_MODULE)["default"] as Router;
      return router.runRequest("{}", route);
    });
    const response = execution.httpResponse ?? new Response(null, { status: 500 });
    return { response: untilRead(response, execution, release), logLines, error: null };
  } catch (error) {
    release();
    const failed = clientError(failureOf(error), request.requestId);
    const body = { code: request.requestId, trace: failed.message };
    return { response: Response.json(body, { status: 500 }), logLines, error: failed };
  }
}

/** The action lives until its answer is read to the end, or not wanted, or too late. */
function untilRead(response: Response, execution: Execution, release: () => void): Response {
  if (response.body === null) {
    release();
    return response;
  }
  // A body is a stream of bytes; what else a function puts there fails where it is written.
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    if (timer !== undefined) stopTimer(timer);
    release();
  };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const giveUp = (error: Error) => {
        end();
        controller.error(error);
      };
      const { actionMs } = execution;
      timer = startTimer(() => {
        giveUp(new FunctionFailure(timedOutText(actionMs), { code: "TimedOut" }));
      }, actionMs);
      execution.onStuck = giveUp;
    },
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (value !== undefined) controller.enqueue(value);
      if (!done) return;
      end();
      controller.close();
    },
    cancel: async (reason) => {
      end();
      await reader.cancel(reason);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

function notFound(push: AnalyzedPush | null, pathname: string): Response {
  const text = hasHttpActions(push)
    ? `No HttpAction routed for ${pathname}`
    : "This Convex deployment does not have HTTP actions enabled.";
  return new Response(text, { status: 404 });
}

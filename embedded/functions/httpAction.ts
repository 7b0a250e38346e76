import { Execution, type ExecutionOptions } from "./execution.js";
import { failureOf } from "./failure.js";
import type { RunContext } from "./functionRun.js";
import { invoke } from "./invoke.js";
import type { LiveDeployment } from "./liveDeployment.js";

const HTTP_MODULE = "http.js";
/** The router of convex/server. */
type Router = { runRequest: (args: string, route: string) => Promise<string> };

/** Routes a request through http.ts. Failures become answers with status 500. */
export async function runHttpAction(
  context: RunContext,
  deployment: LiveDeployment,
  options: ExecutionOptions & { httpRequest: Request },
): Promise<Response> {
  if (deployment.current()?.functions[HTTP_MODULE] === undefined) {
    return new Response("This Convex deployment does not have HTTP actions enabled.", {
      status: 404,
    });
  }
  const isolate = context.pool.take("action");
  const execution = new Execution(context.host, options);
  try {
    await invoke(isolate, execution, () => {
      const router = isolate.load(HTTP_MODULE)["default"] as Router;
      return router.runRequest("{}", new URL(options.httpRequest.url).pathname);
    });
    return execution.httpResponse ?? new Response(null, { status: 500 });
  } catch (error) {
    const { message } = failureOf(error);
    const trace = `[Request ID: ${options.request.requestId}] Server Error\n${message}`;
    return Response.json({ code: options.request.requestId, trace }, { status: 500 });
  } finally {
    context.pool.giveBack(isolate, false);
  }
}

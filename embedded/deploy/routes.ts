/** The endpoints of the official CLI. All need the admin key; what fails is answered {code, message}. */
import { z } from "zod";
import { PushError, type Deployment } from "../functions/deployment.js";
import { httpLimits } from "../http/limits.js";
import { HttpError, type HttpRequest, type Reply } from "../http/request.js";
import type { Route } from "../http/router.js";
import { toWireEntry, type FunctionLog } from "./functionLog.js";
import { finishPushForm, startPushForm, waitForSchemaForm, type Pushes } from "./pushes.js";

const environmentForm = z.object({
  changes: z.array(z.object({ name: z.string(), value: z.string().nullish() })),
});

export function deployRoutes(options: {
  deployment: Deployment;
  pushes: Pushes;
  functionLog: FunctionLog;
  urls: () => { cloudUrl: string; siteUrl: string };
}): Route[] {
  const { deployment, pushes, functionLog } = options;
  const admin = (
    method: Route["method"],
    path: string,
    handle: (request: HttpRequest) => Promise<unknown>,
  ): Route => ({ method, path, handle: (request) => asAdmin(request, handle) });
  const body = <T extends z.ZodType>(request: HttpRequest, form: T) =>
    request.json(form, httpLimits.pushBytesMax);
  return [
    admin("GET", "/api/v1/get_canonical_urls", async () => {
      const { cloudUrl, siteUrl } = options.urls();
      return Promise.resolve({ convexCloudUrl: cloudUrl, convexSiteUrl: siteUrl });
    }),
    admin("POST", "/api/get_config_hashes", async () =>
      Promise.resolve({
        config: { functions: "convex/", authInfo: [] },
        // None: the CLI then sends every module, and no push depends on one before it.
        moduleHashes: [],
        nodeDependencies: [],
        udfServerVersion: deployment.current()?.udfServerVersion ?? null,
      }),
    ),
    admin("POST", "/api/deploy2/evaluate_schema", async () =>
      Promise.resolve({ componentSchemaEvaluations: {}, newComponentDefinitions: [] }),
    ),
    admin("POST", "/api/deploy2/evaluate_push", async (request) => {
      const { schemaChange } = await pushes.start(await body(request, startPushForm));
      return { schemaChange };
    }),
    admin("POST", "/api/deploy2/start_push", async (request) =>
      pushes.start(await body(request, startPushForm)),
    ),
    admin("POST", "/api/deploy2/wait_for_schema", async (request) =>
      pushes.checkSchema(await body(request, waitForSchemaForm)),
    ),
    admin("POST", "/api/deploy2/finish_push", async (request) =>
      pushes.finish(await body(request, finishPushForm)),
    ),
    admin("POST", "/api/deploy2/report_push_completed", async () => Promise.resolve({})),
    admin("POST", "/api/update_environment_variables", async (request) => {
      const { changes } = await body(request, environmentForm);
      await deployment.setEnvironment(
        changes.map(({ name, value }) => ({ name, value: value ?? null })),
      );
      return {};
    }),
    admin("GET", "/api/stream_function_logs", async (request) => {
      const cursor = Number(request.url.searchParams.get("cursor") ?? "0");
      if (!Number.isFinite(cursor)) throw new HttpError(400, "BadCursor", "cursor is not a number");
      const { entries, newCursor } = await functionLog.poll(cursor, request.closed);
      return { entries: entries.map(toWireEntry), newCursor };
    }),
  ];
}

async function asAdmin(
  request: HttpRequest,
  handle: (request: HttpRequest) => Promise<unknown>,
): Promise<Reply> {
  await request.admin();
  try {
    return { json: await handle(request) };
  } catch (error) {
    if (!(error instanceof PushError)) throw error;
    return { status: 400, json: { code: error.code, message: error.message } };
  }
}

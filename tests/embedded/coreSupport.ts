/** Opens a backend and pushes the fixture functions, bundled the way the official CLI does. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { JSONValue } from "convex/values";
import {
  type Backend,
  type BackendOptions,
  openBackend,
} from "../../embedded/functions/backend.js";
import type { Push } from "../../embedded/functions/deployment.js";
import type { FunctionCall, Identity } from "../../embedded/functions/types.js";

const FOLDER = fileURLToPath(new URL("fixtures/core/", import.meta.url));
const MODULES = ["jobs", "acts", "http", "crons"];

/** `more` adds or replaces modules by their source text. */
export async function bundle(
  more: { modules?: Record<string, string>; schema?: string | null } = {},
): Promise<Push> {
  const functions = await Promise.all(
    MODULES.map(async (name) => ({
      path: `${name}.js`,
      source: await bundled(`${name}.ts`, more.modules?.[name]),
      environment: "isolate" as const,
    })),
  );
  for (const [name, source] of Object.entries(more.modules ?? {})) {
    if (MODULES.includes(name)) continue;
    functions.push({
      path: `${name}.js`,
      source: await bundled(`${name}.ts`, source),
      environment: "isolate",
    });
  }
  const schema =
    more.schema === null
      ? null
      : {
          path: "schema.js",
          source: await bundled("schema.ts", more.schema),
          environment: "isolate" as const,
        };
  return { functions, schema, udfServerVersion: "1.48.0" };
}

async function bundled(file: string, source?: string): Promise<string> {
  const { outputFiles } = await build({
    ...(source === undefined
      ? { entryPoints: [FOLDER + file] }
      : { stdin: { contents: source, resolveDir: FOLDER, sourcefile: file, loader: "ts" } }),
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    conditions: ["convex", "module"],
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error(`Nothing bundled for ${file}.`);
  return output.text;
}

export async function openWithFixtures(options: Partial<BackendOptions> = {}): Promise<Backend> {
  const backend = await openBackend({ dataDir: null, ...options });
  const analyzed = await backend.deployment.analyze(await bundle());
  await backend.deployment.activate(analyzed);
  return backend;
}

export function call(
  path: string,
  args: JSONValue = {},
  identity: Identity = { kind: "none" },
): FunctionCall {
  const request = { ip: null, userAgent: null, requestId: "0123456789abcdef", authToken: null };
  return { componentPath: "", path, args, identity, request };
}

/** The value of an outcome; throws its error. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- a cast by name
export function valueOf<T = unknown>(
  outcome: { ok: true; value: JSONValue } | { ok: false; error: { message: string } },
): T {
  if (!outcome.ok) throw new Error(outcome.error.message);
  // Tests know what their fixtures return.
  return outcome.value as T;
}

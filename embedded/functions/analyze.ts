/** Evaluates the modules of a push and tells what they define. Nothing is written or activated. */
import { transform } from "esbuild";
import type { JSONValue } from "convex/values";
import {
  type AnalyzedFunction,
  type AnalyzedModule,
  type CronSpec,
  type Push,
  type PushedModule,
  PushError,
  type TransformedModule,
} from "./deployment.js";
import { Isolate, ModuleSet } from "./isolate.js";

const AUTH_MODULE = "auth.config.js";
const HTTP_MODULE = "http.js";
const CRONS_MODULE = "crons.js";
/** Chunks that modules share; they define nothing themselves. */
const DEPENDENCIES = "_deps/";

export type Analysis = {
  functions: Record<string, AnalyzedModule>;
  schema: JSONValue | null;
  authProviders: JSONValue[];
  modules: TransformedModule[];
};

/** Throws PushError. */
export async function analyze(
  push: Push,
  environment: Readonly<Record<string, string>>,
): Promise<Analysis> {
  const pushed = push.schema === null ? push.functions : [...push.functions, push.schema];
  const modules = await Promise.all(pushed.map(transformModule));
  const isolates = new AnalysisIsolates(new ModuleSet(modules), environment);
  const functions: Record<string, AnalyzedModule> = {};
  let authProviders: JSONValue[] = [];
  for (const { path } of push.functions) {
    if (path.startsWith(DEPENDENCIES)) continue;
    if (path === AUTH_MODULE) authProviders = evaluateAuth(isolates);
    else functions[path] = analyzeModule(path, isolates.load(path));
  }
  const schema = push.schema === null ? null : exportedSchema(push.schema.path, isolates);
  return { functions, schema, authProviders, modules };
}

/** Evaluates auth.config anew, after the environment has changed. */
export function reevaluateAuth(
  modules: readonly TransformedModule[],
  environment: Readonly<Record<string, string>>,
): JSONValue[] {
  if (!modules.some(({ path }) => path === AUTH_MODULE)) return [];
  return evaluateAuth(new AnalysisIsolates(new ModuleSet(modules), environment));
}

async function transformModule(module: PushedModule): Promise<TransformedModule> {
  try {
    const { code } = await transform(module.source, {
      format: "cjs",
      loader: "js",
      platform: "neutral",
      target: "esnext",
      // Modules are evaluated by a `require` of ours, dynamically imported ones too.
      supported: { "dynamic-import": false },
      logLevel: "silent",
    });
    return { ...module, code };
  } catch (error) {
    throw failed(module.path, error);
  }
}

class AnalysisIsolates {
  readonly #modules: ModuleSet;
  readonly #isolate: Isolate;
  readonly #nodeIsolate: Isolate;

  constructor(modules: ModuleSet, environment: Readonly<Record<string, string>>) {
    this.#modules = modules;
    // As functions will find them: the rules of queries and mutations hold while importing.
    this.#isolate = new Isolate("db", modules, environment);
    this.#nodeIsolate = new Isolate("node", modules, environment);
  }

  load(path: string): Record<string, unknown> {
    try {
      return (this.#modules.isNode(path) ? this.#nodeIsolate : this.#isolate).load(path);
    } catch (error) {
      throw failed(path, error);
    }
  }
}

/** What convex/server hangs on exported functions. */
type Exported = {
  isQuery?: boolean;
  isMutation?: boolean;
  isAction?: boolean;
  isPublic?: boolean;
  exportArgs?: () => string;
  exportReturns?: () => string;
};

function analyzeModule(path: string, exports: Record<string, unknown>): AnalyzedModule {
  try {
    const functions: AnalyzedFunction[] = [];
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value !== "function") continue;
      const found = analyzeFunction(name, value as Exported);
      if (found !== null) functions.push(found);
    }
    return {
      functions,
      httpRoutes: path === HTTP_MODULE ? httpRoutes(exports["default"]) : null,
      cronSpecs: path === CRONS_MODULE ? cronSpecs(exports["default"]) : null,
      sourceMapped: null,
    };
  } catch (error) {
    throw failed(path, error);
  }
}

function analyzeFunction(name: string, exported: Exported): AnalyzedFunction | null {
  const udfType =
    exported.isQuery === true
      ? "Query"
      : exported.isMutation === true
        ? "Mutation"
        : exported.isAction === true
          ? "Action"
          : null;
  if (udfType === null) return null;
  return {
    name,
    pos: null,
    udfType,
    visibility: { kind: exported.isPublic === true ? "public" : "internal" },
    args: exported.exportArgs?.() ?? null,
    returns: exported.exportReturns?.() ?? null,
  };
}

function httpRoutes(router: unknown): AnalyzedModule["httpRoutes"] {
  if (!has(router, "isRouter")) {
    throw new Error("The default export of convex/http.ts is not a Router.");
  }
  // convex/server's HttpRouter: triples of path, method, handler.
  const routes = (router as unknown as { getRoutes(): [string, string, unknown][] }).getRoutes();
  return routes.map(([path, method]) => ({ route: { path, method }, pos: null }));
}

function cronSpecs(crons: unknown): AnalyzedModule["cronSpecs"] {
  if (!has(crons, "isCrons")) {
    throw new Error("The default export of convex/crons.ts is not a Crons object.");
  }
  const exported = (crons as unknown as { export(): string }).export();
  // Written by convex/server.
  return Object.entries(JSON.parse(exported) as Record<string, CronSpec>);
}

function exportedSchema(path: string, isolates: AnalysisIsolates): JSONValue {
  const schema = isolates.load(path)["default"];
  if (!has(schema, "export")) {
    throw failed(path, new Error("The default export of convex/schema.ts is not a schema."));
  }
  try {
    return JSON.parse((schema as unknown as { export(): string }).export()) as JSONValue;
  } catch (error) {
    throw failed(path, error);
  }
}

function evaluateAuth(isolates: AnalysisIsolates): JSONValue[] {
  const config = isolates.load(AUTH_MODULE)["default"];
  if (!has(config, "providers") || !Array.isArray(config["providers"])) {
    throw new PushError(
      "InvalidAuthConfig",
      "auth.config.ts must export default an object with a list `providers`.",
    );
  }
  for (const provider of config["providers"] as Record<string, unknown>[]) {
    const missing = Object.entries(provider).find(([, value]) => value === undefined);
    if (missing === undefined) continue;
    throw new PushError(
      "AuthConfigMissingEnvironmentVariable",
      `A provider in auth.config.ts has no value for "${missing[0]}": is an environment variable missing? Set it with \`npx convex env set\`.`,
    );
  }
  // Into this realm, and JSON only.
  return JSON.parse(JSON.stringify(config["providers"])) as JSONValue[];
}

function has(value: unknown, name: string): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && name in value;
}

function failed(path: string, error: unknown): PushError {
  if (error instanceof PushError) return error;
  // Errors of user code come from another realm.
  const message =
    typeof error === "object" && error !== null && "message" in error
      ? String(error.message)
      : String(error);
  return new PushError("ModuleAnalysisFailed", `Failed to analyze ${path}: Uncaught ${message}`);
}

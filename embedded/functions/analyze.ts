/** Evaluates the modules of a push and tells what they define. Nothing is written or activated. */
import { transform } from "esbuild";
import type { JSONValue } from "convex/values";
import {
  assertEnvironments,
  childrenFirst,
  EMPTY_APP,
  importedDefinition,
  instancesOf,
} from "./componentTree.js";
import {
  type AnalyzedFunction,
  type AnalyzedModule,
  type AnalyzedPush,
  type ComponentInstance,
  type CronSpec,
  type DefinitionMetadata,
  type Push,
  type PushedDefinition,
  type PushedModule,
  PushError,
  type TransformedModule,
} from "./deployment.js";
import { Isolate, ModuleSet } from "./isolate.js";

/** Every convex.config is evaluated under this name, beside what it imports. */
const DEFINITION_MODULE = "convex.config.js";
const AUTH_MODULE = "auth.config.js";
const HTTP_MODULE = "http.js";
const CRONS_MODULE = "crons.js";
/** Chunks that modules share; they define nothing themselves. */
const DEPENDENCIES = "_deps/";

type Environment = Readonly<Record<string, string>>;
type Tree = {
  instances: Record<string, ComponentInstance>;
  definitions: ReadonlyMap<string, { metadata: DefinitionMetadata }>;
};

/** `environmentsOf` tells what each instance sees as process.env. Throws PushError. */
export async function analyze(
  push: Push,
  environmentsOf: (tree: Tree) => ReadonlyMap<string, Environment>,
): Promise<Omit<AnalyzedPush, "indexChanges">> {
  const { definition = null, dependencies = [], schema, functions, components = [] } = push;
  const app = { definitionPath: "", definition, dependencies, schema, functions };
  const pushed: PushedDefinition[] = [app, ...components];
  const metadata = await evaluateDefinitions(pushed);
  const tree: Tree = { instances: instancesOf(metadata), definitions: metadata };
  const environments = environmentsOf(tree);
  assertEnvironments(tree, environments);
  const definitions: AnalyzedPush["definitions"] = {};
  let authProviders: JSONValue[] = [];
  for (const one of pushed) {
    // Several instances share their code: it is looked at once, as the first of them will run it.
    const first = Object.values(tree.instances).find(
      ({ definitionPath }) => definitionPath === one.definitionPath,
    );
    const environment = environments.get(first?.componentPath ?? "") ?? {};
    const modules = await Promise.all(
      [...one.functions, ...(one.schema === null ? [] : [one.schema])].map(transformModule),
    );
    const isolates = new AnalysisIsolates(new ModuleSet(modules), environment);
    definitions[one.definitionPath] = {
      metadata: metadata.get(one.definitionPath)?.metadata ?? EMPTY_APP,
      functions: analyzeModules(one.functions, isolates),
      schema: one.schema === null ? null : exportedSchema(one.schema.path, isolates),
      modules,
    };
    if (one.definitionPath === "") authProviders = reevaluateAuth(modules, environment);
  }
  const { instances } = tree;
  return { definitions, instances, authProviders, udfServerVersion: push.udfServerVersion };
}

function analyzeModules(
  pushed: readonly PushedModule[],
  isolates: AnalysisIsolates,
): Record<string, AnalyzedModule> {
  const functions: Record<string, AnalyzedModule> = {};
  for (const { path } of pushed) {
    if (path.startsWith(DEPENDENCIES) || path === AUTH_MODULE) continue;
    functions[path] = analyzeModule(path, isolates.load(path));
  }
  return functions;
}

/** Evaluates auth.config, at a push and after the environment has changed. */
export function reevaluateAuth(
  modules: readonly TransformedModule[],
  environment: Environment,
): JSONValue[] {
  if (!modules.some(({ path }) => path === AUTH_MODULE)) return [];
  return evaluateAuth(new AnalysisIsolates(new ModuleSet(modules), environment));
}

/** Evaluates every convex.config, the used before the users. */
async function evaluateDefinitions(
  pushed: readonly PushedDefinition[],
): Promise<Map<string, { metadata: DefinitionMetadata }>> {
  const found = new Map<string, { metadata: DefinitionMetadata }>();
  for (const { definitionPath, definition } of childrenFirst(pushed)) {
    if (definition === null) {
      found.set(definitionPath, { metadata: EMPTY_APP });
      continue;
    }
    const imports = [...found].map(([path, { metadata }]) => importedDefinition(path, metadata));
    const own = { ...definition, path: DEFINITION_MODULE };
    const modules = await Promise.all([own, ...imports].map(transformModule));
    const isolates = new AnalysisIsolates(new ModuleSet(modules), {});
    const name = definitionPath === "" ? definition.path : `${definitionPath}/${definition.path}`;
    found.set(definitionPath, { metadata: exportedDefinition(name, isolates) });
  }
  return found;
}

function exportedDefinition(shownPath: string, isolates: AnalysisIsolates): DefinitionMetadata {
  try {
    const definition = isolates.load(DEFINITION_MODULE)["default"];
    if (!has(definition, "export")) {
      throw new Error("The default export is not made by defineApp or defineComponent.");
    }
    // Into this realm; convex/server gives an object of this shape.
    const exported = (definition as unknown as { export(): DefinitionMetadata }).export();
    return JSON.parse(JSON.stringify(exported)) as DefinitionMetadata;
  } catch (error) {
    throw failed(shownPath, error);
  }
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
    return { path: module.path, environment: module.environment, code };
  } catch (error) {
    throw failed(module.path, error);
  }
}

class AnalysisIsolates {
  readonly #modules: ModuleSet;
  readonly #isolate: Isolate;
  readonly #nodeIsolate: Isolate;

  constructor(modules: ModuleSet, environment: Environment) {
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

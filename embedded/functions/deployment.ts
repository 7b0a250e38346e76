import type { JSONValue } from "convex/values";
import type { Transaction } from "../engine/transaction.js";

/** A bundled module as the official CLI posts it. */
export type PushedModule = {
  path: string;
  source: string;
  sourceMap?: string | null;
  environment: "isolate" | "node";
};

/** What is pushed of a component (or of the app): its convex.config, schema and functions. */
export type PushedDefinition = {
  /** Where the definition lies as seen from the app; "" is the app's own. */
  definitionPath: string;
  /** convex.config; null where there is none. */
  definition: PushedModule | null;
  /** Definition paths of what it uses. */
  dependencies: readonly string[];
  schema: PushedModule | null;
  functions: readonly PushedModule[];
};

/** The parts of a start_push request that decide what is deployed. */
export type Push = Pick<PushedDefinition, "schema" | "functions"> &
  Partial<Pick<PushedDefinition, "definition" | "dependencies">> & {
    udfServerVersion: string;
    /** Definitions of the components that are used, each once. */
    components?: readonly PushedDefinition[];
  };

export type AnalyzedFunction = {
  name: string;
  pos: null;
  udfType: "Query" | "Mutation" | "Action";
  visibility: { kind: "public" | "internal" };
  /** Validator JSON as text. */
  args: string | null;
  returns: string | null;
};
export type AnalyzedModule = {
  functions: AnalyzedFunction[];
  httpRoutes: { route: { path: string; method: string }; pos: null }[] | null;
  /** Pairs of name and what `crons.export()` says of it. */
  cronSpecs: [string, CronSpec][] | null;
  sourceMapped: null;
};
export type CronSpec = { name: string; args: JSONValue[]; schedule: CronSchedule };
export type CronSchedule = { type: string } & Record<string, JSONValue>;

export type EnvBinding = { type: "value"; value: string } | { type: "envVar"; name: string };
export type ChildUse = { name: string; path: string; env: [string, EnvBinding][] | null };
/** What `export()` of a convex.config says. */
export type DefinitionMetadata = {
  definitionType: { type: "app" } | { type: "childComponent"; name: string };
  childComponents: ChildUse[];
  /** Path prefix with slashes at both ends → reference of the child that answers there. */
  httpMounts: Record<string, string>;
  /** The app's own prefix, stripped before its http.ts is asked. */
  httpPrefix?: string;
  exports: JSONValue;
  envVars?: [string, { type: "value"; value: string; optional?: boolean }][];
};
export type AnalyzedDefinition = {
  metadata: DefinitionMetadata;
  /** Key: module path, "jobs.js". */
  functions: Record<string, AnalyzedModule>;
  /** What schema.ts exports, as JSON; null without a schema. */
  schema: JSONValue | null;
  /** Transformed modules; opaque. */
  readonly modules: readonly TransformedModule[];
};
/** A place in the tree of components where a definition is used. */
export type ComponentInstance = {
  /** "" is the root, "a/b" the child b of the root's child a. */
  componentPath: string;
  definitionPath: string;
  env: [string, EnvBinding][];
};

export type IndexChange = { table: string; name: string } & IndexShape;
export type IndexShape =
  | { type: "database"; fields: string[]; staged?: boolean }
  | { type: "search"; searchField: string; filterFields: string[]; staged?: boolean }
  | {
      type: "vector";
      vectorField: string;
      dimensions: number;
      filterFields: string[];
      staged?: boolean;
    };
export type IndexChanges = {
  added: IndexChange[];
  removed: IndexChange[];
  /** Were staged, are used from now on. */
  enabled: IndexChange[];
  /** Were used, are staged from now on. */
  disabled: IndexChange[];
};
/** A checked push: everything evaluated, nothing activated, nothing written. */
export type AnalyzedPush = {
  /** By definition path; "" is the app. */
  definitions: Record<string, AnalyzedDefinition>;
  /** By component path; "" is the root. Parents come before their children. */
  instances: Record<string, ComponentInstance>;
  /** `providers` of auth.config.ts, evaluated with the current environment. */
  authProviders: JSONValue[];
  /** By component path. */
  indexChanges: Record<string, IndexChanges>;
  udfServerVersion: string;
};
export type TransformedModule = Pick<PushedModule, "path" | "environment"> & { code: string };

/** What an instance is made of; null when the push has no such instance. */
export function definitionAt(
  push: Pick<AnalyzedPush, "definitions" | "instances"> | null,
  componentPath: string,
): AnalyzedDefinition | null {
  const instance = push?.instances[componentPath];
  return instance === undefined ? null : (push?.definitions[instance.definitionPath] ?? null);
}

export type SchemaCheck =
  { ok: true } | { ok: false; error: string; componentPath: string; table: string };

/** Why a push is refused; `message` is for the person who pushed. HTTP 400. */
export class PushError extends Error {
  override readonly name = "PushError";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Deployment {
  /** Transforms and evaluates the modules. Throws PushError ("Failed to analyze <path>: …"). */
  analyze(push: Push): Promise<AnalyzedPush>;
  /** Checks existing documents against the new schemas. */
  checkSchemaChange(analyzed: AnalyzedPush): SchemaCheck;
  /**
   * Makes it the running deployment in one transaction: modules, schemas, indexes (built here),
   * and what `alsoWrite` writes (cron rows). Invalidates all subscriptions. Resolves when durable.
   */
  activate(analyzed: AnalyzedPush, alsoWrite?: (tx: Transaction) => void): Promise<{ ts: bigint }>;
  /** The running deployment, null before the first push. */
  current(): AnalyzedPush | null;
  authProviders(): JSONValue[];
  /** Called after each activation and each change of the environment. Returns the unsubscribe. */
  onChange(listener: () => void): () => void;

  environment(): Readonly<Record<string, string>>;
  /** `null` removes. Refused values (reserved names, too many, too long) throw PushError. Re-evaluates auth.config. */
  setEnvironment(changes: readonly { name: string; value: string | null }[]): Promise<void>;
}

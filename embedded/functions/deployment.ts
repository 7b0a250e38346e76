import type { JSONValue } from "convex/values";
import type { Transaction } from "../engine/transaction.js";

/** A bundled module as the official CLI posts it. */
export type PushedModule = {
  path: string;
  source: string;
  sourceMap?: string | null;
  environment: "isolate" | "node";
};

/** The parts of a start_push request that decide what is deployed (root component only). */
export type Push = {
  functions: readonly PushedModule[];
  schema: PushedModule | null;
  udfServerVersion: string;
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

export type IndexChange = { table: string; name: string; fields: string[] };
/** A checked push: everything evaluated, nothing activated, nothing written. */
export type AnalyzedPush = {
  /** Key: module path, "jobs.js". */
  functions: Record<string, AnalyzedModule>;
  /** What schema.ts exports, as JSON; null without a schema. */
  schema: JSONValue | null;
  /** `providers` of auth.config.ts, evaluated with the current environment. */
  authProviders: JSONValue[];
  indexChanges: { added: IndexChange[]; removed: IndexChange[] };
  udfServerVersion: string;
  /** Transformed modules; opaque. */
  readonly modules: readonly TransformedModule[];
};
export type TransformedModule = PushedModule & { code: string };

export type SchemaCheck = { ok: true } | { ok: false; error: string; table: string };

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
  /** Checks existing documents against a new schema. */
  checkSchemaChange(analyzed: AnalyzedPush): SchemaCheck;
  /**
   * Makes it the running deployment in one transaction: modules, schema, indexes (built here),
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

/** Pushes by the official CLI: analysed, checked against the data, then activated. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { parseProviders } from "../auth/providers.js";
import { PushError, type AnalyzedPush, type Deployment } from "../functions/deployment.js";
import { checkCrons, diffCrons, writeCrons } from "../scheduler/crons.js";

/** Analysed pushes that wait for their activation; the oldest gives way. */
const PENDING_MAX = 8;

const pushedModule = z.looseObject({
  path: z.string(),
  source: z.string(),
  sourceMap: z
    .string()
    .nullish()
    .transform((map) => map ?? null),
  environment: z.enum(["isolate", "node"]),
});
export const startPushForm = z.looseObject({
  dryRun: z.boolean().default(false),
  appDefinition: z.looseObject({
    dependencies: z.array(z.string()),
    schema: pushedModule.nullable(),
    changedModules: z.array(pushedModule),
    unchangedModuleHashes: z.array(z.looseObject({ path: z.string() })),
    udfServerVersion: z.string(),
  }),
  componentDefinitions: z.array(z.looseObject({ definitionPath: z.string() })),
});
/** The part of our own start_push answer that the CLI hands back. */
const schemaChangeForm = z.looseObject({ schemaIds: z.record(z.string(), z.string()) });
export const waitForSchemaForm = z.looseObject({ schemaChange: schemaChangeForm });
export const finishPushForm = z.looseObject({
  startPush: waitForSchemaForm,
  dryRun: z.boolean().default(false),
});

export class Pushes {
  readonly #deployment: Deployment;
  readonly #nowMs: () => number;
  readonly #pending = new Map<string, AnalyzedPush>();

  constructor(options: { deployment: Deployment; nowMs: () => number }) {
    this.#deployment = options.deployment;
    this.#nowMs = options.nowMs;
  }

  /** Analyses without changing anything. Throws PushError. */
  async start(form: z.output<typeof startPushForm>) {
    const { appDefinition, componentDefinitions } = form;
    if (appDefinition.dependencies.length > 0 || componentDefinitions.length > 0) {
      throw new PushError(
        "ComponentsUnsupported",
        "Components (app.use in convex.config.ts) are not supported by the embedded backend yet; remove them or use another deployment",
      );
    }
    if (appDefinition.unchangedModuleHashes.length > 0) {
      throw new PushError("UnknownModuleHash", "Send all modules: this deployment keeps no hashes");
    }
    const analyzed = await this.#deployment.analyze({
      functions: appDefinition.changedModules,
      schema: appDefinition.schema,
      udfServerVersion: appDefinition.udfServerVersion,
    });
    refuseBadConfiguration(analyzed);
    const id = randomUUID();
    this.#pending.set(id, analyzed);
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > PENDING_MAX && oldest !== undefined) this.#pending.delete(oldest);
    return startPushAnswer(id, analyzed);
  }

  /** Whether the stored documents fit the pushed schema. */
  checkSchema(form: z.output<typeof waitForSchemaForm>) {
    const analyzed = this.#pending.get(idOf(form.schemaChange));
    if (analyzed === undefined) return { type: "raceDetected" };
    const check = this.#deployment.checkSchemaChange(analyzed);
    if (check.ok) return { type: "complete" };
    return { type: "failed", error: check.error, componentPath: "", tableName: check.table };
  }

  /** Makes the push the running deployment, crons included, in one transaction. */
  async finish(form: z.output<typeof finishPushForm>) {
    const id = idOf(form.startPush.schemaChange);
    const analyzed = this.#pending.get(id);
    if (analyzed === undefined) {
      throw new PushError("RaceDetected", "This push is no longer known; push again");
    }
    const answer = finishPushAnswer(this.#deployment.current(), analyzed);
    if (form.dryRun) return answer;
    const check = this.#deployment.checkSchemaChange(analyzed);
    if (!check.ok) throw new PushError("SchemaDefinitionError", check.error);
    await this.#deployment.activate(analyzed, (tx) => {
      writeCrons(tx, { analyzed, nowMs: this.#nowMs() });
    });
    this.#pending.delete(id);
    return answer;
  }
}

const idOf = (change: z.output<typeof schemaChangeForm>): string => change.schemaIds[""] ?? "";

function refuseBadConfiguration(analyzed: AnalyzedPush): void {
  try {
    parseProviders(analyzed.authProviders);
    checkCrons(analyzed);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new PushError("InvalidConfiguration", message);
  }
}

const indexDiffOf = ({ indexChanges }: AnalyzedPush) => {
  const toWire = ({ table, name, fields }: AnalyzedPush["indexChanges"]["added"][number]) => ({
    type: "database",
    name: `${table}.${name}`,
    fields,
  });
  return {
    added_indexes: indexChanges.added.map(toWire),
    removed_indexes: indexChanges.removed.map(toWire),
    enabled_indexes: [],
    disabled_indexes: [],
  };
};

/** The CLI wants applicationID present, null when not given. */
function authInfoOf(analyzed: AnalyzedPush | null) {
  return parseProviders(analyzed?.authProviders ?? []).map((provider) => ({
    ...provider,
    applicationID: provider.applicationID ?? null,
  }));
}

function startPushAnswer(id: string, analyzed: AnalyzedPush) {
  const definition = {
    path: "",
    definitionType: { type: "app" },
    childComponents: [],
    httpMounts: {},
    exports: { type: "branch", branch: [] },
  };
  const udfConfig = {
    serverVersion: analyzed.udfServerVersion,
    importPhaseRngSeed: null,
    importPhaseUnixTimestamp: null,
  };
  const httpModuleRoutes = Object.values(analyzed.functions).flatMap((module) =>
    (module.httpRoutes ?? []).map(({ route }) => route),
  );
  return {
    environmentVariables: {},
    externalDepsId: null,
    componentDefinitionPackages: {},
    appAuth: authInfoOf(analyzed),
    analysis: {
      "": { definition, schema: analyzed.schema, functions: analyzed.functions, udfConfig },
    },
    app: {
      definitionPath: "",
      componentPath: "",
      args: {},
      childComponents: {},
      httpRoutes: {
        httpModuleRoutes: httpModuleRoutes.length === 0 ? null : httpModuleRoutes,
        mounts: [],
      },
      exports: {},
    },
    schemaChange: {
      allocatedComponentIds: {},
      schemaIds: { "": id },
      indexDiffs: { "": indexDiffOf(analyzed) },
    },
  };
}

function finishPushAnswer(before: AnalyzedPush | null, after: AnalyzedPush) {
  const auth = diff(texts(authInfoOf(before)), texts(authInfoOf(after)));
  const schemas = [before?.schema ?? null, after.schema].map((schema) =>
    schema === null ? null : JSON.stringify(schema),
  );
  const [previous_schema = null, next_schema = null] = schemas;
  return {
    authDiff: auth,
    definitionDiffs: {},
    componentDiffs: {
      "": {
        diffType: { type: before === null ? "create" : "modify" },
        moduleDiff: diff(Object.keys(before?.functions ?? {}), Object.keys(after.functions)),
        udfConfigDiff:
          before === null || before.udfServerVersion === after.udfServerVersion
            ? null
            : { previous_version: before.udfServerVersion, next_version: after.udfServerVersion },
        cronDiff: diffCrons(before, after),
        indexDiff: indexDiffOf(after),
        schemaDiff: previous_schema === next_schema ? null : { previous_schema, next_schema },
      },
    },
  };
}

const texts = (values: readonly unknown[]): string[] => values.map((v) => JSON.stringify(v));

const diff = (before: readonly string[], after: readonly string[]) => ({
  added: after.filter((item) => !before.includes(item)),
  removed: before.filter((item) => !after.includes(item)),
});

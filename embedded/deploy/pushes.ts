/** Pushes by the official CLI: analysed, checked against the data, then activated. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { parseProviders } from "../auth/providers.js";
import { PushError, type AnalyzedPush, type Deployment } from "../functions/deployment.js";
import { checkCrons, writeCrons } from "../scheduler/crons.js";
import { finishPushAnswer, startPushAnswer } from "./pushAnswers.js";

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
    definition: pushedModule.nullable(),
    schema: pushedModule.nullable(),
    changedModules: z.array(pushedModule),
    unchangedModuleHashes: z.array(z.looseObject({ path: z.string() })),
    udfServerVersion: z.string(),
  }),
  componentDefinitions: z.array(
    z.looseObject({
      definitionPath: z.string(),
      definition: pushedModule,
      dependencies: z.array(z.string()),
      schema: pushedModule.nullable(),
      functions: z.array(pushedModule),
    }),
  ),
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
    if (appDefinition.unchangedModuleHashes.length > 0) {
      throw new PushError("UnknownModuleHash", "Send all modules: this deployment keeps no hashes");
    }
    const analyzed = await this.#deployment.analyze({
      definition: appDefinition.definition,
      dependencies: appDefinition.dependencies,
      functions: appDefinition.changedModules,
      schema: appDefinition.schema,
      udfServerVersion: appDefinition.udfServerVersion,
      components: componentDefinitions,
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
    const { error, componentPath, table } = check;
    return { type: "failed", error, componentPath, tableName: table };
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

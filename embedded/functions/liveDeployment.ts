/** The running deployment: what was pushed last and the environment, kept in the store. */
import type { JSONValue, Value } from "convex/values";
import type { Engine } from "../engine/engine.js";
import { allDocuments, type SchemaTables } from "../engine/schemaChange.js";
import type { Transaction } from "../engine/transaction.js";
import { tableNumberOf } from "../values/ids.js";
import { analyze, reevaluateAuth } from "./analyze.js";
import { assertEnvironments, environmentsOf, mountPathOf } from "./componentTree.js";
import {
  type AnalyzedPush,
  definitionAt,
  type Deployment,
  type Push,
  PushError,
  type SchemaCheck,
} from "./deployment.js";
import { assertEnvironmentChange } from "./environment.js";
import { indexChanges } from "./indexChanges.js";
import { ModuleSet } from "./isolate.js";
import type { IsolatePool } from "./isolatePool.js";
import { Registry } from "./registry.js";
import { schemaBreach, schemaTables } from "./schema.js";
import { tableByNumber } from "./systemViews.js";
import type { TableOfId } from "./validators.js";

const META_KEY = "deployment/";
const ENVIRONMENT_TABLE = "_environment_variables";

type Environment = Readonly<Record<string, string>>;
type Tree = Pick<AnalyzedPush, "instances" | "definitions">;

export type DeploymentOptions = {
  engine: Engine;
  pool: IsolatePool;
  /** Set by the backend; cannot be changed by `setEnvironment`. */
  systemEnvironment: Environment;
};

export class LiveDeployment implements Deployment {
  registry = new Registry();
  readonly #engine: Engine;
  readonly #pool: IsolatePool;
  readonly #systemEnvironment: Environment;
  readonly #listeners = new Set<() => void>();
  #current: AnalyzedPush | null = null;
  #environment: Record<string, string> = {};

  constructor({ engine, pool, systemEnvironment }: DeploymentOptions) {
    this.#engine = engine;
    this.#pool = pool;
    this.#systemEnvironment = systemEnvironment;
    this.#environment = readEnvironment(engine);
    const stored = engine.store.metaGet(META_KEY);
    if (stored === null) return;
    // Written by `activate` only.
    this.#install(JSON.parse(stored) as AnalyzedPush);
    for (const { componentId, tables } of this.#schemas(this.#current)) {
      for (const { name, check } of tables)
        engine.catalog.table({ componentId, name }).check = check;
    }
  }

  /** The name of the component's table an id belongs to. */
  readonly tableOfId =
    (componentId: string): TableOfId =>
    (id) => {
      const number = tableNumberOf(id);
      if (number === null) return null;
      return tableByNumber(this.#engine.catalog, componentId, number)?.name ?? null;
    };

  async analyze(push: Push): Promise<AnalyzedPush> {
    const analysis = await analyze(push, ({ instances, definitions }) =>
      this.#environmentsOf({ instances, definitions: Object.fromEntries(definitions) }),
    );
    const schemas = this.#schemas(analysis);
    for (const schema of schemas) {
      const breach = schemaBreach(schema);
      if (breach !== null) throw new PushError("InvalidSchema", breach);
    }
    return { ...analysis, indexChanges: indexChanges(this.#engine, schemas) };
  }

  checkSchemaChange(analyzed: AnalyzedPush): SchemaCheck {
    for (const schema of this.#schemas(analyzed)) {
      const { componentId } = schema;
      for (const { name, check } of schema.tables) {
        const table = this.#engine.catalog.find({ componentId, name });
        if (table === null || check === null) continue;
        for (const { value } of allDocuments(this.#engine.store, table)) {
          const reason = check(value);
          if (reason === null) continue;
          const error = `Document with ID "${value._id}" in table "${name}" does not match the schema: ${reason}`;
          return { ok: false, table: name, componentPath: componentId, error };
        }
      }
    }
    return { ok: true };
  }

  /** Throws PushError when existing documents do not match (they may have changed since checked). */
  async activate(
    analyzed: AnalyzedPush,
    alsoWrite: (tx: Transaction) => void = () => undefined,
  ): Promise<{ ts: bigint }> {
    const { ts } = await this.#engine.transact(
      (tx) => {
        const checked = this.checkSchemaChange(analyzed);
        if (!checked.ok) throw new PushError("SchemaValidationFailed", checked.error);
        alsoWrite(tx);
      },
      {
        meta: [{ key: META_KEY, value: JSON.stringify(analyzed) }],
        schemas: this.#schemas(analyzed),
        onCommitted: () => {
          this.#install(analyzed);
        },
      },
    );
    this.#tell();
    return { ts };
  }

  current(): AnalyzedPush | null {
    return this.#current;
  }

  authProviders(): JSONValue[] {
    return this.#current?.authProviders ?? [];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  environment(): Environment {
    return this.#environment;
  }

  async setEnvironment(changes: readonly { name: string; value: string | null }[]): Promise<void> {
    const next = { ...this.#environment };
    for (const { name, value } of changes) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the names are data
      if (value === null) delete next[name];
      else next[name] = value;
    }
    assertEnvironmentChange(changes, next, this.#systemEnvironment);
    const current = this.#current;
    const installed = current === null ? null : this.#withEnvironment(current, next);
    await this.#engine.transact(
      (tx) => {
        for (const { name, value } of changes) writeVariable(tx, name, value);
      },
      {
        onCommitted: () => {
          this.#environment = next;
          if (installed !== null) this.#install(installed);
          this.#engine.invalidateAll();
        },
      },
    );
    this.#tell();
  }

  /** Throws PushError when a variable that is declared as required would be gone. */
  #withEnvironment(current: AnalyzedPush, environment: Environment): AnalyzedPush {
    const environments = this.#environmentsOf(current, environment);
    const definitions = new Map(Object.entries(current.definitions));
    assertEnvironments({ instances: current.instances, definitions }, environments);
    const modules = definitionAt(current, "")?.modules ?? [];
    return { ...current, authProviders: reevaluateAuth(modules, environments.get("") ?? {}) };
  }

  #install(analyzed: AnalyzedPush): void {
    this.#current = analyzed;
    this.registry = new Registry();
    const environments = this.#environmentsOf(analyzed);
    const sets = new Map(
      Object.entries(analyzed.definitions).map(([path, { modules }]) => [
        path,
        new ModuleSet(modules),
      ]),
    );
    const code = new Map<string, { modules: ModuleSet; environment: Environment }>();
    for (const { componentPath, definitionPath } of Object.values(analyzed.instances)) {
      const modules = sets.get(definitionPath) ?? new ModuleSet([]);
      const environment = environments.get(componentPath) ?? {};
      code.set(componentPath, { modules, environment });
      this.registry.set(componentPath, definitionAt(analyzed, componentPath)?.functions ?? {});
    }
    this.#pool.reset(code);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #environmentsOf(
    tree: { instances: Tree["instances"]; definitions: Readonly<Record<string, MetadataOnly>> },
    environment: Environment = this.#environment,
  ): Map<string, Environment> {
    const definitions = new Map(Object.entries(tree.definitions));
    const siteUrl = this.#systemEnvironment["CONVEX_SITE_URL"];
    return environmentsOf(tree.instances, environment, {
      ofRoot: this.#systemEnvironment,
      siteUrlOf: (componentPath) => {
        const mount = mountPathOf({ instances: tree.instances, definitions }, componentPath);
        return siteUrl === undefined || mount === null ? null : siteUrl + mount.slice(0, -1);
      },
    });
  }

  /** What each instance's schema asks for. */
  #schemas(push: Tree | null): SchemaTables[] {
    return Object.keys(push?.instances ?? {}).map((componentPath) =>
      schemaTables(definitionAt(push, componentPath)?.schema ?? null, {
        componentId: componentPath,
        tableOfId: this.tableOfId(componentPath),
      }),
    );
  }
}

type MetadataOnly = Pick<AnalyzedPush["definitions"][string], "metadata">;

function readEnvironment(engine: Engine): Record<string, string> {
  const environment: Record<string, string> = {};
  const tx = engine.begin();
  for (const row of tx.scan(ENVIRONMENT_TABLE)) {
    const { name, value } = row as Readonly<Record<string, Value>>;
    if (typeof name === "string" && typeof value === "string") environment[name] = value;
  }
  tx.abort();
  return environment;
}

function writeVariable(tx: Transaction, name: string, value: string | null): void {
  const range = [{ type: "Eq", fieldPath: "name", value: name }] as const;
  const [row] = [...tx.scan(ENVIRONMENT_TABLE, { index: "by_name", range })];
  if (row !== undefined) tx.remove(ENVIRONMENT_TABLE, row._id);
  if (value !== null) tx.insert(ENVIRONMENT_TABLE, { name, value });
}

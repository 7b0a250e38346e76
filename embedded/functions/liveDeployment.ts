/** The running deployment: what was pushed last and the environment, kept in the store. */
import type { JSONValue, Value } from "convex/values";
import type { Engine } from "../engine/engine.js";
import { allDocuments, isSame } from "../engine/schemaChange.js";
import type { Transaction } from "../engine/transaction.js";
import { tableNumberOf } from "../values/ids.js";
import { analyze, reevaluateAuth } from "./analyze.js";
import {
  type AnalyzedPush,
  type Deployment,
  type IndexChange,
  type Push,
  PushError,
  type SchemaCheck,
} from "./deployment.js";
import { assertEnvironmentChange } from "./environment.js";
import { ModuleSet } from "./isolate.js";
import type { IsolatePool } from "./isolatePool.js";
import { Registry } from "./registry.js";
import { schemaTables } from "./schema.js";

const META_KEY = "deployment/";
const ENVIRONMENT_TABLE = "_environment_variables";

export type DeploymentOptions = {
  engine: Engine;
  pool: IsolatePool;
  /** Set by the backend; cannot be changed by `setEnvironment`. */
  systemEnvironment: Readonly<Record<string, string>>;
};

export class LiveDeployment implements Deployment {
  registry = new Registry({});
  readonly #engine: Engine;
  readonly #pool: IsolatePool;
  readonly #systemEnvironment: Readonly<Record<string, string>>;
  readonly #listeners = new Set<() => void>();
  #current: AnalyzedPush | null = null;
  #environment: Record<string, string> = {};

  constructor({ engine, pool, systemEnvironment }: DeploymentOptions) {
    this.#engine = engine;
    this.#pool = pool;
    this.#systemEnvironment = systemEnvironment;
    this.#environment = readEnvironment(engine);
    const stored = engine.store.metaGet(META_KEY);
    // Written by `activate` only.
    if (stored !== null) this.#install(JSON.parse(stored) as AnalyzedPush);
    else this.#pool.reset(new ModuleSet([]), this.#forFunctions());
    const tables = schemaTables(this.#current?.schema ?? null, this.tableOfId).tables;
    for (const { name, check } of tables) {
      engine.catalog.table({ componentId: "", name }).check = check;
    }
  }

  /** The name of the root component's table an id belongs to. */
  readonly tableOfId = (id: string): string | null => {
    const number = tableNumberOf(id);
    if (number === null) return null;
    return this.#engine.catalog.byNumber("", number)?.name ?? null;
  };

  async analyze(push: Push): Promise<AnalyzedPush> {
    const analysis = await analyze(push, this.#forFunctions());
    return {
      ...analysis,
      indexChanges: this.#indexChanges(analysis.schema),
      udfServerVersion: push.udfServerVersion,
    };
  }

  checkSchemaChange(analyzed: AnalyzedPush): SchemaCheck {
    const wanted = schemaTables(analyzed.schema, this.tableOfId);
    for (const { name, check } of wanted.tables) {
      const table = this.#engine.catalog.find({ componentId: "", name });
      if (table === null || check === null) continue;
      for (const { value } of allDocuments(this.#engine.store, table)) {
        const reason = check(value);
        if (reason === null) continue;
        return {
          ok: false,
          table: name,
          error: `Document with ID "${value._id}" in table "${name}" does not match the schema: ${reason}`,
        };
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
        schema: schemaTables(analyzed.schema, this.tableOfId),
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

  environment(): Readonly<Record<string, string>> {
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
    const modules = this.#current?.modules ?? [];
    const authProviders = reevaluateAuth(modules, { ...this.#systemEnvironment, ...next });
    await this.#engine.transact(
      (tx) => {
        for (const { name, value } of changes) writeVariable(tx, name, value);
      },
      {
        onCommitted: () => {
          this.#environment = next;
          if (this.#current === null) this.#pool.reset(new ModuleSet([]), this.#forFunctions());
          else this.#install({ ...this.#current, authProviders });
          this.#engine.invalidateAll();
        },
      },
    );
    this.#tell();
  }

  #install(analyzed: AnalyzedPush): void {
    this.#current = analyzed;
    this.registry = new Registry(analyzed.functions);
    this.#pool.reset(new ModuleSet(analyzed.modules), this.#forFunctions());
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #forFunctions(): Record<string, string> {
    return { ...this.#environment, ...this.#systemEnvironment };
  }

  #indexChanges(schema: JSONValue | null): AnalyzedPush["indexChanges"] {
    const added: IndexChange[] = [];
    const removed: IndexChange[] = [];
    const wanted = new Map(
      schemaTables(schema, this.tableOfId).tables.map(({ name, indexes }) => [name, indexes]),
    );
    for (const [table, indexes] of wanted) {
      const existing = this.#engine.catalog.find({ componentId: "", name: table })?.indexes;
      for (const spec of indexes) {
        const index = existing?.get(spec.name);
        if (index !== undefined && isSame(index, spec)) continue;
        added.push({ table, name: spec.name, fields: [...spec.fields] });
      }
    }
    for (const table of this.#engine.listTables("")) {
      const existing = this.#engine.catalog.find({ componentId: "", name: table })?.indexes;
      for (const index of existing?.values() ?? []) {
        const isKept = (wanted.get(table) ?? []).some((spec) => isSame(index, spec));
        if (isKept || index.name === "by_creation_time") continue;
        removed.push({ table, name: index.name, fields: index.fields.slice(0, -2) });
      }
    }
    return { added, removed };
  }
}

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

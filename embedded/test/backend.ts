/** The engine in memory, with functions that run in the test's realm: no deployment, no isolates. */
import { type JSONValue, jsonToConvex } from "convex/values";
import { committedJson } from "../engine/commitTs.js";
import { Engine } from "../engine/engine.js";
import { DEFAULT_LIMITS, type Limits } from "../engine/limits.js";
import type { Transaction } from "../engine/transaction.js";
import type { Calls, NestedCall, SeparateCall } from "../functions/calls.js";
import { LogLines } from "../functions/console.js";
import type { Execution, ExecutionOptions, SyscallHost } from "../functions/execution.js";
import { FunctionFailure } from "../functions/failure.js";
import type { FunctionTimes } from "../functions/functionTimes.js";
import { runFunction, type FunctionResult } from "../functions/functionRun.js";
import type { FunctionTarget } from "../functions/paths.js";
import { schemaTables } from "../functions/schema.js";
import { syscallHost } from "../functions/syscalls.js";
import { tableByNumber } from "../functions/systemViews.js";
import type { Identity, RequestMetadata, UdfType } from "../functions/types.js";
import type { TableOfId } from "../functions/validators.js";
import { MemoryStore } from "../store/memoryStore.js";
import { tableNumberOf } from "../values/ids.js";
import { findFunction, type FoundFunction } from "./functions.js";
import { type Glob, ModuleMap } from "./moduleMap.js";
import { poolOf } from "./place.js";
import { withScheduledNames } from "./scheduledNames.js";
import { Serial } from "./serial.js";
import { filesInMemory, withBlobsByValue } from "./storage.js";
import { withSystemWrites } from "./systemWrites.js";

const NESTED_DEPTH_MAX = 8;
type Kind = ExecutionOptions["kind"];
/** Who calls. */
export type Caller = {
  identity: Identity;
  request: RequestMetadata;
  /** The scheduled function this run belongs to. */
  scheduledFunctionId: string | null;
};
/** What a test waits for inside a function is its own affair; as long as a timer can be. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const UNTIMED: FunctionTimes = {
  userMs: Infinity,
  actionMs: TIMER_MS_MAX,
  nodeActionMs: TIMER_MS_MAX,
  actionStretchMs: TIMER_MS_MAX,
};
const NOBODY: Identity = { kind: "none" };

export class TestBackend {
  readonly engine = new Engine({ store: new MemoryStore() });
  readonly #serial = new Serial();
  readonly #modules = new Map<string, ModuleMap>();
  readonly #limits: Limits;
  readonly #areLimitsEnforced: boolean;
  readonly #host: SyscallHost;

  constructor(limits: Partial<Limits> | boolean) {
    this.#areLimitsEnforced = limits !== false;
    this.#limits = { ...DEFAULT_LIMITS, ...(typeof limits === "object" ? limits : {}) };
    const calls: Calls = {
      nested: (caller, call) => this.#nested(caller, call),
      separate: (caller, call) => this.#separate(caller, call),
      typeOf: (target) => this.#probableType(target),
      transact: (body) => this.transact(body),
      nowMs: () => this.engine.clock.nowMs(),
    };
    const host = syscallHost(calls, filesInMemory(this.engine));
    const named = withScheduledNames(host, (body) => this.transact(body));
    this.#host = withBlobsByValue(withSystemWrites(named));
  }

  /** `schema` is what its `export()` gave, as JSON. Throws when the modules have no root. */
  mount(componentPath: string, schema: JSONValue | null, glob: Glob): void {
    this.#modules.set(componentPath, new ModuleMap(glob));
    const tables = schemaTables(schema, {
      componentId: componentPath,
      tableOfId: this.#tableOfId(componentPath),
    });
    this.engine.commit(this.engine.begin(), { schemas: [tables] });
  }

  modulesOf(componentPath: string): ModuleMap {
    const modules = this.#modules.get(componentPath);
    if (modules !== undefined) return modules;
    throw new FunctionFailure(
      `Component "${componentPath}" is not registered. Call "t.registerComponent".`,
    );
  }

  /** A transaction of the backend itself. */
  async transact<T>(body: (tx: Transaction) => T): Promise<T> {
    return await this.#serial.run(async () => (await this.engine.transact(body)).value);
  }

  /** Throws FunctionFailure when it is no function. */
  async find({ componentPath, path }: FunctionTarget): Promise<FoundFunction> {
    return await findFunction(this.modulesOf(componentPath), componentPath, path);
  }

  /**
   * JSON text of the result. What `beforeCommit` writes belongs to the same commit. Throws
   * FunctionFailure.
   */
  async run(
    found: FoundFunction,
    call: { kind: Kind; args: JSONValue; caller: Caller; beforeCommit?: (tx: Transaction) => void },
  ): Promise<string> {
    const { kind, args, caller, beforeCommit } = call;
    const options = { ...this.#topLevel(found, caller), kind, args };
    if (kind === "action") return (await this.#execute(found, { ...options, tx: null })).json;
    return await this.#serial.run(async () => {
      const tx = this.engine.begin({ limits: this.#limits });
      if (!this.#areLimitsEnforced) tx.usage.countOnly();
      try {
        const { json } = await this.#execute(found, { ...options, tx });
        if (kind === "query") return json;
        tx.usage.paused(() => beforeCommit?.(tx));
        const { ts } = this.engine.commit(tx);
        return JSON.stringify(committedJson(json, ts));
      } finally {
        tx.abort();
      }
    });
  }

  async #nested(caller: Execution, call: NestedCall): Promise<string> {
    const { tx } = caller;
    if (tx === null) throw new Error("Nested calls need the caller's transaction.");
    if (caller.depth + 1 > NESTED_DEPTH_MAX) {
      throw new FunctionFailure(
        `Nested calls of functions are limited to a depth of ${NESTED_DEPTH_MAX}.`,
        { code: "MaximumCallDepthExceeded" },
      );
    }
    const found = await this.find(call.target);
    const savepoint = tx.writes.savepoint();
    const loosen = tx.usage.tighten(call.limits);
    try {
      const { json } = await this.#execute(found, {
        ...inherited(caller, found),
        kind: call.kind === "mutation" ? "mutation" : "query",
        tx: call.kind === "snapshotQuery" ? tx.staleView() : tx,
        depth: caller.depth + 1,
        nowMs: caller.nowMs,
        args: call.args,
      });
      return json;
    } catch (error) {
      // What it wrote is undone; what it read stays read.
      tx.writes.rollbackTo(savepoint);
      throw error;
    } finally {
      loosen();
    }
  }

  async #separate(caller: Execution, { kind, target, args }: SeparateCall): Promise<string> {
    const found = await this.find(target);
    const { identity, request, scheduledFunctionId } = inherited(caller, found);
    return await this.run(found, {
      kind,
      args,
      caller: { identity, request, scheduledFunctionId },
    });
  }

  async #execute(
    found: FoundFunction,
    options: ExecutionOptions & { args: JSONValue },
  ): Promise<FunctionResult> {
    const context = {
      pool: poolOf(found.exported),
      host: this.#host,
      tableOfId: (componentPath: string) => this.#tableOfId(componentPath),
      times: UNTIMED,
    };
    return await runFunction(context, found.registered, options);
  }

  #topLevel({ registered }: FoundFunction, caller: Caller) {
    const { path, componentPath } = registered;
    return {
      path,
      componentId: componentPath,
      ...caller,
      nowMs: this.engine.clock.nowMs(),
      random: Math.random,
      log: new LogLines(),
      depth: 0,
      journal: null,
      httpRequest: null,
    };
  }

  /** What it is can be known only once its module is imported, which a call that schedules it need not do. */
  #probableType({ componentPath, path }: FunctionTarget): UdfType | null {
    return this.modulesOf(componentPath).has(path.module) ? "Mutation" : null;
  }

  #tableOfId(componentPath: string): TableOfId {
    return (id) => {
      const number = tableNumberOf(id);
      if (number === null) return null;
      return tableByNumber(this.engine.catalog, componentPath, number)?.name ?? null;
    };
  }
}

/** What a call shares with its caller: identity, unless it goes to another component. */
function inherited(caller: Execution, { registered }: FoundFunction) {
  const { request, scheduledFunctionId, log, random } = caller;
  const { path, componentPath } = registered;
  return {
    path,
    componentId: componentPath,
    identity: componentPath === caller.componentId ? caller.identity : NOBODY,
    request,
    scheduledFunctionId,
    log,
    random,
    journal: null,
    httpRequest: null,
  };
}

/** The value of a result's JSON text. */
export const valueOf = (json: string) => jsonToConvex(JSON.parse(json) as JSONValue);

/**
 * The functions of convex/ on the engine in memory, in this realm: one call at a time, no isolates, no
 * sockets, no time of its own. What is real: argument checks, convex/server, host calls, transactions,
 * read sets, commit timestamps. What the simulation brings: the clock, chance, and what happens between
 * the end of a function and its commit.
 */
import { convexToJson, type JSONValue, type Value } from "convex/values";
import schema from "../../convex/schema.js";
import { ConflictError, Engine } from "../../embedded/engine/engine.js";
import { DEFAULT_LIMITS } from "../../embedded/engine/limits.js";
import type { Transaction } from "../../embedded/engine/transaction.js";
import type { Calls, NestedCall } from "../../embedded/functions/calls.js";
import { LogLines } from "../../embedded/functions/console.js";
import type { Execution, ExecutionOptions } from "../../embedded/functions/execution.js";
import type { FunctionTimes } from "../../embedded/functions/functionTimes.js";
import { runFunction } from "../../embedded/functions/functionRun.js";
import type { IsolatePool } from "../../embedded/functions/isolatePool.js";
import { storedPath } from "../../embedded/functions/paths.js";
import { schemaTables } from "../../embedded/functions/schema.js";
import { syscallHost } from "../../embedded/functions/syscalls.js";
import { tableByNumber } from "../../embedded/functions/systemViews.js";
import type { Identity } from "../../embedded/functions/types.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import { valueOf } from "../../embedded/test/backend.js";
import type { Exported, FoundFunction } from "../../embedded/test/functions.js";
import { filesInMemory } from "../../embedded/test/storage.js";
import { tableNumberOf } from "../../embedded/values/ids.js";
import { functionOf } from "./queueModules.js";

const UNTIMED: FunctionTimes = {
  userMs: Infinity,
  actionMs: 2 ** 31 - 1,
  actionStretchMs: 2 ** 31 - 1,
  nodeActionMs: 2 ** 31 - 1,
};
/** As the backend does: a mutation that lost so often is refused. */
const ATTEMPTS_MAX = 5;
const FOREVER = 1_000;
/**
 * What the rate limiter's component answers here: it is left out, with its tables, since nobody in a
 * simulated world asks for more than he may. tests/functions/rateLimits.test.ts runs the real one.
 */
const ALLOWED = JSON.stringify({ ok: true });
const isOfLimiter = (componentPath: string): boolean => componentPath === "rateLimiter";
const REQUEST = { ip: null, userAgent: null, requestId: "simulated", authToken: null };
export const NOBODY: Identity = { kind: "none" };

export type Call = {
  /** "module:function". */
  name: string;
  args: Record<string, Value>;
  identity: Identity;
};
export type Surroundings = {
  nowMs: () => number;
  random: () => number;
  /** Between the end of a mutation and its commit; throws ConflictError to make it lose. */
  beforeCommit: (tx: Transaction, call: Call) => Promise<void>;
  /** After each commit that wrote. */
  onCommit: (tx: Transaction, call: Call) => void;
};

type Options = {
  /** Of a scheduled run or a cron: it never gives up. */
  isForever?: boolean;
  /** Part of the transaction, before the function; false leaves it at that. */
  atCommit?: (tx: Transaction) => boolean;
};

export class QueueBackend {
  readonly engine: Engine;
  readonly #around: Surroundings;
  readonly #host: ReturnType<typeof syscallHost>;
  /** The run whose code is asking. */
  #running: Execution | null = null;
  conflicts = 0;

  constructor(around: Surroundings) {
    this.#around = around;
    this.engine = new Engine({ store: new MemoryStore(), clock: { nowMs: around.nowMs } });
    const calls: Calls = {
      nested: (caller, call) => this.#nested(caller, call),
      separate: () => Promise.reject(new Error("Actions are not simulated.")),
      typeOf: ({ path, componentPath }) =>
        isOfLimiter(componentPath) ? "Mutation" : functionOf(storedPath(path)).registered.udfType,
      transact: async (body) => (await this.engine.transact(body)).value,
      nowMs: around.nowMs,
    };
    this.#host = syscallHost(calls, filesInMemory(this.engine));
    const tables = schemaTables(exportedSchema(), { componentId: "", tableOfId: this.#tableOfId });
    this.engine.commit(this.engine.begin(), { schemas: [tables] });
  }

  /** Runs and commits; again when it lost to another. Throws what the function throws. */
  async mutation(call: Call, { isForever = false, atCommit }: Options = {}): Promise<unknown> {
    const found = functionOf(call.name);
    for (let attempt = 1; ; attempt += 1) {
      const tx = this.engine.begin({ limits: DEFAULT_LIMITS });
      try {
        if (atCommit !== undefined && !tx.usage.paused(() => atCommit(tx))) return null;
        const json = await this.#execute(found, {
          ...this.#topLevel(found, call),
          kind: "mutation",
          tx,
        });
        await this.#around.beforeCommit(tx, call);
        this.engine.commit(tx);
        this.#around.onCommit(tx, call);
        return valueOf(json);
      } catch (error) {
        const isOver = attempt >= (isForever ? FOREVER : ATTEMPTS_MAX);
        if (!(error instanceof ConflictError) || isOver) throw error;
        this.conflicts += 1;
      } finally {
        tx.abort();
      }
    }
  }

  async query(call: Call): Promise<unknown> {
    const found = functionOf(call.name);
    const tx = this.engine.begin({ limits: DEFAULT_LIMITS });
    try {
      return valueOf(
        await this.#execute(found, { ...this.#topLevel(found, call), kind: "query", tx }),
      );
    } finally {
      tx.abort();
    }
  }

  async #execute(
    found: FoundFunction,
    options: Omit<ExecutionOptions, "args"> & { args: JSONValue },
  ): Promise<string> {
    const context = {
      pool: this.#poolOf(found.exported),
      host: this.#host,
      tableOfId: () => this.#tableOfId,
      times: UNTIMED,
    };
    return (await runFunction(context, found.registered, options)).json;
  }

  #topLevel({ registered }: FoundFunction, call: Call) {
    return {
      path: registered.path,
      componentId: "",
      identity: call.identity,
      request: REQUEST,
      scheduledFunctionId: null,
      nowMs: this.#around.nowMs(),
      random: this.#around.random,
      log: new LogLines(),
      depth: 0,
      journal: null,
      httpRequest: null,
      args: convexToJson(call.args),
    };
  }

  async #nested(caller: Execution, call: NestedCall): Promise<string> {
    const { tx } = caller;
    if (tx === null) throw new Error("Nested calls need the caller's transaction.");
    if (isOfLimiter(call.target.componentPath)) return ALLOWED;
    const found = functionOf(storedPath(call.target.path));
    const savepoint = tx.writes.savepoint();
    try {
      return await this.#execute(found, {
        ...{ path: found.registered.path, componentId: "", identity: caller.identity },
        ...{ request: caller.request, scheduledFunctionId: null, nowMs: caller.nowMs },
        ...{ random: caller.random, log: caller.log, journal: null, httpRequest: null },
        kind: call.kind === "mutation" ? "mutation" : "query",
        tx: call.kind === "snapshotQuery" ? tx.staleView() : tx,
        depth: caller.depth + 1,
        args: call.args,
      });
    } catch (error) {
      tx.writes.rollbackTo(savepoint);
      throw error;
    }
  }

  /** Lends the one place where the function runs: here. */
  #poolOf(exported: Exported): IsolatePool {
    const place = {
      execution: null as Execution | null,
      hostWork: 0,
      load: () => new Proxy({}, { get: () => wrapped }),
      enter: (body: () => void) => {
        body();
      },
      watch: (
        call: () => unknown,
        resolve: (value: unknown) => void,
        reject: (error: unknown) => void,
      ) => {
        Promise.resolve().then(call).then(resolve, reject);
      },
      keepGoing: () => undefined,
    };
    const inside = async (call: () => Promise<string>): Promise<string> => {
      const outer = this.#running;
      this.#running = place.execution;
      try {
        return await call();
      } finally {
        this.#running = outer;
      }
    };
    const { invokeQuery, invokeMutation } = exported;
    const wrapped = {
      invokeQuery: (args: string) => inside(() => invokeQuery?.(args) ?? noSuch()),
      invokeMutation: (args: string) => inside(() => invokeMutation?.(args) ?? noSuch()),
    };
    const pool = { take: () => place, isNode: () => false, giveBack: () => undefined };
    // The runtime uses nothing else of a pool, and of an isolate no more than `place` has.
    return pool as unknown as IsolatePool;
  }

  /**
   * Puts this backend behind convex/server, and its time, chance and variables in the place of this
   * realm's. Hands out how to undo that.
   */
  install(variables: Readonly<Record<string, string>>): () => void {
    const before = { now: Date.now, random: Math.random, env: { ...process.env } };
    Date.now = () => this.#running?.nowMs ?? this.#around.nowMs();
    Math.random = () => (this.#running?.random ?? this.#around.random)();
    Object.assign(process.env, variables);
    const running = (): Execution => {
      if (this.#running === null) throw new Error("No function is being run.");
      return this.#running;
    };
    const host = {
      syscall: (op: string, args: string) => running().syscall(op, args),
      asyncSyscall: async (op: string, args: string) => running().asyncSyscall(op, args),
      jsSyscall: (op: string, args: Record<string, unknown>) => running().jsSyscall(op, args),
    };
    Object.assign(globalThis, { Convex: host });
    return () => {
      Date.now = before.now;
      Math.random = before.random;
      for (const name of Object.keys(variables)) {
        const value = before.env[name];
        // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the names are data
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    };
  }

  readonly #tableOfId = (id: string): string | null => {
    const number = tableNumberOf(id);
    return number === null ? null : (tableByNumber(this.engine.catalog, "", number)?.name ?? null);
  };
}

const noSuch = (): Promise<never> => Promise.reject(new Error("It is no such function."));

function exportedSchema(): JSONValue {
  // A method that the types of convex/server keep to themselves.
  const { export: exportSchema } = schema as unknown as { export: () => string };
  // Written by convex/server.
  return JSON.parse(exportSchema.call(schema)) as JSONValue;
}

/**
 * A place to run user code: a vm context with the globals Convex promises, the deployed modules,
 * and the host object `Convex`. It is not a security boundary: deployed code is trusted.
 *
 * User code runs in stretches. Each one has an end: the context keeps its own queue of microtasks,
 * which is worked off within the stretch, and whoever runs longer than the stretch may last is
 * stopped, wherever it is. So a loop without end costs its function, and not the process. Between
 * stretches nothing of the context runs, but for what host objects call back themselves (streams,
 * event targets, packages of "use node").
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import vm from "node:vm";
import type { TransformedModule } from "./deployment.js";
import type { Execution } from "./execution.js";
import { FunctionFailure } from "./failure.js";
import { IMPORT_STRETCH_MS, stuckText } from "./functionTimes.js";
import { defineGlobals, type HostHooks, type IsolateKind } from "./isolateGlobals.js";
import { pump } from "./pump.js";

/** Deployed modules, compiled once and evaluated in each isolate. */
export class ModuleSet {
  readonly #scripts = new Map<string, vm.Script>();
  readonly #modules: ReadonlyMap<string, TransformedModule>;

  constructor(modules: readonly TransformedModule[]) {
    this.#modules = new Map(modules.map((module) => [module.path, module]));
  }

  has(path: string): boolean {
    return this.#modules.has(path);
  }

  isNode(path: string): boolean {
    return this.#modules.get(path)?.environment === "node";
  }

  /** A script whose value is the CommonJS wrapper function. */
  script(path: string): vm.Script {
    let script = this.#scripts.get(path);
    if (script === undefined) {
      const module = this.#modules.get(path);
      if (module === undefined) throw new Error(`Could not find module ${path}`);
      script = new vm.Script(`(function(require,module,exports){${module.code}\n})`, {
        filename: `convex:/${path}`,
      });
      this.#scripts.set(path, script);
    }
    return script;
  }
}

type ModuleExports = Record<string, unknown>;
type Wrapper = (
  require: (specifier: string) => unknown,
  module: { exports: ModuleExports },
  exports: ModuleExports,
) => void;

const promisePrototypes = new WeakMap<object, Isolate>();
/** The isolate whose code made the promise, if any. */
export const isolateOfPromise = (promise: object): Isolate | null =>
  promisePrototypes.get(Object.getPrototypeOf(promise) as object) ?? null;

/** Not enumerable, and of no use to user code: it calls what the host has put there, once. */
const STRETCH = Symbol.for("embedded.stretch");
const runStretch = new vm.Script(`globalThis[Symbol.for("embedded.stretch")]()`, {
  filename: "convex:/stretch",
});
/** Compiled inside, so that the reactions are on the isolate's queue. */
const watcher = new vm.Script(
  `(call, resolve, reject) => void (async () => call())().then(resolve, reject)`,
);
type Watcher = (
  call: () => unknown,
  resolve: (value: unknown) => void,
  reject: (error: unknown) => void,
) => void;
/** After that part of what a stretch may last a call to the host is answered in the next one. */
const LONG_SHARE = 0.1;

// Taken when loaded: tests put fakes in the place of the global.
const now = performance.now.bind(performance);

/** User code was stopped in the middle. */
class StretchEnded extends FunctionFailure {}

export class Isolate {
  /** What runs here now; null while modules are imported and between runs. */
  execution: Execution | null = null;
  /** Host work (crypto, fetch) that user code has started and not seen the end of. */
  hostWork = 0;
  /** It was stopped in the middle of something and must not be used again. */
  isBroken = false;
  readonly kind: IsolateKind;
  readonly #context: vm.Context;
  readonly #modules: ModuleSet;
  readonly #loaded = new Map<string, { exports: ModuleExports }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** When the stretch began that runs now. */
  #enteredAt: number | null = null;
  #body: () => void = () => undefined;
  /** Calls user code, and tells how it ended, within the stretch in which it ends. */
  readonly watch: Watcher;
  readonly #look = () => {
    this.enter(() => undefined);
  };

  constructor(
    kind: IsolateKind,
    modules: ModuleSet,
    environment: Readonly<Record<string, string>>,
  ) {
    this.kind = kind;
    this.#modules = modules;
    const hooks: HostHooks = {
      execution: () => this.execution,
      onHostWork: (change) => {
        this.hostWork += change;
      },
      enter: (body) => {
        this.enter(body);
      },
      isLong: () =>
        this.#enteredAt !== null && now() - this.#enteredAt > LONG_SHARE * this.#stretchMs(),
      timers: this.#timers,
    };
    // An ordinary global object: that of a contextified one is asked through interceptors, a third of a
    // microsecond for each name, and bundled code names globals all the time.
    this.#context = vm.createContext(vm.constants.DONT_CONTEXTIFY, {
      microtaskMode: "afterEvaluate",
    });
    Object.defineProperty(this.#context, STRETCH, {
      value: () => {
        this.#body();
      },
    });
    defineGlobals(this.#context, { kind, environment, hooks });
    const prototype = vm.runInContext("Promise.prototype", this.#context) as object;
    promisePrototypes.set(prototype, this);
    this.watch = watcher.runInContext(this.#context) as Watcher;
  }

  /** The exports of a module, evaluated when first asked for. */
  load(path: string): ModuleExports {
    const loaded = this.#loaded.get(path);
    return loaded === undefined ? this.guard(() => this.#evaluate(path)) : loaded.exports;
  }

  /**
   * One stretch of user code: a callback, or the answer to what it waited for. What it throws, and
   * that it had to be stopped, is its execution's failure.
   */
  enter(body: () => void): void {
    if (this.isBroken) return;
    const { execution } = this;
    try {
      this.guard(body);
    } catch (error) {
      if (error instanceof StretchEnded) execution?.stuck();
      else if (execution !== null) execution.unhandled ??= error;
    }
  }

  /** The same with an answer; throws what it throws, or FunctionFailure when it had to be stopped. */
  guard<T>(body: () => T): T {
    if (this.#enteredAt !== null) return body();
    const { execution } = this;
    const outcome: { is: "open" | "done" | "thrown"; value?: T; error?: unknown } = { is: "open" };
    this.#body = () => {
      try {
        outcome.value = body();
        outcome.is = "done";
      } catch (error) {
        outcome.error = error;
        outcome.is = "thrown";
      }
    };
    const timeout = this.#stretchMs();
    this.#enteredAt = now();
    execution?.resume();
    try {
      runStretch.runInContext(this.#context, { timeout, displayErrors: false });
    } catch (error) {
      this.#break(execution, error);
      throw new StretchEnded(stuckText(timeout), { code: "TimedOut" });
    } finally {
      this.#enteredAt = null;
      execution?.pause();
    }
    // Passed on as it was thrown: objects of the isolate's realm are not Error here.
    if (outcome.is === "thrown") throw outcome.error;
    // It is done, so the value is there.
    return outcome.value as T;
  }

  /** Lets user code go on that waits for promises of the host, for as long as the run lasts. */
  keepGoing(): void {
    pump.start(this.#look);
  }

  /** Stops timers that user code left running. */
  dispose(): void {
    this.execution = null;
    pump.stop(this.#look);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #stretchMs(): number {
    return this.execution?.stretchMs ?? IMPORT_STRETCH_MS;
  }

  #break(execution: Execution | null, error: unknown): void {
    // Made in the isolate's realm, so it is no Error of this one.
    const code = typeof error === "object" && error !== null && "code" in error && error.code;
    if (code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    this.isBroken = true;
    if (execution?.isInHost !== true) return;
    // It was the backend's own code that was cut off: what it was about to change may be torn.
    process.nextTick(() => {
      throw new Error("a call of a function to the backend took too long and was cut off");
    });
  }

  #evaluate(path: string): ModuleExports {
    const loaded = this.#loaded.get(path);
    if (loaded !== undefined) return loaded.exports;
    const module = { exports: {} as ModuleExports };
    this.#loaded.set(path, module);
    try {
      // The script's value is the wrapper it consists of.
      const wrapper = this.#modules.script(path).runInContext(this.#context) as Wrapper;
      wrapper((specifier) => this.#require(path, specifier), module, module.exports);
    } catch (error) {
      this.#loaded.delete(path);
      throw error;
    }
    return module.exports;
  }

  #require(from: string, specifier: string): unknown {
    if (specifier.startsWith(".")) {
      const path = new URL(specifier, `file:///${from}`).pathname.slice(1);
      return this.#evaluate(path);
    }
    if (this.kind === "node") {
      return createRequire(join(process.cwd(), "package.json"))(specifier) as unknown;
    }
    throw new Error(
      `Could not find module "${specifier}": only "use node" actions may import packages that are not bundled.`,
    );
  }
}

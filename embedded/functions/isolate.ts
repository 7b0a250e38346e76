/**
 * A place to run user code: a vm context with the globals Convex promises, the deployed modules,
 * and the host object `Convex`. It is not a security boundary: deployed code is trusted. An endless
 * loop in it cannot be stopped from within this process.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import vm from "node:vm";
import type { TransformedModule } from "./deployment.js";
import type { Execution } from "./execution.js";
import { defineGlobals, type HostHooks, type IsolateKind } from "./isolateGlobals.js";

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

export class Isolate {
  /** What runs here now; null while modules are imported and between runs. */
  execution: Execution | null = null;
  /** Host work (crypto, fetch) that user code has started and not seen the end of. */
  hostWork = 0;
  readonly kind: IsolateKind;
  readonly #context: vm.Context;
  readonly #modules: ModuleSet;
  readonly #loaded = new Map<string, { exports: ModuleExports }>();
  readonly #timers = new Set<NodeJS.Timeout>();

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
        if (this.hostWork > 0) this.execution?.pause();
        else this.execution?.resume();
      },
      timers: this.#timers,
    };
    this.#context = vm.createContext({}, { microtaskMode: undefined });
    defineGlobals(this.#context, { kind, environment, hooks });
    const prototype = vm.runInContext("Promise.prototype", this.#context) as object;
    promisePrototypes.set(prototype, this);
  }

  /** The exports of a module, evaluated when first asked for. */
  load(path: string): ModuleExports {
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

  /** Stops timers that user code left running. */
  dispose(): void {
    this.execution = null;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #require(from: string, specifier: string): unknown {
    if (specifier.startsWith(".")) {
      const path = new URL(specifier, `file:///${from}`).pathname.slice(1);
      return this.load(path);
    }
    if (this.kind === "node") {
      return createRequire(join(process.cwd(), "package.json"))(specifier) as unknown;
    }
    throw new Error(
      `Could not find module "${specifier}": only "use node" actions may import packages that are not bundled.`,
    );
  }
}

import { Isolate, isolateOfPromise, type ModuleSet } from "./isolate.js";
import type { IsolateKind } from "./isolateGlobals.js";

/** Idle isolates kept for queries and mutations of all components; the longest idle give way. */
const IDLE_MAX = 24;

/** What the isolates of one component instance are made of. */
export type ComponentCode = { modules: ModuleSet; environment: Readonly<Record<string, string>> };

/**
 * Lends isolates. Those of queries and mutations are used again, which means that module-level
 * variables survive there; actions get a fresh one each, since what they left running would
 * otherwise act in somebody else's name.
 */
export class IsolatePool {
  #code: ReadonlyMap<string, ComponentCode> = new Map();
  /** Longest idle first. */
  #idle: Isolate[] = [];
  /** Whose code an isolate runs; isolates of older code are not in here. */
  #owners = new WeakMap<Isolate, string>();

  /** New code or environments: isolates of the old are not used again. */
  reset(code: ReadonlyMap<string, ComponentCode>): void {
    this.#code = code;
    this.#idle = [];
    this.#owners = new WeakMap();
  }

  isNode(componentPath: string, module: string): boolean {
    return this.#code.get(componentPath)?.modules.isNode(module) ?? false;
  }

  take(kind: IsolateKind, componentPath: string): Isolate {
    const at = this.#idle.findLastIndex((idle) => this.#owners.get(idle) === componentPath);
    const [reused] = kind === "db" && at !== -1 ? this.#idle.splice(at, 1) : [];
    if (reused !== undefined) return reused;
    const code = this.#code.get(componentPath);
    if (code === undefined) throw new Error(`There is no component "${componentPath}".`);
    const isolate = new Isolate(kind, code.modules, code.environment);
    this.#owners.set(isolate, componentPath);
    return isolate;
  }

  /** `isReusable` false: user code may still be running there, and would act in another's name. */
  giveBack(isolate: Isolate, isReusable: boolean): void {
    isolate.dispose();
    if (!isReusable || isolate.isBroken) return;
    if (isolate.kind !== "db" || isolate.hostWork > 0) return;
    if (!this.#owners.has(isolate)) return;
    this.#idle.push(isolate);
    if (this.#idle.length > IDLE_MAX) this.#idle.shift();
  }
}

let listeners = 0;
const onUnhandled = (reason: unknown, promise: Promise<unknown>): void => {
  const isolate = isolateOfPromise(promise);
  if (isolate === null) {
    // Not user code's: what Node does by default.
    process.nextTick(() => {
      throw reason;
    });
    return;
  }
  if (isolate.execution !== null) isolate.execution.unhandled ??= reason;
};

/** A promise that user code leaves rejected fails that function, not the process. */
export function watchRejections(): () => void {
  if (listeners === 0) process.on("unhandledRejection", onUnhandled);
  listeners += 1;
  return () => {
    listeners -= 1;
    if (listeners === 0) process.off("unhandledRejection", onUnhandled);
  };
}

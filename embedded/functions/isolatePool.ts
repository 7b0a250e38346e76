import { Isolate, isolateOfPromise, ModuleSet } from "./isolate.js";
import type { IsolateKind } from "./isolateGlobals.js";

/** Idle isolates kept for queries and mutations; more concurrent runs make more for themselves. */
const IDLE_MAX = 16;

/**
 * Lends isolates. Those of queries and mutations are used again, which means that module-level
 * variables survive there; actions get a fresh one each, since what they left running would
 * otherwise act in somebody else's name.
 */
export class IsolatePool {
  #modules = new ModuleSet([]);
  #environment: Readonly<Record<string, string>> = {};
  #idle: Isolate[] = [];
  #generation = 0;
  readonly #generations = new WeakMap<Isolate, number>();

  /** New code or environment: isolates of the old are not used again. */
  reset(modules: ModuleSet, environment: Readonly<Record<string, string>>): void {
    this.#modules = modules;
    this.#environment = environment;
    this.#idle = [];
    this.#generation += 1;
  }

  take(kind: IsolateKind): Isolate {
    const idle = kind === "db" ? this.#idle.pop() : undefined;
    if (idle !== undefined) return idle;
    const isolate = new Isolate(kind, this.#modules, this.#environment);
    this.#generations.set(isolate, this.#generation);
    return isolate;
  }

  /** `isReusable` false: user code may still be running there, and would act in another's name. */
  giveBack(isolate: Isolate, isReusable: boolean): void {
    isolate.dispose();
    if (!isReusable || isolate.kind !== "db" || isolate.hostWork > 0) return;
    if (this.#generations.get(isolate) !== this.#generation) return;
    if (this.#idle.length < IDLE_MAX) this.#idle.push(isolate);
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

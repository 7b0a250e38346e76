/** Lends the one place where a given function runs: the realm of the test. */
import type { Execution } from "../functions/execution.js";
import type { IsolatePool } from "../functions/isolatePool.js";
import type { Exported } from "./functions.js";
import { inRealm } from "./realm.js";

/** Answers `take` with the realm of the test, in which only `exported` is to be found. */
export function poolOf(exported: Exported): IsolatePool {
  const pool = {
    take: () => new Place(exported),
    isNode: () => false,
    giveBack: () => undefined,
  };
  // The runtime uses nothing else of a pool, and of an isolate no more than Place has.
  return pool as unknown as IsolatePool;
}

class Place {
  execution: Execution | null = null;
  /** Tests may let a function wait for anything, so it is never taken for stuck. */
  readonly hostWork = 1;
  readonly #exported: Exported;

  constructor(exported: Exported) {
    this.#exported = exported;
  }

  /** Nothing ends a loop here but the test's own timeout. */
  enter(body: () => void): void {
    body();
  }

  watch(
    call: () => unknown,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    Promise.resolve().then(call).then(resolve, reject);
  }

  keepGoing(): void {
    // The event loop works off the only queue there is.
  }

  /** Whatever is asked for, it is this function. */
  load(): Record<string, Exported> {
    const wrapped: Exported = { ...this.#exported };
    const { invokeQuery, invokeMutation, invokeAction } = this.#exported;
    const inside = (call: () => Promise<string>) => inRealm(this.#running(), call);
    if (invokeQuery !== undefined) wrapped.invokeQuery = (args) => inside(() => invokeQuery(args));
    if (invokeMutation !== undefined) {
      wrapped.invokeMutation = (args) => inside(() => invokeMutation(args));
    }
    if (invokeAction !== undefined) {
      wrapped.invokeAction = (requestId, args) => inside(() => invokeAction(requestId, args));
    }
    return new Proxy({}, { get: () => wrapped });
  }

  #running(): Execution {
    if (this.execution === null) throw new Error("The function is not being run.");
    return this.execution;
  }
}

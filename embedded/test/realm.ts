/**
 * Runs functions in the realm of the test, where its closures and spies are, in place of an isolate
 * of their own. One global `Convex` serves all; which run a call belongs to is known by its context.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type JSONValue, jsonToConvex } from "convex/values";
import type { Execution } from "../functions/execution.js";
import { failureOf } from "../functions/failure.js";
import { withOwnGlobals, withTestGlobals } from "./globals.js";
import { asCallerSees, ThrownInRealm } from "./thrown.js";

const running = new AsyncLocalStorage<Execution>();

/** The run whose code is asking, null in the test itself. */
export const currentExecution = (): Execution | null => running.getStore() ?? null;

/** Runs user code as `execution`. Rejects with ThrownInRealm. */
export async function inRealm<T>(execution: Execution, body: () => Promise<T>): Promise<T> {
  installHost();
  try {
    return await running.run(execution, () => withOwnGlobals(execution.kind !== "action", body));
  } catch (thrown) {
    const failure = failureOf(thrown);
    restoreData(thrown);
    throw new ThrownInRealm(failure, thrown);
  }
}

/** Outside of any run: for what the backend does later. */
export const outsideOfRuns = <T>(body: () => T): T => running.exit(() => withTestGlobals(body));

/** convex/server turned the data of a ConvexError into text; who catches it here wants the value. */
function restoreData(thrown: unknown): void {
  if (typeof thrown !== "object" || thrown === null || !("ConvexErrorSymbol" in thrown)) return;
  if (!("data" in thrown) || typeof thrown.data !== "string") return;
  // Written by JSON.stringify of convexToJson.
  thrown.data = jsonToConvex(JSON.parse(thrown.data) as JSONValue);
}

function installHost(): void {
  const host = {
    syscall: (op: string, args: string): string =>
      withTestGlobals(() => required().syscall(op, args)),
    // Rejects rather than throws, as an asynchronous function must.
    asyncSyscall: async (op: string, args: string): Promise<string> => {
      const execution = required();
      try {
        return await withTestGlobals(() => execution.asyncSyscall(op, args));
      } catch (error) {
        throw asCallerSees(error);
      }
    },
    jsSyscall: (op: string, args: Record<string, unknown>): unknown =>
      withTestGlobals(() => required().jsSyscall(op, args)),
  };
  Object.assign(globalThis, { Convex: host });
}

function required(): Execution {
  const execution = running.getStore();
  if (execution !== undefined) return execution;
  throw new Error(
    "Convex functions and the database cannot be used outside of a function: call one through the object that convexTest() returned.",
  );
}

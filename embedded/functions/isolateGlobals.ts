/** The globals of user code: what Convex provides, and what it forbids in queries and mutations. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { webcrypto } from "node:crypto";
import vm from "node:vm";
import { CONSOLE_LEVELS } from "./console.js";
import type { Execution } from "./execution.js";
import { seededRandom } from "./random.js";

/** "db" runs queries and mutations, "action" actions and HTTP actions, "node" those with "use node". */
export type IsolateKind = "db" | "action" | "node";
export type HostHooks = {
  execution: () => Execution | null;
  onHostWork: (change: 1 | -1) => void;
  /** Runs user code from outside: a callback, or the answer to what it waits for. */
  enter: (body: () => void) => void;
  /** User code has run for long without a pause: it is given one. */
  isLong: () => boolean;
  timers: Set<NodeJS.Timeout>;
};
type Setup = {
  kind: IsolateKind;
  environment: Readonly<Record<string, string>>;
  hooks: HostHooks;
};

/** Classes of the host are shared, so that values of host functions pass `instanceof` inside. */
const SHARED = [
  "URL URLSearchParams TextEncoder TextDecoder TextEncoderStream TextDecoderStream Headers Request",
  "Response Blob File FormData atob btoa structuredClone AbortController AbortSignal Event",
  "EventTarget CustomEvent DOMException ReadableStream WritableStream TransformStream",
  "CompressionStream DecompressionStream CryptoKey ArrayBuffer DataView Int8Array",
  "Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array",
  "Float64Array BigInt64Array BigUint64Array",
]
  .join(" ")
  .split(" ");
/** Date.now() while modules are imported: any moment that never changes. */
const IMPORT_TIME_MS = 0;
const IMPORT_SEED = 1;

export function defineGlobals(context: vm.Context, setup: Setup): void {
  const host = globalThis as unknown as Record<string, unknown>;
  for (const name of SHARED) context[name] = host[name];
  context["globalThis"] = context;
  context["self"] = context;
  context["AsyncLocalStorage"] = AsyncLocalStorage;
  context["AsyncResource"] = AsyncResource;
  context["process"] = { env: { ...setup.environment } };
  context["console"] = consoleOf(setup.hooks);
  defineAsynchronous(context, setup);
  if (setup.kind === "db") {
    forbidInQueriesAndMutations(context);
    makeDeterministic(context, setup.hooks);
  } else {
    context["fetch"] = globalThis.fetch;
    context["performance"] = performance;
    defineTimers(context, setup.hooks);
  }
  if (setup.kind === "node") {
    context["Buffer"] = Buffer;
    context["process"] = new Proxy(process, {
      get: (target, name) =>
        name === "env" ? { ...setup.environment } : (Reflect.get(target, name) as unknown),
    });
    context["setImmediate"] = setImmediate;
    context["clearImmediate"] = clearImmediate;
  }
}

/** What a promise of the isolate is made of: it is settled in a stretch of its own. */
type Executor = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;

/**
 * Whatever answers later answers with a promise of the isolate's own realm, since only those have
 * their reactions on the isolate's queue.
 */
function defineAsynchronous(context: vm.Context, { kind, hooks }: Setup): void {
  const settled =
    (promise: Promise<unknown>): Executor =>
    (resolve, reject) => {
      promise.then(
        (value) => {
          hooks.enter(() => {
            resolve(value);
          });
        },
        (error: unknown) => {
          hooks.enter(() => {
            reject(error);
          });
        },
      );
    };
  // Compiled inside, for promises and asynchronous functions of that realm.
  const install = vm.runInContext(
    `(host, crypto, subtle) => {
      const promised = (answer) => (typeof answer === "function" ? new Promise(answer) : answer);
      globalThis.queueMicrotask = (callback) => void Promise.resolve().then(() => callback());
      globalThis.Convex = {
        syscall: host.syscall,
        asyncSyscall: async (op, args) => promised(host.asyncSyscall(op, args)),
        jsSyscall: (op, args) => promised(host.jsSyscall(op, args)),
      };
      globalThis.crypto = crypto;
      crypto.subtle = {};
      for (const name in subtle) {
        crypto.subtle[name] = async (...args) => promised(subtle[name](...args));
      }
    }`,
    context,
  ) as (host: object, crypto: object, subtle: object) => void;
  install(
    hostObject(hooks, settled),
    {
      getRandomValues: (array: Uint8Array) => webcrypto.getRandomValues(array),
      randomUUID: () => webcrypto.randomUUID(),
    },
    subtleOf(kind, hooks, settled),
  );
}

function hostObject(hooks: HostHooks, settled: (promise: Promise<unknown>) => Executor) {
  const running = (): Execution => {
    const execution = hooks.execution();
    if (execution !== null) return execution;
    throw new Error(
      "Convex functions and the database cannot be used while modules are imported or after the function has returned.",
    );
  };
  return {
    syscall: (op: string, args: string): string => running().syscall(op, args),
    asyncSyscall: (op: string, args: string): string | Executor => {
      const answer = running().call(op, args);
      if (typeof answer !== "string") return settled(answer);
      return hooks.isLong() ? settled(Promise.resolve(answer)) : answer;
    },
    jsSyscall: (op: string, args: Record<string, unknown>): unknown => {
      const answer = running().jsSyscall(op, args);
      return answer instanceof Promise ? settled(answer) : answer;
    },
  };
}

function consoleOf(hooks: HostHooks): Record<string, (...args: unknown[]) => void> {
  const methods: Record<string, (...args: unknown[]) => void> = {};
  for (const level of CONSOLE_LEVELS) {
    methods[level] = (...args) => hooks.execution()?.log.add(level, args);
  }
  for (const name of ["group", "groupEnd", "time", "timeEnd", "timeLog", "table", "assert"]) {
    methods[name] = () => undefined;
  }
  return methods;
}

/** Like the host's, but its pending operations are known, so that a stuck function is recognised. */
function subtleOf(
  kind: IsolateKind,
  hooks: HostHooks,
  settled: (promise: Promise<unknown>) => Executor,
): Record<string, (...args: unknown[]) => Executor> {
  const methods: Record<string, (...args: unknown[]) => Executor> = {};
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(webcrypto.subtle))) {
    const method = Reflect.get(webcrypto.subtle, name) as unknown;
    if (typeof method !== "function" || name === "constructor") continue;
    methods[name] = (...args) =>
      settled(counted(() => Reflect.apply(method, webcrypto.subtle, args), hooks));
  }
  if (kind === "db") methods["generateKey"] = forbidden("crypto.subtle.generateKey()");
  return methods;
}

async function counted(work: () => unknown, hooks: HostHooks): Promise<unknown> {
  hooks.onHostWork(1);
  try {
    return await work();
  } finally {
    hooks.onHostWork(-1);
  }
}

const FORBIDDEN = { fetch: "fetch()", setTimeout: "setTimeout", setInterval: "setInterval" };

const forbidden = (shown: string) => (): never => {
  throw new Error(
    `Can't use ${shown} in queries and mutations. Please consider using an action. See https://docs.convex.dev/functions/actions for more details.`,
  );
};

function forbidInQueriesAndMutations(context: vm.Context): void {
  for (const [name, shown] of Object.entries(FORBIDDEN)) context[name] = forbidden(shown);
  context["clearTimeout"] = () => undefined;
  context["clearInterval"] = () => undefined;
}

/** The clock stands still and randomness repeats: a function's answer depends on what it reads. */
function makeDeterministic(context: vm.Context, hooks: HostHooks): void {
  const importRandom = seededRandom(IMPORT_SEED);
  const now = (): number => hooks.execution()?.nowMs ?? IMPORT_TIME_MS;
  const random = (): number => (hooks.execution()?.random ?? importRandom)();
  // Compiled inside, so that dates made there are dates of that realm.
  const install = vm.runInContext(
    `(now, random) => {
      const RealDate = Date;
      globalThis.Date = new Proxy(RealDate, {
        construct: (target, args, newTarget) =>
          Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
        apply: () => new RealDate(now()).toString(),
        get: (target, name) => (name === "now" ? now : target[name]),
      });
      RealDate.prototype.constructor = globalThis.Date;
      Math.random = random;
      globalThis.performance = { now: () => 0, timeOrigin: 0 };
      delete globalThis.WeakRef;
      delete globalThis.FinalizationRegistry;
    }`,
    context,
  ) as (now: () => number, random: () => number) => void;
  install(now, random);
}

/** Timers end with the action that started them. */
function defineTimers(context: vm.Context, { timers, enter }: HostHooks): void {
  type Callback = (...args: unknown[]) => void;
  const entering = (callback: Callback, args: unknown[]) => () => {
    enter(() => {
      callback(...args);
    });
  };
  context["setTimeout"] = (callback: Callback, delayMs?: number, ...args: unknown[]) => {
    const ring = entering(callback, args);
    const timer = setTimeout(() => {
      timers.delete(timer);
      ring();
    }, delayMs);
    timers.add(timer);
    return timer;
  };
  context["setInterval"] = (callback: Callback, delayMs?: number, ...args: unknown[]) => {
    const timer = setInterval(entering(callback, args), delayMs);
    timers.add(timer);
    return timer;
  };
  for (const name of ["clearTimeout", "clearInterval"]) {
    context[name] = (timer: NodeJS.Timeout | undefined) => {
      clearTimeout(timer);
      if (timer !== undefined) timers.delete(timer);
    };
  }
}

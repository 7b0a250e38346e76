/**
 * The globals of functions that run in the test's own realm. Each run may replace some for itself,
 * as libraries do that make other people's code deterministic; in queries and mutations some throw.
 */
import { AsyncLocalStorage } from "node:async_hooks";

type Overrides = Record<string, unknown>;

/** What a function may replace without anybody else noticing. */
const REPLACEABLE = [
  "AbortController atob btoa clearInterval clearTimeout console crypto Crypto CryptoKey Date fetch",
  "Headers Math performance process queueMicrotask Request Response setInterval setTimeout",
  "structuredClone SubtleCrypto TextDecoder TextEncoder URL URLSearchParams",
]
  .join(" ")
  .split(" ");
const FORBIDDEN = ["fetch", "setTimeout", "clearTimeout", "setInterval", "clearInterval"];

const current = new AsyncLocalStorage<Overrides>();
/** Getters of ours, to recognise what is in place already. */
const ours = new WeakSet<() => unknown>();

/** Runs user code. Tests may have put other globals in place since the last time. */
export function withOwnGlobals<T>(isTransaction: boolean, body: () => T): T {
  for (const name of REPLACEABLE) makeReplaceable(name);
  const overrides: Overrides = {};
  if (isTransaction) for (const name of FORBIDDEN) overrides[name] = forbidden(name);
  return current.run(overrides, body);
}

/** Runs code of the backend on behalf of user code, with the globals of the test. */
export const withTestGlobals = <T>(body: () => T): T => current.exit(body);

function forbidden(name: string): () => never {
  return () => {
    throw new Error(
      `Can't use ${name} in queries and mutations: \`${name}\` is not supported there. Please consider using an action. See https://docs.convex.dev/functions/actions for more details.`,
    );
  };
}

function makeReplaceable(name: string): void {
  const own = Object.getOwnPropertyDescriptor(globalThis, name);
  if (isOurs(own)) return;
  if (own?.configurable === false) return;
  const descriptor = own ?? inherited(name);
  if (descriptor === undefined) return;
  let value: unknown = descriptor.value;
  const isValue = "value" in descriptor;
  const get = (): unknown => {
    const overrides = current.getStore();
    if (overrides !== undefined && name in overrides) return overrides[name];
    return isValue ? value : (descriptor.get?.call(globalThis) as unknown);
  };
  const set = (next: unknown): void => {
    const overrides = current.getStore();
    if (overrides !== undefined) overrides[name] = next;
    else if (isValue) value = next;
    else descriptor.set?.call(globalThis, next);
  };
  Object.defineProperty(globalThis, name, {
    get,
    set,
    configurable: true,
    enumerable: descriptor.enumerable ?? false,
  });
  ours.add(get);
}

function isOurs(descriptor: PropertyDescriptor | undefined): boolean {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- compared, never called
  const get = descriptor?.get;
  return get !== undefined && ours.has(get);
}

function inherited(name: string): PropertyDescriptor | undefined {
  let prototype: unknown = Object.getPrototypeOf(globalThis);
  while (typeof prototype === "object" && prototype !== null) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    if (descriptor !== undefined) return descriptor;
    prototype = Object.getPrototypeOf(prototype);
  }
  return undefined;
}

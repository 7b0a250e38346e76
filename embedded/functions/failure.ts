import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";
import { StoreFailure } from "../store/store.js";
import type { FunctionError } from "./types.js";

/** A function that failed: what the caller, a function or a client, is told. */
export class FunctionFailure extends Error {
  override readonly name = "FunctionFailure";
  /** Present exactly when a ConvexError was thrown. */
  readonly data?: JSONValue;
  readonly code: string | null;
  constructor(message: string, more: { data?: JSONValue; code?: string } = {}) {
    super(message);
    if (more.data !== undefined) this.data = more.data;
    this.code = more.code ?? null;
  }
}

/** Causes whose text clients match from its first word. */
const UNPREFIXED = new Set(["NotFound"]);

/** The form clients get; never redacted, since functions and people here share the machine. */
export function clientError(failure: FunctionFailure, requestId: string): FunctionError {
  const isPlain = failure.code !== null && UNPREFIXED.has(failure.code);
  const message = isPlain
    ? failure.message
    : `[Request ID: ${requestId}] Server Error\n${failure.message}`;
  return {
    message,
    ...(failure.data === undefined ? {} : { data: failure.data }),
    ...(failure.code === null ? {} : { code: failure.code }),
  };
}

/**
 * What user code threw, or the reason it could not go on. Its objects come from another realm. A
 * StoreFailure is thrown on: nobody knows whether the write was kept, so no caller may be told that
 * it was not.
 */
export function failureOf(thrown: unknown): FunctionFailure {
  if (thrown instanceof StoreFailure) throw thrown;
  if (thrown instanceof FunctionFailure) return thrown;
  if (thrown instanceof UserError) {
    return new FunctionFailure(`Uncaught Error: ${thrown.message}`, { code: thrown.shortName });
  }
  if (typeof thrown !== "object" || thrown === null) {
    return new FunctionFailure(`Uncaught ${String(thrown)}`);
  }
  const { name, message } = thrown as { name?: unknown; message?: unknown };
  const text = typeof message === "string" ? message : JSON.stringify(thrown);
  const kind = typeof name === "string" ? name : "Error";
  if ("ConvexErrorSymbol" in thrown && "data" in thrown && typeof thrown.data === "string") {
    // The wrapper of convex/server put JSON text there.
    const data = JSON.parse(thrown.data) as JSONValue;
    const shown = typeof data === "string" ? data : thrown.data;
    return new FunctionFailure(`Uncaught ConvexError: ${shown}`, { data });
  }
  return new FunctionFailure(`Uncaught ${kind}: ${text}`);
}

import { ConvexError } from "convex/values";
import type { ErrorCode, ErrorData } from "../protocol/errors.js";

/** An error a caller can cause. Programs branch on the code, people read the message. */
export function fail(code: ErrorCode, message: string): ConvexError<ErrorData> {
  return new ConvexError({ code, message });
}

/** Throws INVALID_ARGUMENT with the sentence of a refused check; hands out the value of a passed one. */
export function accept<T>(checked: { ok: true; value: T } | { ok: false; message: string }): T {
  if (!checked.ok) throw fail("INVALID_ARGUMENT", checked.message);
  return checked.value;
}

/** What an error says, for a log: the message a person would read, where it has one. */
export function messageOf(error: unknown): string {
  if (error instanceof ConvexError) {
    const data: unknown = typeof error.data === "string" ? parse(error.data) : error.data;
    if (typeof data === "object" && data !== null && "message" in data) return String(data.message);
  }
  return error instanceof Error ? error.message : String(error);
}

/** Some runtimes hand a nested function's error data over as JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

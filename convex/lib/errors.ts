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

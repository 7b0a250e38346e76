import { ConvexError } from "convex/values";
import { CommandError, exitCodes, usageError } from "./errors.js";

/** Exit codes of what the backend refuses; other codes end with 1. */
const EXITS: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: exitCodes.denied,
  FORBIDDEN: exitCodes.denied,
  NOT_FOUND: exitCodes.notFound,
  RATE_LIMITED: exitCodes.unavailable,
};

/** What a call threw → what is told about it, with its exit code; an error of ours stays what it is. */
export function readable(error: unknown, url: string): Error {
  if (!(error instanceof ConvexError)) {
    if (!(error instanceof Error)) return new Error(String(error));
    // What fetch throws when nobody answers; ArgumentValidationError is an id that can be none.
    if (error instanceof TypeError) {
      return new CommandError(
        `${url} does not answer: is the backend up, and the address right?`,
        exitCodes.unavailable,
      );
    }
    return error.message.includes("ArgumentValidationError")
      ? usageError("an argument is of a form that it can never have; is an id mistyped?")
      : error;
  }
  // The data of a ConvexError is any Convex value; it is read field by field.
  const data = error.data as unknown;
  if (typeof data !== "object" || data === null || !("message" in data)) return error;
  const message = String(data.message);
  const code = "code" in data ? String(data.code) : "";
  if (code === "INVALID_ARGUMENT") return usageError(message);
  return new CommandError(message, EXITS[code] ?? exitCodes.failed);
}

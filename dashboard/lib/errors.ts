/** What went wrong, as a code to branch on and a sentence to show. */
import { ConvexError } from "convex/values";
import { ERROR_CODES, type ErrorCode } from "../../convex/protocol/errors.js";

export type Failure = { code: ErrorCode | "UNKNOWN"; message: string };

const isCode = (text: unknown): text is ErrorCode => ERROR_CODES.some((code) => code === text);

/** Reads any error; only those of our own functions carry a sentence for people. */
export function readError(error: unknown): Failure {
  if (error instanceof ConvexError) {
    // The data of a ConvexError is any Convex value; it is read field by field.
    const data = error.data as unknown;
    if (typeof data === "object" && data !== null && "message" in data) {
      const code = "code" in data && isCode(data.code) ? data.code : "UNKNOWN";
      return { code, message: String(data.message) };
    }
  }
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes("ArgumentValidationError")) {
    return { code: "INVALID_ARGUMENT", message: "The address names something that cannot exist." };
  }
  return { code: "UNKNOWN", message: text };
}

/** Caps of what a caller may send, checked by every wrapper before a handler sees it. */
import {
  ARGUMENT_CHARS_MAX,
  ARGUMENT_CHARS_TOTAL_MAX,
  ARGUMENT_DEPTH_MAX,
  ARGUMENT_ITEMS_MAX,
  LONG_ARGUMENTS,
} from "../protocol/limits.js";
import { fail } from "./errors.js";

/** Throws INVALID_ARGUMENT for a text, list or whole that is longer than any function takes. */
export function checkArguments(args: unknown): void {
  let chars = 0;
  const visit = (value: unknown, field: string, depth: number): void => {
    if (depth > ARGUMENT_DEPTH_MAX) throw tooMuch(field, "nested", ARGUMENT_DEPTH_MAX);
    if (typeof value === "string") {
      const charsMax = LONG_ARGUMENTS[field] ?? ARGUMENT_CHARS_MAX;
      if (value.length > charsMax) throw tooMuch(field, "characters", charsMax);
      chars += value.length;
      if (chars > ARGUMENT_CHARS_TOTAL_MAX) {
        throw tooMuch("all arguments together", "characters", ARGUMENT_CHARS_TOTAL_MAX);
      }
    } else if (value instanceof ArrayBuffer) {
      if (value.byteLength > ARGUMENT_CHARS_MAX) throw tooMuch(field, "bytes", ARGUMENT_CHARS_MAX);
    } else if (Array.isArray(value)) {
      if (value.length > ARGUMENT_ITEMS_MAX) throw tooMuch(field, "items", ARGUMENT_ITEMS_MAX);
      // An item of a list is named as the list is.
      for (const item of value) visit(item, field, depth + 1);
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, key, depth + 1);
    }
  };
  visit(args, "", 0);
}

function tooMuch(field: string, unit: string, most: number) {
  const what = unit === "nested" ? "nested too deep" : "too long";
  return fail("INVALID_ARGUMENT", `${field} is ${what}: at most ${most} ${unit}.`);
}

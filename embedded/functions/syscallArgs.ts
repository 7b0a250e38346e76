import type { JSONValue } from "convex/values";
import { UserError } from "../engine/errors.js";

export function stringArg(args: Record<string, JSONValue>, name: string, where: string): string {
  const value = args[name];
  if (typeof value === "string") return value;
  throw new UserError(
    "InvalidArgument",
    `Invalid argument \`${name}\` for \`${where}\`: expected a string, got ${JSON.stringify(value)}`,
  );
}

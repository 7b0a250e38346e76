/** Finds the functions of a test's modules and says what the runtime must know of them. */
import type { JSONValue } from "convex/values";
import { FunctionFailure } from "../functions/failure.js";
import { displayPath, type FunctionPath } from "../functions/paths.js";
import type { RegisteredFunction } from "../functions/registry.js";
import { parseValidator, type ValidatorJson } from "../functions/validators.js";
import type { UdfType } from "../functions/types.js";
import type { ModuleMap } from "./moduleMap.js";

/** What convex/server hangs on exported functions. */
export type Exported = {
  isQuery?: boolean;
  isMutation?: boolean;
  isAction?: boolean;
  exportArgs: () => string;
  exportReturns: () => string;
  invokeQuery?: (args: string) => Promise<string>;
  invokeMutation?: (args: string) => Promise<string>;
  invokeAction?: (requestId: string, args: string) => Promise<string>;
};
export type FoundFunction = { registered: RegisteredFunction; exported: Exported };

/** The path that inline functions go by. */
export const INLINE: FunctionPath = { module: "inline.js", name: "default" };
export const isInline = (path: FunctionPath): boolean => path === INLINE;

/** Throws FunctionFailure when the module or the export is not there, or is no function. */
export async function findFunction(
  modules: ModuleMap,
  componentPath: string,
  path: FunctionPath,
): Promise<FoundFunction> {
  if (!modules.has(path.module)) {
    throw new FunctionFailure(
      `Could not find module for: "${path.module.slice(0, -".js".length)}" (Could not find function for '${displayPath(path)}')`,
      { code: "NotFound" },
    );
  }
  const value = (await modules.load(path.module))[path.name];
  if (typeof value !== "function" || !("exportArgs" in value)) {
    throw new FunctionFailure(
      `Expected a Convex function exported from module "${displayPath(path)}" as \`${path.name}\`, but there is no such export: Could not find function for '${displayPath(path)}'.`,
      { code: "NotFound" },
    );
  }
  // It has what convex/server hangs on functions.
  return described(value as unknown as Exported, componentPath, path);
}

export function described(
  exported: Exported,
  componentPath: string,
  path: FunctionPath,
): FoundFunction {
  const args = validatorOf(exported.exportArgs());
  if (args !== null && args.type !== "object" && args.type !== "any") {
    throw new FunctionFailure(
      `Invalid JSON returned from ${path.module}:${path.name}.exportArgs(): Args validator must be an object or any`,
    );
  }
  return {
    exported,
    registered: {
      componentPath,
      path,
      udfType: udfTypeOf(exported, path),
      isPublic: true,
      args,
      returns: validatorOf(exported.exportReturns()),
    },
  };
}

function udfTypeOf(exported: Exported, path: FunctionPath): Exclude<UdfType, "HttpAction"> {
  if (exported.isQuery === true) return "Query";
  if (exported.isMutation === true) return "Mutation";
  if (exported.isAction === true) return "Action";
  throw new FunctionFailure(
    `Expected a Convex function at '${displayPath(path)}', but it is no query, mutation or action.`,
  );
}

function validatorOf(text: string): ValidatorJson | null {
  // Written by convex/server.
  const json = JSON.parse(text) as JSONValue;
  return json === null ? null : parseValidator(json);
}

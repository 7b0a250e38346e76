import type { JSONValue } from "convex/values";
import type { AnalyzedModule } from "./deployment.js";
import { displayPath, type FunctionPath, storedPath } from "./paths.js";
import { parseValidator, type ValidatorJson } from "./validators.js";

export type RegisteredFunction = {
  path: FunctionPath;
  udfType: "Query" | "Mutation" | "Action";
  isPublic: boolean;
  args: ValidatorJson | null;
  returns: ValidatorJson | null;
};

/** The functions of the running deployment, by name. */
export class Registry {
  readonly #functions = new Map<string, RegisteredFunction>();

  constructor(modules: Readonly<Record<string, AnalyzedModule>>) {
    for (const [module, { functions }] of Object.entries(modules)) {
      for (const { name, udfType, visibility, args, returns } of functions) {
        const path = { module, name };
        this.#functions.set(storedPath(path), {
          path,
          udfType,
          isPublic: visibility.kind === "public",
          args: validatorOf(args),
          returns: validatorOf(returns),
        });
      }
    }
  }

  find(path: FunctionPath): RegisteredFunction | null {
    return this.#functions.get(storedPath(path)) ?? null;
  }
}

function validatorOf(text: string | null): ValidatorJson | null {
  if (text === null) return null;
  // Written by exportArgs or exportReturns.
  const json = JSON.parse(text) as JSONValue;
  return json === null ? null : parseValidator(json);
}

export const notFoundText = (path: FunctionPath): string =>
  `Could not find public function for '${displayPath(path)}'. Did you forget to run \`npx convex dev\` or \`npx convex deploy\`?`;

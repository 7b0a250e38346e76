import type { JSONValue } from "convex/values";
import type { AnalyzedModule } from "./deployment.js";
import { displayPath, type FunctionPath, storedPath } from "./paths.js";
import { parseValidator, type ValidatorJson } from "./validators.js";

export type RegisteredFunction = {
  /** The component it lives in. */
  componentPath: string;
  path: FunctionPath;
  udfType: "Query" | "Mutation" | "Action";
  isPublic: boolean;
  args: ValidatorJson | null;
  returns: ValidatorJson | null;
};

/** The functions of the running deployment, by component and name. */
export class Registry {
  readonly #components = new Map<string, ReadonlyMap<string, RegisteredFunction>>();

  /** Makes `modules` the functions of a component, in place of those it had. */
  set(componentPath: string, modules: Readonly<Record<string, AnalyzedModule>>): void {
    const found = new Map<string, RegisteredFunction>();
    for (const [module, { functions }] of Object.entries(modules)) {
      for (const { name, udfType, visibility, args, returns } of functions) {
        const path = { module, name };
        found.set(storedPath(path), {
          componentPath,
          path,
          udfType,
          isPublic: visibility.kind === "public",
          args: validatorOf(args),
          returns: validatorOf(returns),
        });
      }
    }
    this.#components.set(componentPath, found);
  }

  find(componentPath: string, path: FunctionPath): RegisteredFunction | null {
    return this.#components.get(componentPath)?.get(storedPath(path)) ?? null;
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

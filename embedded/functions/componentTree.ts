/** The tree of component instances that the definitions of a push describe, and what each sees. */
import type { JSONValue } from "convex/values";
import {
  type ComponentInstance,
  type DefinitionMetadata,
  type PushedDefinition,
  type PushedModule,
  PushError,
} from "./deployment.js";
import { childPath } from "./paths.js";

/** Components within components; deeper trees are taken for ones that never end. */
const DEPTH_MAX = 16;
const INSTANCES_MAX = 1_000;
const INSTANCE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/;

type Environment = Readonly<Record<string, string>>;
type Definitions = ReadonlyMap<string, { metadata: DefinitionMetadata }>;

/** A definition without a convex.config: an app that uses no components. */
export const EMPTY_APP: DefinitionMetadata = {
  definitionType: { type: "app" },
  childComponents: [],
  httpMounts: {},
  exports: { type: "branch", branch: [] },
};

/** Children before those who use them. Throws PushError when they go in a circle. */
export function childrenFirst(definitions: readonly PushedDefinition[]): PushedDefinition[] {
  const byPath = new Map(definitions.map((definition) => [definition.definitionPath, definition]));
  const ordered = new Set<PushedDefinition>();
  const visit = (definition: PushedDefinition, above: readonly string[]): void => {
    if (ordered.has(definition)) return;
    const { definitionPath } = definition;
    if (above.includes(definitionPath)) {
      throw new PushError(
        "ComponentCycle",
        `Components cannot use each other in a circle: ${[...above, definitionPath].join(" → ")}`,
      );
    }
    for (const path of definition.dependencies) {
      const dependency = byPath.get(path);
      if (dependency !== undefined) visit(dependency, [...above, definitionPath]);
    }
    ordered.add(definition);
  };
  for (const definition of definitions) visit(definition, []);
  return [...ordered];
}

/** Every instance, parents first. Throws PushError for names and uses that cannot be. */
export function instancesOf(definitions: Definitions): Record<string, ComponentInstance> {
  const instances: Record<string, ComponentInstance> = {};
  const add = (instance: ComponentInstance, depth: number): void => {
    const { componentPath, definitionPath } = instance;
    instances[componentPath] = instance;
    if (depth > DEPTH_MAX || Object.keys(instances).length > INSTANCES_MAX) {
      throw new PushError(
        "TooManyComponents",
        `A deployment has at most ${INSTANCES_MAX} components, ${DEPTH_MAX} deep: see "${componentPath}"`,
      );
    }
    const metadata = definitions.get(definitionPath)?.metadata;
    for (const { name, path, env } of metadata?.childComponents ?? []) {
      const child = childPath(componentPath, name);
      if (!INSTANCE_NAME.test(name)) {
        throw new PushError(
          "InvalidComponentName",
          `"${name}" cannot be the name of a component: use up to 64 letters, digits and underscores`,
        );
      }
      if (instances[child] !== undefined) {
        throw new PushError(
          "DuplicateComponent",
          `The component "${child}" is used twice: give one of them another name in use(…, { name })`,
        );
      }
      if (!definitions.has(path)) {
        throw new PushError(
          "UnknownComponent",
          `The component "${child}" has no definition ${path}`,
        );
      }
      add({ componentPath: child, definitionPath: path, env: env ?? [] }, depth + 1);
    }
  };
  add({ componentPath: "", definitionPath: "", env: [] }, 0);
  return instances;
}

/**
 * What `process.env` shows in each instance: the root sees the deployment's variables, a component
 * what its parent bound to it, and all see `system`.
 */
export function environmentsOf(
  instances: Readonly<Record<string, ComponentInstance>>,
  environment: Environment,
  system: { ofRoot: Environment; siteUrlOf: (componentPath: string) => string | null },
): Map<string, Environment> {
  const environments = new Map<string, Environment>();
  // Parents come first, so what they see is known.
  for (const { componentPath, env } of Object.values(instances)) {
    if (componentPath === "") {
      environments.set("", { ...environment, ...system.ofRoot });
      continue;
    }
    const parent = environments.get(parentPath(componentPath)) ?? {};
    const bound: Record<string, string> = {};
    for (const [name, binding] of env) {
      const value = binding.type === "value" ? binding.value : parent[binding.name];
      if (value !== undefined) bound[name] = value;
    }
    const siteUrl = system.siteUrlOf(componentPath);
    environments.set(componentPath, {
      ...bound,
      ...system.ofRoot,
      ...(siteUrl === null ? {} : { CONVEX_SITE_URL: siteUrl }),
    });
  }
  return environments;
}

/** Throws PushError naming the variables that are declared as required and have no value. */
export function assertEnvironments(
  push: { instances: Readonly<Record<string, ComponentInstance>>; definitions: Definitions },
  environments: ReadonlyMap<string, Environment>,
): void {
  for (const { componentPath, definitionPath } of Object.values(push.instances)) {
    const declared = push.definitions.get(definitionPath)?.metadata.envVars ?? [];
    const environment = environments.get(componentPath) ?? {};
    const missing = declared
      .filter(([name, { optional }]) => optional !== true && environment[name] === undefined)
      .map(([name]) => name);
    if (missing.length === 0) continue;
    const where = componentPath === "" ? "" : ` (component "${componentPath}")`;
    throw new PushError(
      "MissingEnvironmentVariables",
      `Environment variables declared as required in convex.config${where} are not set: ${missing.join(", ")}.`,
    );
  }
}

/** The child that a reference in `httpMounts` names, null for anything else. */
export function mountedChild(parent: string, reference: string): string | null {
  const match = /^_reference\/childComponent\/([^/]+)$/.exec(reference);
  return match?.[1] === undefined ? null : childPath(parent, match[1]);
}

/** Where a component's HTTP actions are reached, "/a/b/"; null where nobody mounted it. */
export function mountPathOf(
  push: {
    instances: Readonly<Record<string, ComponentInstance>>;
    definitions: Definitions;
  },
  componentPath: string,
): string | null {
  if (componentPath === "") return "/";
  const parent = parentPath(componentPath);
  const above = mountPathOf(push, parent);
  const definition = push.definitions.get(push.instances[parent]?.definitionPath ?? "");
  const mounts = Object.entries(definition?.metadata.httpMounts ?? {});
  const own = mounts.find(([, reference]) => mountedChild(parent, reference) === componentPath);
  return above === null || own === undefined ? null : above.slice(0, -1) + own[0];
}

const parentPath = (componentPath: string): string =>
  componentPath.slice(0, Math.max(0, componentPath.lastIndexOf("/")));

/** Stands for an imported convex.config while another one is evaluated. */
export function importedDefinition(definitionPath: string, metadata: DefinitionMetadata) {
  const { definitionType } = metadata;
  const shape: JSONValue = {
    componentDefinitionPath: definitionPath,
    defaultName: definitionType.type === "childComponent" ? definitionType.name : "",
  };
  const module: PushedModule = {
    path: `_componentDeps/${Buffer.from(definitionPath).toString("base64url")}`,
    source: `export default ${JSON.stringify(shape)};`,
    environment: "isolate",
  };
  return module;
}

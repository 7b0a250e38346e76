/** What the CLI is told of a push: its code generator and its summary are made from this. */
import { parseProviders } from "../auth/providers.js";
import { mountPathOf } from "../functions/componentTree.js";
import {
  type AnalyzedPush,
  type ComponentInstance,
  definitionAt,
  type IndexChange,
} from "../functions/deployment.js";
import { diffCrons } from "../scheduler/crons.js";

/** The CLI wants applicationID present, null when not given. */
function authInfoOf(analyzed: AnalyzedPush | null) {
  return parseProviders(analyzed?.authProviders ?? []).map((provider) => ({
    ...provider,
    applicationID: provider.applicationID ?? null,
  }));
}

/** `id` comes back with wait_for_schema and finish_push. */
export function startPushAnswer(id: string, analyzed: AnalyzedPush) {
  const udfConfig = {
    serverVersion: analyzed.udfServerVersion,
    importPhaseRngSeed: null,
    importPhaseUnixTimestamp: null,
  };
  const analysis = Object.entries(analyzed.definitions).map(([path, definition]) => [
    path,
    {
      definition: { ...definition.metadata, path },
      schema: definition.schema,
      functions: definition.functions,
      udfConfig,
    },
  ]);
  return {
    environmentVariables: {},
    externalDepsId: null,
    componentDefinitionPackages: {},
    appAuth: authInfoOf(analyzed),
    // An own property for each, whatever its name.
    analysis: Object.fromEntries(analysis) as Record<string, unknown>,
    app: instanceAnswer(analyzed, ""),
    schemaChange: {
      allocatedComponentIds: {},
      schemaIds: { "": id },
      indexDiffs: indexDiffsOf(analyzed),
    },
  };
}

export type InstanceAnswer = {
  definitionPath: string;
  componentPath: string;
  args: Record<string, never>;
  childComponents: Record<string, InstanceAnswer>;
  httpRoutes: { httpModuleRoutes: { path: string; method: string }[] | null; mounts: string[] };
  exports: Record<string, never>;
};

function instanceAnswer(analyzed: AnalyzedPush, componentPath: string): InstanceAnswer {
  const definition = definitionAt(analyzed, componentPath);
  const routes = Object.values(definition?.functions ?? {}).flatMap((module) =>
    (module.httpRoutes ?? []).map(({ route }) => route),
  );
  const children = childrenOf(analyzed, componentPath).map((child) => [
    child.componentPath.slice(componentPath === "" ? 0 : componentPath.length + 1),
    instanceAnswer(analyzed, child.componentPath),
  ]);
  return {
    definitionPath: analyzed.instances[componentPath]?.definitionPath ?? "",
    componentPath,
    args: {},
    childComponents: Object.fromEntries(children) as Record<string, InstanceAnswer>,
    httpRoutes: {
      httpModuleRoutes: routes.length === 0 ? null : routes,
      mounts: mountsOf(analyzed, componentPath),
    },
    exports: {},
  };
}

function childrenOf(analyzed: AnalyzedPush, componentPath: string): ComponentInstance[] {
  const prefix = componentPath === "" ? "" : `${componentPath}/`;
  return Object.values(analyzed.instances).filter((instance) => {
    const { componentPath: path } = instance;
    return path !== "" && path.startsWith(prefix) && !path.slice(prefix.length).includes("/");
  });
}

function mountsOf(analyzed: AnalyzedPush, componentPath: string): string[] {
  const definitions = new Map(Object.entries(analyzed.definitions));
  const { instances } = analyzed;
  return childrenOf(analyzed, componentPath).flatMap(
    (child) => mountPathOf({ instances, definitions }, child.componentPath) ?? [],
  );
}

function indexDiffsOf({ indexChanges }: AnalyzedPush) {
  const toWire = ({ table, name, ...shape }: IndexChange) => ({
    name: `${table}.${name}`,
    ...shape,
  });
  return Object.fromEntries(
    Object.entries(indexChanges).map(([componentPath, changes]) => [
      componentPath,
      {
        added_indexes: changes.added.map(toWire),
        removed_indexes: changes.removed.map(toWire),
        enabled_indexes: changes.enabled.map(toWire),
        disabled_indexes: changes.disabled.map(toWire),
      },
    ]),
  );
}

export function finishPushAnswer(before: AnalyzedPush | null, after: AnalyzedPush) {
  const indexDiffs = indexDiffsOf(after);
  const diffOf = (componentPath: string) => {
    const [old, next] = [definitionAt(before, componentPath), definitionAt(after, componentPath)];
    const isMounted = before?.instances[componentPath] !== undefined;
    return {
      diffType: { type: next === null ? "unmount" : isMounted ? "modify" : "create" },
      moduleDiff: diff(Object.keys(old?.functions ?? {}), Object.keys(next?.functions ?? {})),
      udfConfigDiff:
        before === null || before.udfServerVersion === after.udfServerVersion
          ? null
          : { previous_version: before.udfServerVersion, next_version: after.udfServerVersion },
      cronDiff: diffCrons({ before, after }, componentPath),
      indexDiff: indexDiffs[componentPath] ?? { added_indexes: [], removed_indexes: [] },
      schemaDiff: schemaDiffOf(old?.schema ?? null, next?.schema ?? null),
    };
  };
  const paths = new Set([...Object.keys(before?.instances ?? {}), ...Object.keys(after.instances)]);
  return {
    authDiff: diff(texts(authInfoOf(before)), texts(authInfoOf(after))),
    definitionDiffs: {},
    componentDiffs: Object.fromEntries([...paths].map((path) => [path, diffOf(path)])),
  };
}

function schemaDiffOf(before: unknown, after: unknown) {
  const [previous_schema, next_schema] = [before, after].map((schema) =>
    schema === null ? null : JSON.stringify(schema),
  );
  return previous_schema === next_schema ? null : { previous_schema, next_schema };
}

const texts = (values: readonly unknown[]): string[] => values.map((v) => JSON.stringify(v));

const diff = (before: readonly string[], after: readonly string[]) => ({
  added: after.filter((item) => !before.includes(item)),
  removed: before.filter((item) => !after.includes(item)),
});

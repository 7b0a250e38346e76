/**
 * What the official CLI would push of convex/: one module a file with chunks shared, and the components
 * it uses, each a definition of its own. For backends in this process, without a server to push to.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { build, type Plugin } from "esbuild";
import type { Push, PushedDefinition, PushedModule } from "../../embedded/functions/deployment.js";

const CONFIG = /convex\.config(\.[jt]s)?$/;
const UDF_SERVER_VERSION = "1.48.0";

let made: Promise<Push> | undefined;

/** Bundled once in a process. `root` is this checkout; auth.config is left out: callers name identities. */
export function productPush(root: string): Promise<Push> {
  made ??= makePush(path.join(root, "convex"));
  return made;
}

async function makePush(folder: string): Promise<Push> {
  const definitions = new Map<string, PushedDefinition>();
  const app = await define(folder, "", definitions);
  return {
    ...app,
    components: [...definitions.values()],
    udfServerVersion: UDF_SERVER_VERSION,
  };
}

/** One definition; those it uses are added to `known`, under their folder's path from the app's. */
async function define(
  folder: string,
  definitionPath: string,
  known: Map<string, PushedDefinition>,
): Promise<PushedDefinition> {
  const files = readdirSync(folder).filter((name) => isModule(name));
  const config = files.find((name) => CONFIG.test(name));
  const schema = files.find((name) => /^schema\.[jt]s$/.test(name));
  const others = files.filter((name) => ![config, schema, "auth.config.ts"].includes(name));
  const used: string[] = [];
  const definition = config === undefined ? [] : await bundle(folder, [config], [uses(used)]);
  const dependencies: string[] = [];
  for (const child of used) {
    const childPath = pathOf(child);
    dependencies.push(childPath);
    if (!known.has(childPath)) known.set(childPath, await define(child, childPath, known));
  }
  return {
    definitionPath,
    definition: definition[0] ?? null,
    dependencies,
    schema: schema === undefined ? null : ((await bundle(folder, [schema]))[0] ?? null),
    functions: await bundle(folder, others),
  };
}

const isModule = (name: string): boolean =>
  /^[A-Za-z0-9_.]+\.[jt]s$/.test(name) && !name.endsWith(".d.ts");

/** Short, and the same for the same folder: where its package lies below node_modules. */
const pathOf = (folder: string): string => folder.split("node_modules/").at(-1) ?? folder;

/** Leaves imported definitions to the backend, as the CLI does, and notes their folders. */
function uses(found: string[]): Plugin {
  return {
    name: "component-definitions",
    setup(plugin) {
      plugin.onResolve({ filter: CONFIG }, async ({ path: name, kind, resolveDir, pluginData }) => {
        if (kind === "entry-point" || pluginData === "resolving") return undefined;
        const resolved = await plugin.resolve(name, { kind, resolveDir, pluginData: "resolving" });
        const folder = path.dirname(resolved.path);
        found.push(folder);
        const encoded = Buffer.from(pathOf(folder)).toString("base64url");
        return { path: `./_componentDeps/${encoded}`, external: true };
      });
    },
  };
}

async function bundle(
  folder: string,
  names: readonly string[],
  plugins: Plugin[] = [],
): Promise<PushedModule[]> {
  if (names.length === 0) return [];
  const { outputFiles } = await build({
    entryPoints: names.map((name) => path.join(folder, name)),
    outdir: folder,
    bundle: true,
    splitting: names.length > 1,
    chunkNames: "_deps/[hash]",
    write: false,
    format: "esm",
    platform: "browser",
    conditions: ["convex", "module"],
    plugins,
    logLevel: "warning",
  });
  return outputFiles.map(({ path: file, text }) => ({
    path: path.relative(folder, file),
    source: text,
    environment: "isolate" as const,
  }));
}

// Bundles each program into one file under dist/, and the dashboard into static files in dist/dashboard/.
// `node ops/build.mjs [name …]`; no name builds all.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Programs and what stays outside their bundle (native code, and packages found by path at run time). */
const programs = {
  executor: { entry: "executor/main.ts", external: [] },
  embedded: { entry: "embedded/main.ts", external: ["libsql", "esbuild"] },
  cli: { entry: "cli/main.ts", external: [] },
  bench: { entry: "tests/bench/main.ts", external: [] },
  simulate: { entry: "tests/simulation/queueMain.ts", external: ["libsql", "esbuild"] },
  benchEmbedded: { entry: "tests/bench/embedded/main.ts", external: [] },
  benchExecutor: { entry: "tests/bench/executor/main.ts", external: [] },
  recordStreams: { entry: "tests/support/recordStreams.ts", external: [] },
  benchQueue: { entry: "tests/bench/queue/main.ts", external: ["libsql", "esbuild"] },
};
// Bundled CommonJS packages call require(); an ES module has none of its own.
const banner = {
  js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);',
};

/**
 * The convex package declares that its modules have no side effects, but in a package.json above the
 * one that esbuild reads; without this every bundle carries the schema builder (11 kB).
 */
const convexWithoutSideEffects = {
  name: "convex-without-side-effects",
  setup(plugin) {
    plugin.onResolve({ filter: /./ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === "resolving") return undefined;
      const found = await plugin.resolve(path, { ...from, pluginData: "resolving" });
      const isConvex = /node_modules[\\/]convex[\\/]dist[\\/]/.test(found.path);
      return isConvex ? { path: found.path, sideEffects: false } : undefined;
    });
  },
};

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const DASHBOARD = "dashboard";
const known = [...Object.keys(programs), DASHBOARD];

const names = process.argv.slice(2);
const isWanted = (name) => names.length === 0 || names.includes(name);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`unknown program ${unknown.join(", ")}; choose from ${known.join(", ")}\n`);
  process.exit(64);
}
await Promise.all([
  ...Object.entries(programs)
    .filter(([name]) => isWanted(name))
    .map(([name, { entry, external }]) =>
      build({
        entryPoints: [entry],
        outfile: `dist/${name}.mjs`,
        bundle: true,
        platform: "node",
        target: "node20",
        format: "esm",
        minify: true,
        sourcemap: true,
        external: [...external, "bufferutil", "utf-8-validate"],
        plugins: [convexWithoutSideEffects],
        banner,
        logLevel: "warning",
      }),
    ),
  ...(isWanted(DASHBOARD) ? [buildDashboard()] : []),
]);

async function buildDashboard() {
  // Vite takes this from whoever calls, and builds React for development when it is a test.
  process.env.NODE_ENV = "production";
  const vite = await import("vite");
  await vite.build({ configFile: path.join(root, "dashboard/vite.config.ts"), logLevel: "warn" });
}

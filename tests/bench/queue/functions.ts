/** The product's own functions on an embedded backend in this process: no server, no network. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import type { Backend } from "../../../embedded/functions/backend.js";
import type { PushedModule } from "../../../embedded/functions/deployment.js";

/** Evaluated by the server alone: who calls is said directly here. */
const LEFT_OUT = ["auth.config.ts", "schema.ts"];

const VARIABLES = {
  AUTH_ISSUER: "https://queue.bench",
  AUTH_USER_PRIVATE_JWK: "unused",
  AUTH_EXECUTOR_PRIVATE_JWK: "unused",
  SETUP_TOKEN: "unused",
};

let bundled: Promise<PushedModule[]> | undefined;

/** Pushes convex/ of this checkout, bundled as the official CLI does: one module a file, chunks shared. */
export async function deploy(backend: Backend, root: string): Promise<void> {
  bundled ??= bundle(path.join(root, "convex"));
  const modules = await bundled;
  const schema = modules.find((module) => module.path === "schema.js") ?? null;
  const environment = Object.entries(VARIABLES).map(([name, value]) => ({ name, value }));
  await backend.deployment.setEnvironment(environment);
  const functions = modules.filter((module) => module !== schema);
  const push = { functions, schema, udfServerVersion: "1.48.0" };
  await backend.deployment.activate(await backend.deployment.analyze(push));
}

async function bundle(folder: string): Promise<PushedModule[]> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const entries = names.filter((name) => !LEFT_OUT.includes(name));
  const functions = await output(folder, entries, true);
  return [...functions, ...(await output(folder, ["schema.ts"], false))];
}

async function output(
  folder: string,
  entries: readonly string[],
  splitting: boolean,
): Promise<PushedModule[]> {
  const { outputFiles } = await build({
    entryPoints: entries.map((name) => path.join(folder, name)),
    outdir: folder,
    bundle: true,
    splitting,
    chunkNames: "_deps/[hash]",
    write: false,
    format: "esm",
    platform: "browser",
    conditions: ["convex", "module"],
    logLevel: "warning",
  });
  return outputFiles.map(({ path: file, text }) => ({
    path: path.relative(folder, file),
    source: text,
    environment: "isolate" as const,
  }));
}

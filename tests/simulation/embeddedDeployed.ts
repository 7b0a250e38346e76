/** A disk on which the fixture of the fire tests is deployed. */
import path from "node:path";
import { build } from "esbuild";
import { openBackend } from "../../embedded/functions/backend.js";
import { writeCrons } from "../../embedded/scheduler/crons.js";
import type { StoreBatch } from "../../embedded/store/store.js";
import { seeded } from "../embedded/fireRandom.js";
import { seededChance } from "./embeddedChance.js";
import { CrashStore, type Disk } from "./embeddedDisk.js";

const APP = path.resolve(import.meta.dirname, "../embedded/fixtures/fire/convex");
export const START_MS = Date.UTC(2030, 0, 1);

let deployed: Promise<StoreBatch[]> | undefined;

/** Made once, and the same each time it is made. */
export async function deployedDisk(): Promise<Disk> {
  deployed ??= deploy();
  return { batches: [...(await deployed)] };
}

async function deploy(): Promise<StoreBatch[]> {
  const disk: Disk = { batches: [] };
  const random = seeded(0);
  const backend = await openBackend({
    dataDir: null,
    store: new CrashStore(disk, random),
    chance: seededChance(random),
    clock: { nowMs: () => START_MS },
  });
  const functions = [await bundled("fire"), await bundled("crons")];
  const schema = await bundled("schema");
  const push = { functions, schema, udfServerVersion: "1.48.0" };
  const analyzed = await backend.deployment.analyze(push);
  await backend.deployment.activate(analyzed, (tx) => {
    writeCrons(tx, { analyzed, nowMs: START_MS });
  });
  await backend.close();
  return disk.batches;
}

async function bundled(name: string) {
  const { outputFiles } = await build({
    entryPoints: [path.join(APP, `${name}.ts`)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    conditions: ["convex", "module"],
  });
  const source = outputFiles[0]?.text ?? "";
  return { path: `${name}.js`, source, environment: "isolate" as const };
}

/** Opens and closes the whole of it: store, engine, deployment, runner. */
import type { Chance } from "../engine/chance.js";
import { type Clock, type CommitHooks, Engine } from "../engine/engine.js";
import { MemoryBlobs } from "../files/blobs.js";
import { Files } from "../files/files.js";
import { FolderBlobs } from "../files/folderBlobs.js";
import { FileStore } from "../store/fileStore.js";
import { MemoryStore } from "../store/memoryStore.js";
import type { Store } from "../store/store.js";
import { CoreRunner } from "./coreRunner.js";
import type { Deployment } from "./deployment.js";
import type { FunctionTimes } from "./functionTimes.js";
import { IsolatePool, watchRejections } from "./isolatePool.js";
import { LiveDeployment } from "./liveDeployment.js";
import type { Runner } from "./runner.js";

export type BackendOptions = {
  /** A folder for durable data, or null for memory only. */
  dataDir: string | null;
  clock?: Clock;
  chance?: Chance;
  /** CONVEX_CLOUD_URL and CONVEX_SITE_URL as functions see them. */
  cloudUrl?: string;
  siteUrl?: string;
  /** false: a commit survives the end of the process, but perhaps not of the machine. */
  isSynced?: boolean;
  hooks?: CommitHooks;
  /** Takes the place of the one that `dataDir` names. */
  store?: Store;
  /** How long functions may run; by default as documented. */
  times?: FunctionTimes;
};

export type Backend = {
  engine: Engine;
  deployment: Deployment;
  runner: Runner;
  files: Files;
  /** Waits for durability, then closes; what still runs fails. */
  close(): Promise<void>;
};

/**
 * Opens the data folder and the last deployment. Throws DataFolderError (one sentence) when the
 * folder is in use or was written by a newer version.
 */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  await Promise.resolve();
  const { dataDir, clock, chance, cloudUrl, siteUrl, isSynced = true, hooks, times } = options;
  const store =
    options.store ?? (dataDir === null ? new MemoryStore() : FileStore.open(dataDir, { isSynced }));
  const engine = new Engine({
    store,
    ...(clock === undefined ? {} : { clock }),
    ...(chance === undefined ? {} : { chance }),
    ...(hooks === undefined ? {} : { hooks }),
  });
  const pool = new IsolatePool();
  const systemEnvironment = {
    ...(cloudUrl === undefined ? {} : { CONVEX_CLOUD_URL: cloudUrl }),
    ...(siteUrl === undefined ? {} : { CONVEX_SITE_URL: siteUrl }),
  };
  const deployment = new LiveDeployment({ engine, pool, systemEnvironment });
  const blobs = dataDir === null ? new MemoryBlobs() : new FolderBlobs(dataDir);
  const files = new Files({ engine, blobs, cloudUrl: cloudUrl ?? "" });
  const runner = new CoreRunner({
    engine,
    deployment,
    pool,
    files,
    ...(times === undefined ? {} : { times }),
  });
  const unwatch = watchRejections();
  const close = async (): Promise<void> => {
    await engine.close();
    // What user code left rejected is reported at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    unwatch();
  };
  return { engine, deployment, runner, files, close };
}

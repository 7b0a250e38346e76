/** Exports and imports of one backend, put together. */
import type { Engine } from "../../engine/engine.js";
import { definitionAt, type Deployment } from "../../functions/deployment.js";
import { schemaTables } from "../../functions/schema.js";
import type { Files } from "../../files/files.js";
import type { EventLog } from "../../http/eventLog.js";
import { Exports } from "./exports.js";
import { Imports } from "./imports.js";
import type { Transfer } from "./routes.js";

export async function openTransfer(options: {
  engine: Engine;
  deployment: Deployment;
  files: Files;
  dataDir: string;
  log: EventLog;
}): Promise<Transfer & { stop(): Promise<void> }> {
  const { engine, deployment, files, dataDir, log } = options;
  const exports = new Exports({
    engine,
    dataDir,
    componentPaths: () => Object.keys(deployment.current()?.instances ?? { "": null }),
    files,
    log,
  });
  const imports = new Imports({
    engine,
    dataDir,
    files,
    isMounted: (componentPath) =>
      Object.hasOwn(deployment.current()?.instances ?? {}, componentPath),
    checkOf: ({ componentPath, name }, tableOfId) => {
      const schema = definitionAt(deployment.current(), componentPath)?.schema ?? null;
      const { tables } = schemaTables(schema, { componentId: componentPath, tableOfId });
      return tables.find((table) => table.name === name)?.check ?? null;
    },
    log,
  });
  await exports.start();
  await imports.start();
  return {
    exports,
    imports,
    stop: async () => {
      await Promise.all([exports.stop(), imports.stop()]);
    },
  };
}

import { cpSync, existsSync, renameSync } from "node:fs";
import path from "node:path";
import { inject } from "vitest";
import { readConfig } from "../../cli/config.js";
import { openDeployment } from "../../cli/demo/deployment.js";
import { findRoot } from "../../cli/root.js";

/**
 * Copies a data folder with the functions deployed and the first administrator made. Pushing the
 * functions takes seconds, so the first call of a run does it for all; end-to-end files run one after
 * the other, so no two do it at once.
 */
export async function copyDeployedData(to: string): Promise<void> {
  const template = path.join(inject("deployedFolder"), "data");
  if (!existsSync(template)) {
    const dataDir = path.join(inject("deployedFolder"), "partial");
    const { childEnvironment: environment } = readConfig();
    const deployment = await openDeployment({ root: findRoot(), dataDir, port: 0, environment });
    await deployment.close();
    renameSync(dataDir, template);
  }
  cpSync(template, to, { recursive: true });
}

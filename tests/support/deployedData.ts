import { cpSync, existsSync, mkdirSync, renameSync } from "node:fs";
import path from "node:path";
import { inject } from "vitest";
import { readConfig } from "../../cli/config.js";
import { openDeployment } from "../../cli/demo/deployment.js";
import { findRoot } from "../../cli/root.js";
import { waitFor } from "./waitFor.js";

/**
 * Copies a data folder with the functions deployed and the first administrator made. Pushing the
 * functions takes seconds, so the first call of a run does it for all, and others wait for it.
 */
export async function copyDeployedData(to: string): Promise<void> {
  const folder = inject("deployedFolder");
  const template = path.join(folder, "data");
  if (isFirst(folder)) {
    const dataDir = path.join(folder, "partial");
    const { childEnvironment: environment } = readConfig();
    const deployment = await openDeployment({ root: findRoot(), dataDir, port: 0, environment });
    await deployment.close();
    renameSync(dataDir, template);
  }
  await waitFor("the functions to be deployed once", () => existsSync(template));
  cpSync(template, to, { recursive: true });
}

/** Whether nobody asked before, in whatever process: making a folder succeeds once. */
function isFirst(folder: string): boolean {
  try {
    mkdirSync(path.join(folder, "claim"));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

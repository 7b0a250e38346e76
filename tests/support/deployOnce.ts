import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestProject } from "vitest/node";
import build from "./buildOnce.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the first stack of a run leaves a deployed data folder for the later ones to copy. */
    deployedFolder: string;
  }
}

/** Builds the bundles, and makes the folder that deployedData.ts fills once per run. */
export default function setup(project: TestProject): () => void {
  build();
  const folder = mkdtempSync(path.join(tmpdir(), "fondation-deployed-"));
  project.provide("deployedFolder", folder);
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Folders looked through upwards before giving up. */
const LEVELS_MAX = 6;

/**
 * The folder of this package: where convex/, dist/ and node_modules/ are. Found upwards from this
 * file, which runs both from its source folder and from the bundle in dist/.
 */
export function findRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < LEVELS_MAX; level += 1) {
    const manifest = path.join(folder, "package.json");
    if (existsSync(manifest) && isOurs(readFileSync(manifest, "utf8"))) return folder;
    folder = path.dirname(folder);
  }
  throw new Error("the fondation package was not found around the running program");
}

function isOurs(manifest: string): boolean {
  const parsed: unknown = JSON.parse(manifest);
  return (
    typeof parsed === "object" && parsed !== null && "name" in parsed && parsed.name === "fondation"
  );
}

import { execFileSync } from "node:child_process";
import path from "node:path";

/** The end-to-end tests run the bundles a user runs: build them once before the first test. */
export default function setup(): void {
  const root = path.resolve(import.meta.dirname, "../..");
  execFileSync(process.execPath, [path.join(root, "ops/build.mjs")], { stdio: "inherit" });
}

import { execFileSync } from "node:child_process";
import path from "node:path";

/** Says to the set-ups of other projects of the same run that the bundles are new. */
const MARK = "FONDATION_BUILT_BY";

/** Tests of the whole run the bundles a user runs: they are built once before the first of them. */
export default function setup(): void {
  if (process.env[MARK] === String(process.pid)) return;
  process.env[MARK] = String(process.pid);
  const root = path.resolve(import.meta.dirname, "../..");
  execFileSync(process.execPath, [path.join(root, "ops/build.mjs")], { stdio: "inherit" });
}

// The long runs: `npm run test:fire -- [--cycles N] [--seed S] [--only NAME]`. Without --cycles 200.
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "200" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: "string", default: "" },
  },
});
const run = spawn(
  path.join(root, "node_modules/.bin/vitest"),
  ["run", "--project", "embedded", `tests/embedded/fire${values.only}`],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      FIRE_CYCLES: values.cycles,
      FIRE_SEED: values.seed,
    },
  },
);
run.once("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
run.once("close", (code) => {
  process.exitCode = code ?? 1;
});

// Breaks convex/domain in one place at a time and runs the unit tests that reach it, in this process:
// `mutate` hands out each mutant with the test that noticed it. One build serves all.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { withMutants } from "./mutants.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const DOMAIN = path.join(root, "convex/domain");
const UNIT = path.join(root, "tests/unit");
/** A mutant whose tests take longer has made an endless loop: noticed. */
const STUCK_MS = 20_000;
const STUCK = "they do not end";

/** Mutants that are known to live, by key, each with a reason; "" where nobody has judged it yet. */
export function survivors() {
  return JSON.parse(readFileSync(path.join(import.meta.dirname, "survivors.json"), "utf8"));
}

/** Every mutant of convex/domain, and the modules that hold them. */
function findMutants() {
  const modules = new Map();
  const mutants = [];
  for (const name of readdirSync(DOMAIN).sort()) {
    const file = path.join(DOMAIN, name);
    const found = withMutants(name, readFileSync(file, "utf8"), mutants.length + 1);
    modules.set(file, found.text);
    mutants.push(...found.mutants);
  }
  return { modules, mutants };
}

/** The unit tests that reach convex/domain, each in one script, and the domain files that each reaches. */
async function bundles(modules) {
  const made = [];
  for (const name of readdirSync(UNIT).sort()) {
    if (!name.endsWith(".test.ts")) continue;
    const entry = path.join(UNIT, name);
    if (!/\/domain\//.test(readFileSync(entry, "utf8"))) continue;
    const { outputFiles, metafile } = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      metafile: true,
      absWorkingDir: root,
      format: "cjs",
      platform: "node",
      target: "node20",
      external: ["fast-check", "typescript", "convex", "esbuild"],
      define: {
        "import.meta.url": JSON.stringify(pathToFileURL(entry).href),
        "import.meta.dirname": JSON.stringify(UNIT),
      },
      plugins: [mutated(modules)],
      logLevel: "silent",
    });
    const reached = Object.keys(metafile.inputs)
      .map((input) => path.join(root, input))
      .filter((input) => modules.has(input))
      .map((input) => path.basename(input));
    made.push({ file: name, text: outputFiles[0].text, reached: new Set(reached) });
  }
  return made;
}

const mutated = (modules) => ({
  name: "mutated",
  setup(plugin) {
    plugin.onLoad({ filter: /convex\/domain\/\w+\.ts$/ }, ({ path: file }) => ({
      contents: modules.get(file),
      loader: "ts",
    }));
    plugin.onResolve({ filter: /^vitest$/ }, () => ({ path: "vitest", namespace: "shim" }));
    plugin.onLoad({ filter: /./, namespace: "shim" }, () => ({
      contents: "module.exports = globalThis.__vitest;",
    }));
  },
});

/**
 * Runs the tests on each mutant that `isWanted`, `workers` at a time; `onResult` hears of each. Throws
 * when the tests fail on the code as it is: then they would notice anything.
 */
export async function mutate({ isWanted = () => true, workers = 2, onResult = () => undefined }) {
  const { modules, mutants } = findMutants();
  const made = await bundles(modules);
  const filesOf = (file) =>
    made.filter(({ reached }) => reached.has(file)).map((each) => each.file);
  const queue = mutants.filter(isWanted);
  const whole = new Runner(made);
  const failed = await whole.run(
    0,
    made.map(({ file }) => file),
  );
  await whole.end();
  if (failed !== null) throw new Error(`The tests fail on the code as it is: ${failed}`);
  const results = [];
  const lane = async () => {
    const runner = new Runner(made);
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const by = await runner.run(mutant.number, filesOf(mutant.file));
      const result = { ...mutant, by };
      results.push(result);
      onResult(result);
    }
    await runner.end();
  };
  await Promise.all(Array.from({ length: workers }, lane));
  return results.sort((a, b) => a.number - b.number);
}

/** One worker; a new one when a mutant got it stuck. */
class Runner {
  #worker = null;
  #bundles;

  constructor(made) {
    this.#bundles = made.map(({ file, text }) => ({ file, text }));
  }

  async run(number, files) {
    this.#worker ??= new Worker(new URL("./worker.mjs", import.meta.url), {
      workerData: { bundles: this.#bundles },
    });
    const worker = this.#worker;
    const failed = await new Promise((resolve, reject) => {
      const settle = (act) => (value) => {
        clearTimeout(limit);
        worker.off("message", onMessage);
        worker.off("error", onError);
        act(value);
      };
      const onMessage = settle((answer) => resolve(answer.failed));
      const onError = settle(reject);
      const limit = setTimeout(settle(resolve), STUCK_MS, STUCK);
      worker.once("message", onMessage);
      worker.once("error", onError);
      worker.postMessage({ number, files });
    });
    if (failed === STUCK) await this.end();
    return failed;
  }

  async end() {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }
}

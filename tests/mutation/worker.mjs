// Runs bundled test files again and again in one process, each time with another mutant switched on, with
// as much of vitest as the tests of convex/domain use. Told { number, files }, it answers { number, failed }:
// what failed first, or null.
import { createRequire } from "node:module";
import vm from "node:vm";
import { parentPort, workerData } from "node:worker_threads";

const require = createRequire(import.meta.url);
// What vitest itself makes its `expect` of.
const ofVitest = createRequire(require.resolve("vitest/package.json"));
const { JestAsymmetricMatchers, JestChaiExpect, JestExtend } = await import(
  ofVitest.resolve("@vitest/expect")
);
const chai = await import(ofVitest.resolve("chai"));
for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

const scripts = new Map(
  workerData.bundles.map(({ file, text }) => [
    file,
    new vm.Script(`(function (require, module, exports) {${text}\n})`, { filename: file }),
  ]),
);

parentPort.on("message", async ({ number, files }) => {
  parentPort.postMessage({ number, failed: await firstFailure(number, files) });
});

async function firstFailure(number, files) {
  globalThis.__mutant = (each) => each === number;
  for (const file of files) {
    const tests = [];
    globalThis.__vitest = { expect: chai.expect, ...collector(tests) };
    try {
      const module = { exports: {} };
      scripts.get(file).runInThisContext()(require, module, module.exports);
      for (const { title, body, timed } of tests) {
        await body().catch((error) => {
          throw new Error(`${title}: ${error.message}`, { cause: timed });
        });
      }
    } catch (error) {
      return `${file}: ${error.message}`.slice(0, 300);
    }
  }
  return null;
}

/** `describe` and `test` that keep tests for later. */
function collector(tests) {
  const add = (title, body) => tests.push({ title, body: async () => body() });
  const test = (title, options, body) => add(title, typeof options === "function" ? options : body);
  const each = (cases) => (title, body) => {
    for (const one of cases) add(title, () => (Array.isArray(one) ? body(...one) : body(one)));
  };
  const describe = (_title, body) => body();
  describe.each = (cases) => (_title, body) => {
    for (const one of cases) Array.isArray(one) ? body(...one) : body(one);
  };
  return {
    describe,
    test: Object.assign(test, { each }),
    it: Object.assign(test, { each }),
    afterEach: () => undefined,
  };
}

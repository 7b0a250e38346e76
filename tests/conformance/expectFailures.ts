/** Runs before each file of a suite: turns around the tests that are listed to fail. */
import { afterAll, beforeEach, expect, inject } from "vitest";
import type { ExpectedFailure } from "./suites.js";

declare module "vitest" {
  interface ProvidedContext {
    expectedFailures: readonly ExpectedFailure[];
  }
}

const list = inject("expectedFailures");
const seen = new Set<string>();
let filepath = "";

beforeEach(({ task }) => {
  filepath = task.file.filepath;
  seen.add(task.fullTestName);
  const isListed = list.some(
    ({ file, test }) => filepath.endsWith(file) && task.fullTestName === test,
  );
  // Vitest looks at it after the test: then a failure passes and a success fails.
  if (isListed) Object.assign(task, { fails: true });
});

afterAll(() => {
  const gone = list.filter(({ file, test }) => filepath.endsWith(file) && !seen.has(test));
  expect(gone, "listed as failing, but not found in the file").toEqual([]);
});

/** Which suites of others run on the adapter, and what of them does not pass, each with its reason. */

/** Packages whose own tests, shipped under src/, are run unmodified. */
const SUITES = ["aggregate", "batch-worker", "migrations", "rate-limiter", "workpool"];
const PACKAGES = "node_modules/@convex-dev";

/** Files that are not run. */
export const LEFT_OUT: readonly { file: string; reason: string }[] = [
  {
    file: `${PACKAGES}/rate-limiter/src/react/index.test.ts`,
    reason: "tests a React hook in a simulated browser and calls no backend",
  },
];
export const SUITE_FILES = SUITES.map((name) => `${PACKAGES}/${name}/src/**/*.test.ts`);

/** `file` is how its path ends, `test` its full name: describes and title, joined by " > ". */
export type ExpectedFailure = { file: string; test: string; reason: string };

/** Tests that must fail: one that passes fails the run, and so does one that no longer exists. */
export const EXPECTED_FAILURES: readonly ExpectedFailure[] = [];

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { EXPECTED_FAILURES, LEFT_OUT, SUITE_FILES } from "./tests/conformance/suites.js";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const seeded = "tests/support/seededProperties.ts";
/** Suites written for convex-test, run on the embedded backend's engine. */
const onEmbedded = { find: /^convex-test$/, replacement: at("embedded/test/index.ts") };

export default defineConfig({
  test: {
    // One worker a core: left alone, vitest keeps a core for itself, half of a small machine.
    maxWorkers: "100%",
    reporters: ["default", "./tests/support/closingLine.ts"],
    // Suites of others print what they think of the failures they provoke.
    onConsoleLog: (_log, _type, entity) => entity?.project.name !== "conformance",
    projects: [
      {
        test: {
          name: "unit",
          include: ["tests/unit/**/*.test.ts"],
          environment: "node",
          setupFiles: [seeded],
        },
      },
      {
        test: {
          name: "functions",
          include: ["tests/functions/**/*.test.ts"],
          setupFiles: [seeded],
          environment: "edge-runtime",
          server: { deps: { inline: ["convex-test", /@convex-dev/] } },
        },
      },
      {
        resolve: { alias: [onEmbedded] },
        test: {
          name: "functions-embedded",
          include: ["tests/functions/**/*.test.ts"],
          setupFiles: [seeded],
          environment: "edge-runtime",
          server: { deps: { inline: [/@convex-dev/] } },
          testTimeout: 30_000,
        },
      },
      {
        resolve: {
          alias: [
            onEmbedded,
            {
              find: "@fast-check/vitest",
              replacement: at("tests/conformance/fastCheckVitest.ts"),
            },
          ],
        },
        test: {
          name: "conformance",
          include: SUITE_FILES,
          exclude: LEFT_OUT.map(({ file }) => file),
          environment: "edge-runtime",
          setupFiles: [seeded, "tests/conformance/expectFailures.ts"],
          provide: { expectedFailures: EXPECTED_FAILURES },
          server: { deps: { inline: [/@convex-dev/] } },
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "contract",
          include: ["tests/contract/**/*.test.ts", "tests/conformance/*.test.ts"],
          environment: "node",
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "simulation",
          include: ["tests/{simulation,mutation}/**/*.test.ts"],
          environment: "node",
        },
      },
      {
        test: {
          name: "embedded",
          // The queue measured on the embedded engine is part of it: it needs the same time.
          include: ["tests/embedded/**/*.test.ts", "tests/queue/**/*.test.ts"],
          setupFiles: [seeded],
          environment: "node",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "gates",
          include: ["tests/gates/**/*.test.ts"],
          environment: "node",
          testTimeout: 180_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/e2e/**/*.test.ts"],
          environment: "node",
          // After the others: what waits for processes shares the cores well, what computes does not.
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ["tests/support/deployOnce.ts"],
        },
      },
      {
        test: {
          name: "dashboard",
          include: ["tests/dashboard/**/*.test.ts"],
          environment: "node",
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 120_000,
          globalSetup: ["tests/support/deployOnce.ts"],
        },
      },
    ],
  },
});

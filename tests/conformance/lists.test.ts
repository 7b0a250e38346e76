import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { createVitest } from "vitest/node";
import { EXPECTED_FAILURES, LEFT_OUT, SUITE_FILES } from "./suites.js";

const root = path.resolve(import.meta.dirname, "../..");

describe("the lists of what does not pass", () => {
  test("every entry names a file that exists, and a reason", () => {
    for (const { file, reason } of [...LEFT_OUT, ...EXPECTED_FAILURES]) {
      expect(existsSync(path.join(root, file)), file).toBe(true);
      expect(reason.length).toBeGreaterThan(10);
    }
  });

  test("every suite has tests", () => {
    for (const pattern of SUITE_FILES) {
      const [folder = ""] = pattern.split("/**");
      const names = readdirSync(path.join(root, folder), { recursive: true }).map(String);
      expect(names.filter((name) => name.endsWith(".test.ts")).length, folder).toBeGreaterThan(1);
    }
  });

  test("a listed test that passes, an unlisted one that fails and a listed one that is gone fail a run", async () => {
    const file = "fixtures/lists/planted.test.ts";
    const listed = ["listed and failing", "listed and passing", "gone"];
    const vitest = await createVitest("test", {
      root: import.meta.dirname,
      config: false,
      watch: false,
      reporters: [{}],
      include: [file],
      setupFiles: ["expectFailures.ts"],
      provide: {
        expectedFailures: listed.map((name) => ({ file, test: name, reason: "planted" })),
      },
    });
    try {
      const { testModules } = await vitest.start();
      const [module] = testModules;
      const states = [...(module?.children.allTests() ?? [])].map((one) => [
        one.name,
        one.result().state,
      ]);
      expect(Object.fromEntries(states)).toEqual({
        "listed and failing": "passed",
        "listed and passing": "failed",
        "unlisted and failing": "failed",
        "unlisted and passing": "passed",
      });
      expect(
        module
          ?.errors()
          .map(({ message }) => message)
          .join(),
      ).toContain("not found in the file");
    } finally {
      await vitest.close();
    }
  });
});

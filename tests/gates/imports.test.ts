import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { cruise, type IConfiguration, type ICruiseResult } from "dependency-cruiser";
import { describe, expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
// The same file that `npm run graph` reads; its shape is dependency-cruiser's own.
const config = createRequire(import.meta.url)("../../.dependency-cruiser.cjs") as IConfiguration;
const rules = (config.forbidden ?? []).map((rule) => rule.name ?? "");
const FOLDERS = ["convex", "executor", "embedded", "cli", "dashboard"];

async function brokenRules(baseDir: string): Promise<string[]> {
  const folders = FOLDERS.filter((folder) => existsSync(path.join(baseDir, folder)));
  const { forbidden, options } = config;
  const { output } = await cruise(folders, {
    ...options,
    tsConfig: { fileName: path.join(root, "tsconfig.base.json") },
    ruleSet: forbidden === undefined ? {} : { forbidden },
    validate: true,
    baseDir,
  });
  // Without an output type the answer is the result object, not a text.
  return (output as ICruiseResult).summary.violations.map((violation) => violation.rule.name);
}

describe("the import table", () => {
  test("is not empty", () => {
    expect(rules.length).toBeGreaterThan(15);
  });

  test.each(rules)("%s → its fixture is refused", async (rule) => {
    const fixture = path.join(
      import.meta.dirname,
      "fixtures/imports",
      rule.replaceAll(/[^a-zA-Z0-9]+/g, "-"),
    );
    expect(existsSync(fixture), `a fixture at ${fixture}`).toBe(true);
    expect(await brokenRules(fixture)).toContain(rule);
  });

  test("the real tree keeps every rule", async () => {
    expect(await brokenRules(root)).toEqual([]);
  });
});

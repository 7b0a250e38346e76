/** The promises of embedded/README.md name tests; each of them must be there, and none left out. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");
const text = readFileSync(path.join(ROOT, "embedded/README.md"), "utf8");
const TESTS = "tests/embedded";

/** The last cell of each row of the table of promises. */
function namedIn(readme: string): string[] {
  const [, section = ""] = readme.split("## Promises");
  const rows = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
  const cells = rows.slice(2).map((row) => row.split("|").at(-2) ?? "");
  return [
    ...new Set(cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, n = ""]) => n))),
  ];
}

/** A file of ours, a folder of tests, or a project of vitest. */
const isThere = (name: string): boolean =>
  existsSync(path.join(ROOT, TESTS, `${name}.test.ts`)) ||
  existsSync(path.join(ROOT, name)) ||
  readFileSync(path.join(ROOT, "vitest.config.ts"), "utf8").includes(`name: "${name}"`);

test("every promise names tests, and they are there", () => {
  const named = namedIn(text);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !isThere(name))).toEqual([]);
  expect(isThere("nobody wrote this")).toBe(false);
});

test("every test of the embedded backend is named in its README", () => {
  const files = readdirSync(path.join(ROOT, TESTS)).filter((name) => name.endsWith(".test.ts"));
  const left = files
    .map((name) => name.slice(0, -".test.ts".length))
    .filter((name) => !text.includes(`\`${name}\``));
  expect(left).toEqual([]);
});

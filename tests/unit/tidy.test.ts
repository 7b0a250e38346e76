import { execFileSync } from "node:child_process";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { countLines, ourFiles, tablesWithoutOwner, unusedExports } from "../support/tidy.js";

const root = path.resolve(import.meta.dirname, "../..");
const files = ourFiles(root);
const code = files.filter(({ name }) => !name.endsWith(".md"));
const LINES_MAX = 400;

describe("the repository is tidy", () => {
  test("its files were found", () => {
    expect(files.map((file) => file.name)).toContain("tests/unit/tidy.test.ts");
  });

  test("no file of code is longer than a reader can hold", () => {
    const long = code.filter(({ text }) => countLines(text) > LINES_MAX);
    expect(long.map(({ name, text }) => `${name}: ${String(countLines(text))}`)).toEqual([]);
  });

  test("no test is run alone", () => {
    const alone = /\b(?:test|it|describe)\.only\b/;
    expect(code.filter(({ text }) => alone.test(text)).map(({ name }) => name)).toEqual([]);
  });

  test("nothing is left for later in a comment", () => {
    const later = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
    expect(code.filter(({ text }) => later.test(text)).map(({ name }) => name)).toEqual([]);
  });

  test("every table says who writes it", () => {
    const schemas = code.filter(
      ({ name, text }) => name.startsWith("convex/") && text.includes("defineTable("),
    );
    expect(schemas.map(({ name }) => name)).toContain("convex/schema.ts");
    expect(schemas.flatMap(({ text }) => tablesWithoutOwner(text))).toEqual([]);
  });

  test("nothing in convex/ is exported for nobody (the dead code check is blind there)", () => {
    const inner = code.filter(({ name }) => /^convex\/(?:model|lib|domain|protocol)\//.test(name));
    expect(inner.length).toBeGreaterThan(0);
    expect(unusedExports(inner, code)).toEqual([]);
  });

  test("the import table in docs/architecture.md is the one that is enforced", () => {
    execFileSync(process.execPath, [path.join(root, "ops/docs.mjs"), "--check"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
  });
});

describe("the checks themselves", () => {
  test("a table without an owner → named", () => {
    const schema = `
      /** Jobs. Written on changes
       * by a. Read by b. */
      jobs: defineTable({}),
      /** Leases. */
      leases: defineTable({}).index("i", ["x"]),
      slots: defineTable({}),
    `;
    expect(tablesWithoutOwner(schema)).toEqual(["leases", "slots"]);
  });

  test("an export that nobody mentions → named", () => {
    const a = { name: "a.ts", text: "export function used() {}\nexport const unused = 1;\n" };
    const b = { name: "b.ts", text: 'import { used } from "./a.js";\n' };
    expect(unusedExports([a], [a, b])).toEqual(["a.ts: unused"]);
  });

  test("lines are counted without the last line's end", () => {
    expect([countLines(""), countLines("a"), countLines("a\n"), countLines("a\nb\n")]).toEqual([
      0, 1, 1, 2,
    ]);
  });
});

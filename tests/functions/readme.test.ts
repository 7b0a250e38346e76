import { expect, test } from "vitest";
import readme from "../../convex/README.md?raw";
import schema from "../../convex/schema.js";

test("convex/README.md says of every table who writes it, and of no other", () => {
  const rows = readme.matchAll(/^\| (`[^|]+`) +\| `(?:model|domain)\//gm);
  const named = [...rows].flatMap(([, cell = ""]) => cell.match(/\w+/g) ?? []);
  expect(named.sort()).toEqual(Object.keys(schema.tables).sort());
});

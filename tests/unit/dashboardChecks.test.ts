/** The 25 checks of dashboard/README.md, held to the tests that it names. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");
const CHECKS = 25;
const TITLE = /^\s*(?:(?:test|describe)(?:\.each)?\(|\]\)\()\s*(["'`])(.*?)\1/gm;

/** Rows of the table: number, file and words of a title. */
function rows(): { number: number; file: string; words: string }[] {
  const text = readFileSync(path.join(root, "dashboard/README.md"), "utf8");
  const table = text.split("<!-- checks -->")[1]?.split("<!-- /checks -->")[0] ?? "";
  return table
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter(([, number]) => /^\d+$/.test(number ?? ""))
    .map(([, number, , file = "", words = ""]) => ({ number: Number(number), file, words }));
}

test("each of the 25 is in the table once, in order, with words to look for", () => {
  const table = rows();
  const numbers = Array.from({ length: CHECKS }, (_, i) => i + 1);
  expect(table.map(({ number }) => number)).toEqual(numbers);
  expect(table.filter(({ words }) => words === "")).toEqual([]);
});

test.each(rows())("$number is proven in $file by “$words”", ({ file, words }) => {
  const name = path.join(root, "tests", `${file}.test.ts`);
  expect(existsSync(name)).toBe(true);
  const titles = [...readFileSync(name, "utf8").matchAll(TITLE)].map((match) => match[2] ?? "");
  expect(titles.filter((title) => title.includes(words))).not.toEqual([]);
});

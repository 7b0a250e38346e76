/**
 * The negative tests that the security design lists (section F), by number: which exist, and for those
 * that do not, what they wait for. A test belongs to a line when its title begins with "<number>: ".
 */
import path from "node:path";
import { expect, test } from "vitest";
import { ourFiles } from "../support/tidy.js";

const GITHUB = "the GitHub integration is not there yet";

/** Lines without a test. A line that gets one leaves this table. */
const WAITING: Record<number, string> = {
  33: GITHUB,
  34: GITHUB,
  35: GITHUB,
  36: GITHUB,
  37: GITHUB,
  40: `${GITHUB}: nothing applies or publishes a patch`,
};
const LINES = 48;

const TITLE = /^\s*(?:(?:it|test|describe)\(|\]\)\()?\s*["'`](\d{1,2}): /gm;

/** Numbers with which titles in a text begin. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(TITLE)].map(([, number]) => Number(number));
}

const root = path.resolve(import.meta.dirname, "../..");
const tests = ourFiles(root).filter(({ name }) => /^tests\/.*\.test\.ts$/.test(name));

test("each of the 48 has a test named after it, or a reason why not, and not both", () => {
  const tested = new Set(tests.flatMap(({ text }) => numbersIn(text)));
  const lines = Array.from({ length: LINES }, (_, i) => i + 1);
  const without = lines.filter((line) => !tested.has(line));
  expect(without).toEqual(Object.keys(WAITING).map(Number));
});

test("a title is recognized wherever it stands, and nothing else is", () => {
  const text = [
    'it("3: a");',
    '  test("14: b");',
    '  ])("15: c");',
    '  "2: nobody": {',
    '  "16: %s is refused",',
    'const time = "12:30"; expect(said).toBe("48: no");',
  ].join("\n");
  expect(numbersIn(text)).toEqual([3, 14, 15, 2, 16]);
});

import { expect, test } from "vitest";
import { lastWords } from "../../cli/lastWords.js";

test("a sentence behind log lines → the sentence", () => {
  expect(lastWords('{"event":"listening"}\nThe data folder is in use.\n')).toBe(
    "The data folder is in use.",
  );
});

test("a crash → its error without the stack", () => {
  const crash =
    "file:///x.mjs:7\n  code\n\nTypeError: no such thing\n    at f (x:1)\n\nNode.js v20";
  expect(lastWords(crash)).toBe("TypeError: no such thing");
});

test("a failed push → the marked lines", () => {
  const push = "- Deploying\n✖ Error: Unable to finish push\n✖ TypeError: fetch failed\n";
  expect(lastWords(push)).toBe("Error: Unable to finish push TypeError: fetch failed");
});

test("log lines alone → the last one; nothing → nothing", () => {
  expect(lastWords('{"event":"a"}\n{"event":"b"}\n')).toBe('{"event":"b"}');
  expect(lastWords("")).toBe("");
});

import { describe, expect, it } from "vitest";
import { PATCH_BYTES_MAX } from "../../../convex/protocol/limits.js";
import { endPatch, readFiles } from "../../../executor/changes.js";

const id = "0".repeat(40);
const raw = (status: string, name: string): string =>
  `:100644 100644 ${id} ${id} ${status}\0${name}\0`;

describe("git's raw rows and counts → files", () => {
  it("tells added, changed and removed files, and takes any name", () => {
    const names = { text: "a.txt", logo: ":logo\t.png", odd: "dir/na\tme\n.md" };
    const rows = raw("M", names.text) + raw("A", names.logo) + raw("D", names.odd);
    const counts = `3\t1\t${names.text}\0-\t-\t${names.logo}\x000\t7\t${names.odd}\0`;
    expect(readFiles(rows + counts)).toEqual([
      { path: names.text, status: "changed", insertions: 3, deletions: 1 },
      { path: names.logo, status: "added", insertions: 0, deletions: 0, binary: true },
      { path: names.odd, status: "removed", insertions: 0, deletions: 7 },
    ]);
  });
  it("is nothing for nothing", () => {
    expect(readFiles("")).toEqual([]);
  });
});

describe("a patch that does not fit", () => {
  const file = (name: string): string => `diff --git a/${name} b/${name}\n--- a\n+++ b\n+x\n`;
  const note = `# cut: the patch has more than ${PATCH_BYTES_MAX} bytes\n`;

  it("ends with its last whole file and says that it was cut", () => {
    expect(endPatch(file("a") + file("b") + "diff --git a/c", true)).toBe(
      file("a") + file("b") + note,
    );
    expect(endPatch(file("a"), true)).toBe(note);
  });
  it("is left alone when it fits", () => {
    expect(endPatch(file("a"), false)).toBe(file("a"));
  });
});

import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findFiles, isMatch } from "../../../executor/treeFiles.js";
import { tempDir } from "../../support/tempDir.js";

const never = new AbortController().signal;

function tree(names: readonly string[]): string {
  const root = tempDir("tree");
  for (const name of names) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), name);
  }
  return root;
}

describe("a name's form", () => {
  it("matches what the same regular expression matches", () => {
    const form = fc.stringMatching(/^[ab*?]{0,8}$/);
    const name = fc.stringMatching(/^[ab]{0,10}$/);
    fc.assert(
      fc.property(form, name, (f, n) => {
        const same = new RegExp(`^${f.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(isMatch(f, n)).toBe(same.test(n));
      }),
      { numRuns: 2_000 },
    );
  });
  it("takes characters of regular expressions for themselves", () => {
    expect(isMatch("a.(b)", "a.(b)")).toBe(true);
    expect(isMatch("a.b", "axb")).toBe(false);
  });
});

describe("finding files by patterns", () => {
  const root = tree([
    "a.txt",
    "out/report.html",
    "out/deep/er/report.html",
    "out/.hidden",
    "out/.git/config",
    "src/out/report.html",
  ]);

  it.each([
    ["a.txt", ["a.txt"]],
    ["*", ["a.txt"]],
    ["out/*.html", ["out/report.html"]],
    ["out/**", ["out/.hidden", "out/deep/er/report.html", "out/report.html"]],
    ["out/**/report.html", ["out/deep/er/report.html", "out/report.html"]],
    ["**/report.html", ["out/deep/er/report.html", "out/report.html", "src/out/report.html"]],
    ["**/out/*", ["out/.hidden", "out/report.html", "src/out/report.html"]],
    ["???/out/*", ["src/out/report.html"]],
    ["**/**/er/**", ["out/deep/er/report.html"]],
  ])("%s → %j", async (pattern, files) => {
    expect(await findFiles(root, [pattern], never)).toMatchObject({ files, unmatched: [] });
  });

  it("names each file once and patterns without any", async () => {
    const found = await findFiles(root, ["a.*", "*.txt", "none/*"], never);
    expect(found).toMatchObject({ files: ["a.txt"], unmatched: ["none/*"], isCut: false });
  });

  it("goes through no link, and tells links and pipes apart from files", async () => {
    const other = tree(["out/real"]);
    symlinkSync("/etc", path.join(other, "out", "etc"));
    symlinkSync("/etc/passwd", path.join(other, "out", "passwd"));
    execFileSync("/usr/bin/mkfifo", [path.join(other, "out", "pipe")]);
    expect(await findFiles(other, ["out/**"], never)).toMatchObject({
      files: ["out/real"],
      others: ["out/etc", "out/passwd", "out/pipe"],
    });
  });

  it("stops when told to, and says that it did", async () => {
    expect(await findFiles(root, ["**"], AbortSignal.abort())).toMatchObject({ isCut: true });
  });
});

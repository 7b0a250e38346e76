/** What no linter knows about this repository, as functions over texts; tests/unit/tidy.test.ts runs them. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

export type SourceFile = { name: string; text: string };

/** Every text file that is in git or could be, fixtures and generated files left out. */
export function ourFiles(root: string): SourceFile[] {
  const names = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((name) => /\.(ts|tsx|mjs|cjs|js|md)$/.test(name))
    .filter((name) => !name.startsWith("convex/_generated/"))
    .filter((name) => !name.startsWith("tests/gates/fixtures/"));
  return names
    .filter((name) => existsSync(path.join(root, name)))
    .map((name) => ({ name, text: readFileSync(path.join(root, name), "utf8") }));
}

/** Lines of a file, a last empty one not counted. */
export function countLines(text: string): number {
  return text === "" ? 0 : text.replace(/\n$/, "").split("\n").length;
}

/** Tables of a schema that have no comment naming who writes them. */
export function tablesWithoutOwner(schema: string): string[] {
  const tables = [...schema.matchAll(/^[ \t]*(\w+): defineTable\(/gm)];
  return tables.flatMap((table) => {
    const before = schema.slice(0, table.index);
    const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(before)?.[1] ?? "";
    const isOwned = /\b(?:written|inserted)\b[^.]*\bby\b/i.test(comment);
    return isOwned ? [] : [table[1] ?? ""];
  });
}

/** Exported names of `files` that no other text of `readers` mentions and their own file uses nowhere else. */
export function unusedExports(
  files: readonly SourceFile[],
  readers: readonly SourceFile[],
): string[] {
  return files.flatMap(({ name, text }) =>
    exportedNames(text)
      .filter((word) => mentions(text, word) < 2)
      .filter((word) => !readers.some((r) => r.name !== name && mentions(r.text, word) > 0))
      .map((word) => `${name}: ${word}`),
  );
}

function mentions(text: string, word: string): number {
  return [...text.matchAll(new RegExp(`\\b${word}\\b`, "g"))].length;
}

function exportedNames(text: string): string[] {
  const declared = /^export (?:async )?(?:function|const|class|type|interface) (\w+)/gm;
  return [...text.matchAll(declared)].map((match) => match[1] ?? "");
}

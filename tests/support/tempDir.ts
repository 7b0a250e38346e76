import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "vitest";

const made: string[] = [];

/** A new empty folder, removed after the last test of the file. Its path has no symbolic links. */
export function tempDir(name = "test"): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), `fondation-${name}-`)));
  made.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { tempDir } from "./tempDir.js";

export type GitRepo = {
  path: string;
  /** The newest commit of the default branch. */
  commit: string;
  git: (...args: string[]) => string;
};

const SMALL = {
  "README.md": "# A small repository\n\nhello\n",
  "src/index.js": "export const answer = 42;\n",
};

/** A real repository with one commit of the given files (path → text) on branch `main`. */
export function gitRepo(files: Record<string, string> = SMALL): GitRepo {
  const folder = tempDir("repo");
  const git = (...args: string[]): string =>
    execFileSync("git", ["-C", folder, ...args], { encoding: "utf8", env: identity() }).trim();
  git("init", "--quiet", "--initial-branch=main");
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  git("add", "--all");
  git("commit", "--quiet", "--message", "First");
  return { path: folder, commit: git("rev-parse", "HEAD"), git };
}

// Whatever the machine's git is configured to do (names, signing, hooks) must not matter.
function identity(): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "Test",
    GIT_AUTHOR_EMAIL: "test@example.invalid",
    GIT_COMMITTER_NAME: "Test",
    GIT_COMMITTER_EMAIL: "test@example.invalid",
  };
}

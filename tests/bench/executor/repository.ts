import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";

/** A repository of these files in this folder, one commit; the answer is the folder. */
export function makeRepository(folder: string, files: Record<string, string> = {}): string {
  const git = (...args: string[]): void => {
    execFileSync("git", args, {
      cwd: folder,
      env: {
        ...process.env,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_AUTHOR_NAME: "Bench",
        GIT_AUTHOR_EMAIL: "bench@example.invalid",
        GIT_COMMITTER_NAME: "Bench",
        GIT_COMMITTER_EMAIL: "bench@example.invalid",
      },
    });
  };
  execFileSync("git", ["init", "--quiet", "--initial-branch=main", folder]);
  for (const [name, text] of Object.entries({ "README.md": "# Bench\n", ...files })) {
    writeFileSync(path.join(folder, name), text);
  }
  git("add", "--all");
  git("commit", "--quiet", "--message", "First");
  return folder;
}

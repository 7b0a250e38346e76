import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Changes } from "../convex/protocol/job.js";
import { PATCH_CHARS_MAX } from "../convex/protocol/limits.js";
import type { Clock } from "./clock.js";
import { gitEnvironment } from "./git.js";
import { type CommandResult, runCommand } from "./runCommand.js";

/**
 * What a run did to the tree, found out without trusting anything the run could write: the git
 * folder, its settings and its attributes are our own, made before the run outside the clone; of the
 * clone's .git only objects are read, and git checks those by their hashes.
 */
export type Baseline = Readonly<{ gitFolder: string; repo: string; commit: string }>;

export type GitTools = {
  searchPath: string;
  home: string;
  marker: Readonly<Record<string, string>>;
  clock: Clock;
  signal: AbortSignal;
};

const STEP_MS_MAX = 60_000;
/** New files whose contents are looked at; more, or larger ones, are counted as files alone. */
const NEW_FILES_MAX = 5_000;
const NEW_FILE_BYTES_MAX = 1024 * 1024;
const NEW_FILES_BYTES_MAX = 64 * 1024 * 1024;
const LIST_CHARS_MAX = 4 * 1024 * 1024;

/**
 * Attributes of the clone that must not decide what a reader sees or what git runs. Line endings
 * stay as the repository has them: the checkout was made with the same rules.
 */
const ATTRIBUTES = "* !diff !filter !merge !ident !whitespace !delta !export-subst\n";

/** Prepares the comparison; call before anything untrusted runs in `repo`. */
export async function takeBaseline(baseline: Baseline, tools: GitTools): Promise<void> {
  const { gitFolder, repo, commit } = baseline;
  const git = gitIn(baseline, tools);
  await expectOk(git(["init", "--quiet", "--bare", "--template=", "--", gitFolder]), "init");
  await mkdir(path.join(gitFolder, "info"), { recursive: true });
  await writeFile(path.join(gitFolder, "info", "attributes"), ATTRIBUTES);
  const alternates = path.join(gitFolder, "objects", "info", "alternates");
  await mkdir(path.dirname(alternates), { recursive: true });
  await writeFile(alternates, `${path.join(repo, ".git", "objects")}\n`);
  // The copy keeps git from looking for parents that a shallow clone does not have.
  await writeFile(
    path.join(gitFolder, "shallow"),
    await readFile(path.join(repo, ".git", "shallow")).catch(() => `${commit}\n`),
  );
  await expectOk(git(["read-tree", "--", commit]), "read-tree");
}

/** Counts and the patch of everything that differs from the baseline, commits included. Throws. */
export async function collectChanges(baseline: Baseline, tools: GitTools): Promise<Changes> {
  const git = gitIn(baseline, tools);
  const uncounted = await addNewFiles(baseline, git);
  const diff = [
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--ignore-submodules=all",
  ];
  const counts = await expectOk(
    git([...diff, "--numstat", "-z", baseline.commit, "--"], { stdoutMax: LIST_CHARS_MAX }),
    "diff --numstat",
  );
  const patch = await git([...diff, "--full-index", baseline.commit, "--"], {
    stdoutMax: PATCH_CHARS_MAX,
  });
  if (!patch.isOutputCut) await expectOk(Promise.resolve(patch), "diff");
  const totals = sumNumstat(counts.stdout);
  return {
    ...totals,
    files: totals.files + uncounted,
    patch: patch.stdout,
    patchTruncated: patch.isOutputCut || uncounted > 0,
  };
}

/** `insertions TAB deletions TAB path NUL`, with `-` for binary files. Pure. */
export function sumNumstat(output: string): Pick<Changes, "files" | "insertions" | "deletions"> {
  const totals = { files: 0, insertions: 0, deletions: 0 };
  for (const row of output.split("\0")) {
    const match = /^(\d+|-)\t(\d+|-)\t/.exec(row);
    if (match === null) continue;
    totals.files += 1;
    totals.insertions += Number(match[1]) || 0;
    totals.deletions += Number(match[2]) || 0;
  }
  return totals;
}

/** Runs git with our own git folder over the clone's files. */
export type Git = (
  args: string[],
  more?: {
    stdin?: string;
    stdoutMax?: number;
    encoding?: "utf8" | "latin1";
    env?: Readonly<Record<string, string>>;
  },
) => Promise<CommandResult>;

/** Puts new files into our index; answers how many were too many or too large for that. */
async function addNewFiles(baseline: Baseline, git: Git): Promise<number> {
  const listed = await expectOk(
    git(["ls-files", "-z", "--others", "--exclude-standard"], { stdoutMax: LIST_CHARS_MAX }),
    "ls-files",
  );
  // A name with a slash at its end is a repository inside the clone: git would look into its settings.
  const names = listed.stdout.split("\0").filter((name) => name !== "" && !name.endsWith("/"));
  let bytes = 0;
  const chosen: string[] = [];
  for (const name of names.slice(0, NEW_FILES_MAX)) {
    const { size } = await lstat(path.join(baseline.repo, name));
    if (size > NEW_FILE_BYTES_MAX || bytes + size > NEW_FILES_BYTES_MAX) continue;
    bytes += size;
    chosen.push(name);
  }
  if (chosen.length > 0) {
    const stdin = chosen.map((name) => `${name}\0`).join("");
    await expectOk(git(["update-index", "--add", "-z", "--stdin"], { stdin }), "update-index");
  }
  return names.length - chosen.length;
}

/** Git over a clone that a run has in its hands: the settings, attributes and index are ours. */
export function gitIn(baseline: Baseline, tools: GitTools): Git {
  const env = gitEnvironment({
    searchPath: tools.searchPath,
    home: tools.home,
    protocols: "none",
    extra: { ...tools.marker, GIT_DIR: baseline.gitFolder, GIT_WORK_TREE: baseline.repo },
  });
  return (args, more = {}) =>
    runCommand(
      {
        file: "git",
        args,
        cwd: baseline.repo,
        // `init --bare` refuses a work tree.
        env: {
          ...(args[0] === "init" ? without(env, ["GIT_DIR", "GIT_WORK_TREE"]) : env),
          ...more.env,
        },
        timeoutMs: STEP_MS_MAX,
        stdoutMax: more.stdoutMax ?? LIST_CHARS_MAX,
        ...(more.stdin === undefined ? {} : { stdin: more.stdin }),
        ...(more.encoding === undefined ? {} : { encoding: more.encoding }),
      },
      tools,
    );
}

function without(env: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

/** Throws unless the call ended well. */
export async function expectOk(
  running: Promise<CommandResult>,
  step: string,
): Promise<CommandResult> {
  const result = await running;
  if (result.ending === "exited" && result.code === 0) return result;
  throw new Error(`git ${step} ended ${result.ending} (${result.code ?? "-"}): ${result.stderr}`);
}

import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ChangedFile, Changes } from "../convex/protocol/job.js";
import { CHANGED_FILES_MAX, PATCH_BYTES_MAX, PATCH_CHARS_MAX } from "../convex/protocol/limits.js";
import type { Clock } from "./clock.js";
import { requireOwnObjects } from "./cloneObjects.js";
import { gitEnvironment } from "./git.js";
import { type Command, type CommandResult, runCommand } from "./runCommand.js";

/**
 * What a run did to the tree, found out without trusting anything the run could write: the git
 * folder, its settings and its attributes are our own, made before the run outside the clone; of the
 * clone's .git only objects are read. Git does not hash each of them anew, so a run that rewrites
 * objects of the commit it began at can make its own patch lie about what it replaced.
 */
export type Baseline = Readonly<{ gitFolder: string; repo: string; commit: string }>;

export type GitTools = {
  searchPath: string;
  home: string;
  marker: Readonly<Record<string, string>>;
  clock: Clock;
  signal: AbortSignal;
  /** Keeps a call over a run's clone from the rest of the machine; without it nothing does. */
  confine?: (call: Pick<Command, "file" | "args">) => Pick<Command, "file" | "args">;
};

const STEP_MS_MAX = 60_000;
/** New files whose contents are looked at; more, or larger ones, are named alone. */
const NEW_FILES_MAX = 5_000;
const NEW_FILE_BYTES_MAX = 4 * 1024 * 1024;
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
  await mkdir(gitFolder, { mode: 0o700 });
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

const DIFF = [
  "diff",
  "--no-ext-diff",
  "--no-textconv",
  "--no-color",
  "--no-renames",
  "--ignore-submodules=all",
];

/** Counts and the patch of everything that differs from the baseline, commits included. Throws. */
export async function collectChanges(baseline: Baseline, tools: GitTools): Promise<Changes> {
  await requireOwnObjects(baseline.repo);
  const git = gitIn(baseline, tools);
  const omitted = await addNewFiles(baseline, git);
  const told = await expectOk(
    git([...DIFF, "--raw", "--numstat", "-z", baseline.commit, "--"], {
      stdoutMax: LIST_CHARS_MAX,
    }),
    "diff --numstat",
  );
  const patch = await git([...DIFF, "--full-index", baseline.commit, "--"], {
    stdoutMax: PATCH_CHARS_MAX,
  });
  if (!patch.isOutputCut) await expectOk(Promise.resolve(patch), "diff");
  const files = [...readFiles(told.stdout), ...omitted.map(omittedFile)];
  const sum = (of: (file: ChangedFile) => number): number =>
    files.reduce((total, file) => total + of(file), 0);
  return {
    files: files.length,
    insertions: sum((file) => file.insertions),
    deletions: sum((file) => file.deletions),
    patch: patch.stdout,
    patchTruncated: patch.isOutputCut || omitted.length > 0,
    byFile: files.sort(byPath).slice(0, CHANGED_FILES_MAX),
  };
}

/**
 * All of it as `git apply` takes it, files that are no text included; call after `collectChanges`,
 * whose answer is `changes`. What does not fit is left out file by file and named at the end. Throws.
 */
export async function wholePatch(
  baseline: Baseline,
  tools: GitTools,
  options: { changes: Changes; redact: (text: string) => string },
): Promise<Buffer> {
  const patch = await gitIn(baseline, tools)([...DIFF, "--binary", baseline.commit, "--"], {
    stdoutMax: PATCH_BYTES_MAX,
    encoding: "latin1",
  });
  if (!patch.isOutputCut) await expectOk(Promise.resolve(patch), "diff --binary");
  const { byFile = [] } = options.changes;
  const names = byFile.filter((file) => file.omitted === true).map((file) => file.path);
  const text = endPatch(options.redact(patch.stdout), patch.isOutputCut);
  const notes = names.map((name) => `# left out, too large: ${JSON.stringify(name)}\n`).join("");
  return Buffer.concat([Buffer.from(text, "latin1"), Buffer.from(options.redact(notes))]);
}

/** A patch that was cut ends with its last whole file and says so. Pure. */
export function endPatch(patch: string, isCut: boolean): string {
  if (!isCut) return patch;
  const last = patch.lastIndexOf("\ndiff --git ");
  const note = `# cut: the patch has more than ${PATCH_BYTES_MAX} bytes\n`;
  return patch.slice(0, last + 1) + note;
}

const STATUS: Readonly<Record<string, ChangedFile["status"]>> = { A: "added", D: "removed" };

/**
 * The answer to `--raw --numstat -z`: `:modes ids STATUS NUL path NUL` of each file, then
 * `insertions TAB deletions TAB path NUL` of each, with `-` where it is no text. Pure.
 */
export function readFiles(output: string): ChangedFile[] {
  const status = new Map<string, ChangedFile["status"]>();
  const files: ChangedFile[] = [];
  const words = output.split("\0");
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? "";
    const raw = /^:\d+ \d+ [0-9a-f]+ [0-9a-f]+ ([A-Z])/.exec(word)?.[1];
    if (raw === undefined) files.push(...countsOf(word, status));
    else status.set(words[(i += 1)] ?? "", STATUS[raw] ?? "changed");
  }
  return files;
}

function countsOf(word: string, status: ReadonlyMap<string, ChangedFile["status"]>): ChangedFile[] {
  const [row, insertions, deletions, path = ""] = /^(\d+|-)\t(\d+|-)\t(.+)$/s.exec(word) ?? [];
  if (row === undefined) return [];
  const lines = (count: string | undefined): number => Number(count) || 0;
  const file: ChangedFile = {
    path,
    status: status.get(path) ?? "changed",
    insertions: lines(insertions),
    deletions: lines(deletions),
  };
  return [insertions === "-" ? { ...file, binary: true } : file];
}

function omittedFile(path: string): ChangedFile {
  return { path, status: "added", insertions: 0, deletions: 0, omitted: true };
}

function byPath(a: ChangedFile, b: ChangedFile): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
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

/** Puts new files into our index; answers which were too many or too large for that. */
async function addNewFiles(baseline: Baseline, git: Git): Promise<string[]> {
  const listed = await expectOk(
    git(["ls-files", "-z", "--others", "--exclude-standard"], { stdoutMax: LIST_CHARS_MAX }),
    "ls-files",
  );
  // A name with a slash at its end is a repository inside the clone: git would look into its settings.
  const names = listed.stdout.split("\0").filter((name) => name !== "" && !name.endsWith("/"));
  let bytes = 0;
  const chosen: string[] = [];
  const omitted = names.slice(NEW_FILES_MAX);
  for (const name of names.slice(0, NEW_FILES_MAX)) {
    const { size } = await lstat(path.join(baseline.repo, name));
    if (size > NEW_FILE_BYTES_MAX || bytes + size > NEW_FILES_BYTES_MAX) {
      omitted.push(name);
      continue;
    }
    bytes += size;
    chosen.push(name);
  }
  if (chosen.length > 0) {
    const stdin = chosen.map((name) => `${name}\0`).join("");
    await expectOk(git(["update-index", "--add", "-z", "--stdin"], { stdin }), "update-index");
  }
  return omitted;
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
        ...(tools.confine?.({ file: "git", args }) ?? { file: "git", args }),
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

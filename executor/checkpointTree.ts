import { copyFile, lstat, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Baseline, expectOk, type GitTools, gitIn, type Git } from "./changes.js";
import { requireOwnObjects } from "./cloneObjects.js";
import { type CloneRefs, readRefs, readRegular } from "./cloneRefs.js";

/**
 * All differences of a tree to its base commit as one git pack: the run's commits, its index, and what
 * lies in the tree. Found out as in changes.ts: with a git folder of our own, outside the clone.
 */

/** What a tree was, beside the objects. */
export type TreeHeader = Readonly<{
  version: 1;
  /** Commit of the files of the tree; its parent is that of the index, whose parent is HEAD. */
  work: string;
  index: string;
  refs: CloneRefs;
  /** Folders without files, which git does not know. */
  emptyFolders: readonly string[];
  /** Files that were left out: repositories inside the clone, and ignored files past their bound. */
  leftOut: number;
}>;
type PackedTree = { header: TreeHeader; packed: Buffer };

const LIST_CHARS_MAX = 8 * 1024 * 1024;
const INDEX_BYTES_MAX = 64 * 1024 * 1024;
const PACK_BYTES_MAX = 64 * 1024 * 1024 - 64 * 1024;
/** What new and changed files may have in all before anything is packed. */
const FILES_BYTES_MAX = 512 * 1024 * 1024;
/** Ignored files are kept if they are few and small: a `.env`, not a `node_modules`. */
const IGNORED_FILES_MAX = 1_000;
const IGNORED_BYTES_MAX = 16 * 1024 * 1024;
/** Folders without files that are looked for. */
const EMPTY_FOLDERS_MAX = 1_000;

/** The same commit for the same tree, whoever made it and when. */
const NOBODY = {
  GIT_AUTHOR_NAME: "Fondation",
  GIT_AUTHOR_EMAIL: "fondation@localhost",
  GIT_AUTHOR_DATE: "1000000000 +0000",
  GIT_COMMITTER_NAME: "Fondation",
  GIT_COMMITTER_EMAIL: "fondation@localhost",
  GIT_COMMITTER_DATE: "1000000000 +0000",
};

/** Call before anything untrusted runs in the clone: its index still says what git itself wrote. */
export async function prepareTree(baseline: Baseline): Promise<void> {
  await copyFile(path.join(baseline.repo, ".git", "index"), indexOf(baseline));
}

/** The tree as it is now; null when it is that of `before`. Throws when it cannot be told or is too large. */
export async function packTree(
  baseline: Baseline,
  tools: GitTools,
  before: TreeHeader | undefined,
): Promise<PackedTree | null> {
  await requireOwnObjects(baseline.repo);
  const git = gitIn(baseline, tools);
  const own = { GIT_INDEX_FILE: indexOf(baseline) };
  const refs = await readRefs(baseline.repo);
  const leftOut = await updateIndex(baseline, git, own);
  const files = await oneLine(git(["write-tree", "--missing-ok"], { env: own }), "write-tree");
  const staged = (await stagedTree(baseline, git)) ?? files;
  const parent = refs.head === undefined ? [] : ["-p", refs.head];
  const index = await oneLine(
    git(["commit-tree", ...parent, "-m", "index", staged], { env: NOBODY }),
    "commit-tree",
  );
  const work = await oneLine(
    git(["commit-tree", "-p", index, "-m", "files", files], { env: NOBODY }),
    "commit-tree",
  );
  const emptyFolders = await findEmptyFolders(baseline, git, own);
  const header: TreeHeader = { version: 1, work, index, refs, emptyFolders, leftOut };
  if (before !== undefined && isSameTree(before, header)) return null;
  const wanted = [work, ...Object.values(refs.refs)].join("\n");
  const pack = await expectOk(
    git(["pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q"], {
      stdin: `${wanted}\n^${baseline.commit}\n`,
      stdoutMax: PACK_BYTES_MAX,
      encoding: "latin1",
    }),
    "pack-objects",
  );
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  return { header, packed: Buffer.concat([line, Buffer.from(pack.stdout, "latin1")]) };
}

/** Whether two trees are alike in all that a restore brings back. */
function isSameTree(a: TreeHeader, b: TreeHeader): boolean {
  const told = (tree: TreeHeader): string =>
    JSON.stringify([
      tree.work,
      tree.refs.head,
      tree.refs.branch,
      tree.refs.refs,
      tree.emptyFolders,
    ]);
  return told(a) === told(b);
}

function indexOf(baseline: Baseline): string {
  return path.join(baseline.gitFolder, "index.checkpoint");
}

/** Brings our index up to the files; answers how many were left out. */
async function updateIndex(
  baseline: Baseline,
  git: Git,
  env: Record<string, string>,
): Promise<number> {
  const list = async (args: string[]): Promise<string[]> => {
    const listed = await git(args, { env, stdoutMax: LIST_CHARS_MAX });
    if (listed.isOutputCut) throw new Error("the tree has too many changed files");
    const { stdout } = await expectOk(Promise.resolve(listed), args[0] ?? "");
    return stdout.split("\0").filter((name) => name !== "");
  };
  const changed = await list(["diff-files", "--name-only", "-z", "--ignore-submodules=all"]);
  const fresh = await list(["ls-files", "-z", "--others", "--exclude-standard"]);
  const ignored = await ignoredFiles(baseline, git, env);
  // A name with a slash at its end is a repository inside the clone.
  const plain = [...changed, ...fresh].filter((name) => !name.endsWith("/"));
  if ((await bytesOf(baseline, plain)) > FILES_BYTES_MAX) {
    throw new Error("the changed files are too large");
  }
  const names = [...plain, ...ignored.names];
  if (names.length > 0) {
    const stdin = names.map((name) => `${name}\0`).join("");
    const args = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
    await expectOk(git(args, { stdin, env }), "update-index");
  }
  return changed.length + fresh.length - plain.length + ignored.leftOut;
}

async function ignoredFiles(
  baseline: Baseline,
  git: Git,
  env: Record<string, string>,
): Promise<{ names: string[]; leftOut: number }> {
  const args = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard"];
  const { stdout, isOutputCut } = await git(args, { env, stdoutMax: LIST_CHARS_MAX });
  const names = stdout.split("\0").filter((name) => name !== "" && !name.endsWith("/"));
  const isSmall =
    !isOutputCut &&
    names.length <= IGNORED_FILES_MAX &&
    (await bytesOf(baseline, names)) <= IGNORED_BYTES_MAX;
  return isSmall ? { names, leftOut: 0 } : { names: [], leftOut: names.length };
}

/** Once our index is up to date, git names as new only folders without files, and what was left out. */
async function findEmptyFolders(
  { repo }: Baseline,
  git: Git,
  env: Record<string, string>,
): Promise<string[]> {
  const args = ["ls-files", "-z", "--others", "--directory", "--exclude-standard"];
  const { stdout } = await git(args, { env, stdoutMax: LIST_CHARS_MAX });
  const found: string[] = [];
  let looked = 0;
  const visit = async (folder: string): Promise<void> => {
    looked += 1;
    if (looked > EMPTY_FOLDERS_MAX) return;
    const entries = await readdir(path.join(repo, folder), { withFileTypes: true }).catch(() => []);
    if (entries.some((entry) => entry.name === ".git")) return;
    if (entries.length === 0) found.push(folder);
    for (const entry of entries) {
      if (entry.isDirectory()) await visit(`${folder}/${entry.name}`);
    }
  };
  for (const name of stdout.split("\0").sort()) {
    if (name.endsWith("/")) await visit(name.slice(0, -1));
  }
  return found;
}

async function bytesOf(baseline: Baseline, names: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const name of names) {
    const stat = await lstat(path.join(baseline.repo, name)).catch(() => undefined);
    bytes += stat?.size ?? 0;
  }
  return bytes;
}

/** The tree of what is staged; undefined while a merge is unresolved, or when the index is unreadable. */
async function stagedTree(baseline: Baseline, git: Git): Promise<string | undefined> {
  const copy = path.join(baseline.gitFolder, "index.clone");
  const source = path.join(baseline.repo, ".git", "index");
  const bytes = await readRegular(source, INDEX_BYTES_MAX).catch(() => undefined);
  if (bytes === undefined) return undefined;
  await writeFile(copy, bytes);
  const written = await git(["write-tree", "--missing-ok"], { env: { GIT_INDEX_FILE: copy } });
  return written.code === 0 ? written.stdout.trim() : undefined;
}

async function oneLine(running: ReturnType<Git>, step: string): Promise<string> {
  return (await expectOk(running, step)).stdout.trim();
}

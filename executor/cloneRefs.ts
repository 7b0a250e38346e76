import { constants } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import path from "node:path";

/**
 * What a clone's .git says of HEAD and branches, read without git: its configuration is the run's to
 * write, and no program of ours shall act on it.
 */
export type CloneRefs = Readonly<{
  /** Commit of HEAD; undefined on a branch without one. */
  head: string | undefined;
  /** Full name of the branch that is checked out; undefined when detached. */
  branch: string | undefined;
  /** Branches and tags by their full names. */
  refs: Readonly<Record<string, string>>;
}>;

const REF_BYTES_MAX = 1024;
const PACKED_BYTES_MAX = 1024 * 1024;
/** Branches and tags that are kept; a run that makes more loses the rest when it is resumed. */
const REFS_MAX = 64;
const DEPTH_MAX = 8;
const NAME =
  /^refs\/(?:heads|tags)\/(?!.*(?:\.\.|\/\/|\/\.|\.lock(?:\/|$)|\/$))[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}$/;
const ID = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Throws where there is no ordinary .git folder with a HEAD. */
export async function readRefs(repo: string): Promise<CloneRefs> {
  const gitFolder = path.join(repo, ".git");
  for (const name of ["", "refs", "refs/heads", "refs/tags"]) {
    const stat = await lstat(path.join(gitFolder, name)).catch(absentAs(undefined));
    // Through a link they would be another repository's.
    const isFolder = stat?.isDirectory() ?? name !== "";
    if (!isFolder) throw new Error(`the clone's ${path.join(".git", name)} is no folder`);
  }
  const refs = { ...(await readPacked(gitFolder)), ...(await readLoose(gitFolder)) };
  const head = (await readSmall(path.join(gitFolder, "HEAD"), REF_BYTES_MAX)).trim();
  if (ID.test(head)) return { head, branch: undefined, refs };
  const branch = /^ref: (.+)$/.exec(head)?.[1];
  if (branch === undefined || !isRefName(branch)) throw new Error("the clone's HEAD is no branch");
  return { head: refs[branch], branch, refs };
}

export function isRefName(name: string): boolean {
  return NAME.test(name);
}
export function isObjectId(id: string): boolean {
  return ID.test(id);
}

async function readPacked(gitFolder: string): Promise<Record<string, string>> {
  const text = await readSmall(path.join(gitFolder, "packed-refs"), PACKED_BYTES_MAX).catch(
    absentAs(""),
  );
  const rows = text.split("\n").map((line) => /^([0-9a-f]{40,64}) (\S+)$/.exec(line));
  const named = rows.flatMap((row): [string, string][] => {
    const [, id = "", name = ""] = row ?? [];
    return isRefName(name) && ID.test(id) ? [[name, id]] : [];
  });
  return Object.fromEntries(named.slice(0, REFS_MAX));
}

async function readLoose(gitFolder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (name: string, depth: number): Promise<void> => {
    const folder = path.join(gitFolder, name);
    const entries = await readdir(folder, { withFileTypes: true }).catch(absentAs([]));
    for (const entry of entries) {
      if (Object.keys(found).length >= REFS_MAX) return;
      const child = `${name}/${entry.name}`;
      if (entry.isDirectory() && depth < DEPTH_MAX) await visit(child, depth + 1);
      if (!entry.isFile() || !isRefName(child)) continue;
      const id = (await readSmall(path.join(gitFolder, child), REF_BYTES_MAX)).trim();
      if (ID.test(id)) found[child] = id;
    }
  };
  await visit("refs/heads", 0);
  await visit("refs/tags", 0);
  return found;
}

/** A regular file of at most so many bytes; a link, a pipe or a device is none. */
async function readSmall(file: string, bytesMax: number): Promise<string> {
  return (await readRegular(file, bytesMax)).toString("utf8");
}

export async function readRegular(file: string, bytesMax: number): Promise<Buffer> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const handle = await open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > bytesMax) throw new Error(`${file} is no small file`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(stat.size), 0, stat.size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function absentAs<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return value;
    throw error;
  };
}

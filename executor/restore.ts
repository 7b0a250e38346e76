import { lstat, lutimes, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import type { Resume } from "../convex/protocol/checkpoint.js";
import {
  moveTo,
  projectFolder,
  type TranscriptLine,
  unpackLines,
  untilInterruption,
} from "./checkpointTranscript.js";
import type { TreeHeader } from "./checkpointTree.js";
import { isObjectId, isRefName } from "./cloneRefs.js";
import { gitEnvironment } from "./git.js";
import { type CommandResult, runCommand } from "./runCommand.js";
import type { GitTools } from "./changes.js";
import { download } from "./transfer.js";

/** What a restore brought back, for the checkpoints to come. */
export type Restored = { lines: readonly TranscriptLine[]; tree: TreeHeader; parts: number };

const STEP_MS_MAX = 5 * 60_000;
const LIST_CHARS_MAX = 32 * 1024 * 1024;
/** Older than any transcript: the CLI must not take the restored files for changed behind its back. */
const LONG_AGO = new Date(Date.UTC(2001, 0, 1));

/** Relative, and through neither `..` nor `.git`. */
const PLAIN_PATH = /^(?!.*(?:^|\/)(?:\.{0,2}|\.git)(?:\/|$))[^\0]+$/i;

const id = z.string().check(z.refine(isObjectId));
const treeHeader = z.object({
  version: z.literal(1),
  work: id,
  index: id,
  refs: z.object({
    head: z.optional(id),
    branch: z.optional(z.string().check(z.refine(isRefName))),
    refs: z.record(z.string().check(z.refine(isRefName)), id),
  }),
  emptyFolders: z.array(z.string().check(z.regex(PLAIN_PATH))),
  leftOut: z.number(),
});

/**
 * Puts a fresh clone of the checkpoint's commit, in which nothing has run yet, and an empty
 * configuration folder of the CLI into the state of the checkpoint. Throws with one sentence on what
 * is wrong with it; the clone must then be made anew.
 */
export async function restore(
  resume: Resume,
  place: { repo: string; config: string; tools: GitTools },
): Promise<Restored> {
  const { repo, config, tools } = place;
  // Each part is a gzip stream or a piece of one; put together they are one file to gunzip.
  const packed = unpackLines(Buffer.concat(await Promise.all(resume.transcript.map(download))));
  const tree = Buffer.concat(await Promise.all(resume.tree.map(download)));
  const header = await restoreTree(tree, repo, tools);
  const moved = moveTo(packed, path.dirname(resume.cwd), path.dirname(repo));
  // Only a turn that was cut off is taken back to where it goes on by itself.
  const lines = resume.goOn.kind === "turn" ? untilInterruption(moved) : moved;
  await writeTranscript(lines, projectFolder(config, repo));
  // Lines that were taken back, and those of another place, are not what the deployment keeps.
  const isSame = lines.length === packed.length && resume.cwd === repo;
  return { lines, tree: header, parts: isSame ? resume.transcript.length : Infinity };
}

async function writeTranscript(lines: readonly TranscriptLine[], folder: string): Promise<void> {
  const files = new Map<string, string[]>();
  for (const { file, text } of lines) files.set(file, [...(files.get(file) ?? []), `${text}\n`]);
  for (const [file, texts] of files) {
    const target = path.join(folder, file);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    await writeFile(target, texts.join(""), { mode: 0o600 });
  }
}

async function restoreTree(packed: Buffer, repo: string, tools: GitTools): Promise<TreeHeader> {
  const end = packed.indexOf("\n");
  const parsed = treeHeader.safeParse(JSON.parse(packed.subarray(0, end).toString("utf8")));
  if (!parsed.success) throw new Error("the tree's description is not one");
  const { work, index, refs, emptyFolders, leftOut } = parsed.data;
  const git = gitIn(repo, tools);
  await git(["index-pack", "--stdin", "--fix-thin", "--strict"], packed.subarray(end + 1));
  await git(["read-tree", "--reset", "-u", work]);
  const updates = Object.entries(refs.refs).map(([name, to]) => `update ${name} ${to}\n`);
  if (updates.length > 0) await git(["update-ref", "--stdin"], updates.join(""));
  if (refs.branch !== undefined) await git(["symbolic-ref", "HEAD", refs.branch]);
  else if (refs.head !== undefined) await git(["update-ref", "--no-deref", "HEAD", refs.head]);
  const files = (await git(["ls-files", "-z"])).stdout.split("\0").filter((name) => name !== "");
  await git(["read-tree", "--reset", index]);
  for (const folder of emptyFolders) await makeFolder(repo, folder);
  for (const file of files) {
    // A submodule's folder is listed and may be absent.
    await lutimes(path.join(repo, file), LONG_AGO, LONG_AGO).catch(() => undefined);
  }
  // Ends with 1 where files differ from the index, which is as it should be.
  await git(["update-index", "-q", "--refresh"], undefined, [0, 1]);
  return {
    version: 1,
    work,
    index,
    ...{ emptyFolders, leftOut },
    refs: { head: refs.head, branch: refs.branch, refs: refs.refs },
  };
}

/** Makes a folder without going through a link that the tree may hold. */
async function makeFolder(repo: string, folder: string): Promise<void> {
  let at = repo;
  for (const name of folder.split("/")) {
    at = path.join(at, name);
    const stat = await lstat(at).catch(() => undefined);
    if (stat === undefined) await mkdir(at);
    else if (!stat.isDirectory()) return;
  }
}

type CloneGit = (
  args: string[],
  stdin?: string | Buffer,
  codes?: readonly number[],
) => Promise<CommandResult>;

/** Git in a clone that is still all our own. */
function gitIn(repo: string, tools: GitTools): CloneGit {
  const env = gitEnvironment({ ...tools, protocols: "none", extra: tools.marker });
  return async (args, stdin, codes = [0]) => {
    const command = { file: "git", args, cwd: repo, env };
    const limits = { timeoutMs: STEP_MS_MAX, stdoutMax: LIST_CHARS_MAX };
    const result = await runCommand(
      { ...command, ...limits, ...(stdin === undefined ? {} : { stdin }) },
      tools,
    );
    if (result.ending === "exited" && codes.includes(result.code ?? -1)) return result;
    throw new Error(
      `git ${args[0]} refused it (${result.code ?? result.ending}): ${result.stderr}`,
    );
  };
}

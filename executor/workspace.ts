import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import type { Clock } from "./clock.js";
import type { Logger } from "./logger.js";
import { isAlive, owner, thisProcess } from "./owner.js";
import { sweepProcesses } from "./processTree.js";

/** The folders of one attempt. Only `repo` is meant to be changed by the run. */
export type Workspace = Readonly<{
  root: string;
  repo: string;
  home: string;
  config: string;
  tmp: string;
  /** Outside the clone: what changes are compared with. */
  gitFolder: string;
  /** Value of the variable that all processes of the attempt carry. */
  marker: string;
}>;

const PREFIX = "job-";
const OWNER_FILE = "owner.json";
/** Left-over folders one sweep looks at; the rest waits for the next start. */
const SWEEP_MAX = 1_000;
const REMOVE_TRIES = 3;

/** Who may remove a folder: its process, or anyone once that process is gone. */
const workspaceOwner = z.extend(owner, { marker: z.string() });

/**
 * Makes the folders of an attempt, for their owner alone. The path is the same for all attempts at a job
 * wherever TEMP_DIR is the same: a resumed run finds its files where its transcript says they are. Where
 * a living process has that folder, the attempt gets another one.
 */
export async function createWorkspace(options: {
  tempDir: string;
  jobId: string;
  attempt: number;
  clock: Clock;
}): Promise<Workspace> {
  const unique = randomBytes(8).toString("hex");
  const marker = `${options.jobId}:${options.attempt}:${unique}`;
  await mkdir(options.tempDir, { recursive: true, mode: 0o700 });
  const root = await makeRoot(path.join(options.tempDir, `${PREFIX}${options.jobId}`), options);
  const content: z.output<typeof workspaceOwner> = { ...(await thisProcess()), marker };
  await writeFile(path.join(root, OWNER_FILE), JSON.stringify(content), { mode: 0o600 });
  const at = (name: string): string => path.join(root, name);
  const folders = { home: at("home"), config: at("config"), tmp: at("tmp") };
  await Promise.all(Object.values(folders).map((folder) => mkdir(folder, { mode: 0o700 })));
  return { root, marker, ...folders, repo: at("repo"), gitFolder: at("baseline.git") };
}

async function makeRoot(fixed: string, { clock }: { clock: Clock }): Promise<string> {
  const make = (root: string): Promise<boolean> =>
    mkdir(root, { mode: 0o700 }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
        throw error;
      },
    );
  if (await make(fixed)) return fixed;
  const left = await readOwner(fixed);
  if (left !== undefined && !(await isAlive(left))) {
    await sweepProcesses(left.marker, clock);
    await removeWorkspace(fixed);
    if (await make(fixed)) return fixed;
  }
  const other = `${fixed}-${randomBytes(8).toString("hex")}`;
  await mkdir(other, { mode: 0o700 });
  return other;
}

/** Removes a workspace, also where the run took away its own permissions. */
export async function removeWorkspace(root: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await rm(root, { recursive: true, force: true, maxRetries: 2 });
      return;
    } catch (error) {
      if (tries === REMOVE_TRIES) throw error;
      await openFolders(root);
    }
  }
}

/** Ends processes and removes folders of attempts whose executor died without cleaning up. */
export async function sweepLeftovers(
  tempDir: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<number> {
  const names = await readdir(tempDir).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  let removed = 0;
  for (const name of names.filter((n) => n.startsWith(PREFIX)).slice(0, SWEEP_MAX)) {
    const root = path.join(tempDir, name);
    const left = await readOwner(root);
    // Without our mark a folder is not ours, whatever its name.
    if (left === undefined || (await isAlive(left))) continue;
    const { killed } = await sweepProcesses(left.marker, clock);
    await removeWorkspace(root);
    removed += 1;
    logger.info("leftoverRemoved", { folder: root, killed });
  }
  return removed;
}

async function readOwner(root: string): Promise<z.output<typeof workspaceOwner> | undefined> {
  try {
    const text = await readFile(path.join(root, OWNER_FILE), "utf8");
    return workspaceOwner.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) {
    if (entry.isDirectory()) await openFolders(path.join(folder, entry.name));
  }
}

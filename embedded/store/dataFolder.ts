/**
 * Owns the data folder: creates it and makes sure that one process at a time uses it. The lock is
 * a file naming its owner by pid and start time; the pid alone could have been given to another
 * process since the owner died.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const LOCK_FILE = "lock";
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** A dead owner's lock is removed once, then the lock must be ours or somebody else's. */
const LOCK_ATTEMPTS = 3;

/** The folder cannot be used; the message is one sentence for the person who started us. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

export type FolderLock = { release(): void };
type Owner = { pid: number; startTime: string | null };

export function lockDataFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const path = join(folder, LOCK_FILE);
  const owner: Owner = { pid: process.pid, startTime: startTimeOf(process.pid) };
  for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt += 1) {
    if (tryCreate(path, JSON.stringify(owner))) {
      return {
        release: () => {
          rmSync(path, { force: true });
        },
      };
    }
    const holder = readOwner(path);
    if (holder !== null && isAlive(holder)) {
      throw new DataFolderError(
        `The data folder ${folder} is in use by process ${holder.pid}: stop that process, or choose another folder.`,
      );
    }
    rmSync(path, { force: true });
  }
  throw new DataFolderError(
    `The data folder ${folder} could not be locked: another process is starting on it; choose another folder or try again.`,
  );
}

/** The pid of the living process that owns the folder, or null. */
export function lockHolder(folder: string): number | null {
  const holder = readOwner(join(folder, LOCK_FILE));
  return holder !== null && isAlive(holder) ? holder.pid : null;
}

function tryCreate(path: string, content: string): boolean {
  try {
    const file = openSync(path, "wx", FILE_MODE);
    writeSync(file, content);
    closeSync(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Null when the file is gone or torn: its writer died between creating and filling it. */
function readOwner(path: string): Owner | null {
  try {
    const owner: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof owner !== "object" || owner === null || !("pid" in owner)) return null;
    if (typeof owner.pid !== "number") return null;
    const startTime = "startTime" in owner ? owner.startTime : null;
    return { pid: owner.pid, startTime: typeof startTime === "string" ? startTime : null };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const startTime = startTimeOf(owner.pid);
  return owner.startTime === null || startTime === null || owner.startTime === startTime;
}

/** Start time in clock ticks since boot (field 22 of stat); null where there is no /proc. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in parentheses and may itself hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}

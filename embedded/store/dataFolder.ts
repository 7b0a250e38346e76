/**
 * Owns the data folder: creates it and makes sure that one process at a time uses it. What counts
 * is a lock of the operating system on `lock.sqlite`, which ends with its owner however that ends
 * and cannot be held twice; the file is never removed, since a lock on a removed file shuts nobody
 * out. The file `lock` only names the owner, for the message.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";

/** Stays in the folder when its owner has gone. */
export const LOCK_FILE = "lock.sqlite";
const OWNER_FILE = "lock";
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
/** How long an owner-to-be waits for one that only looks who the owner is. */
const BUSY_MS_MAX = 200;

/** The folder cannot be used; the message is one sentence for the person who started us. */
export class DataFolderError extends Error {
  override readonly name = "DataFolderError";
}

export type FolderLock = { release(): void };

/** Throws DataFolderError when another process has it, or when the file system refuses. */
export function lockDataFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const held = holdLock(folder);
  const owner = join(folder, OWNER_FILE);
  try {
    // Whole or not at all: whoever is refused reads it at any moment.
    const written = `${owner}.${process.pid}`;
    writeFileSync(written, JSON.stringify({ pid: process.pid }), { mode: FILE_MODE });
    renameSync(written, owner);
  } catch (error) {
    held.close();
    throw error;
  }
  return {
    release: () => {
      rmSync(owner, { force: true });
      held.close();
    },
  };
}

/** The pid of the living process that owns the folder, or null. */
export function lockHolder(folder: string): number | null {
  if (!existsSync(join(folder, LOCK_FILE))) return null;
  const db = new Database(join(folder, LOCK_FILE), { readonly: true, timeout: 0 });
  try {
    db.prepare("SELECT 1 FROM sqlite_master").get();
    return null;
  } catch (error) {
    if (!isBusy(error)) throw unusable(folder, error);
    return ownerOf(folder);
  } finally {
    db.close();
  }
}

function holdLock(folder: string): Database.Database {
  const db = new Database(join(folder, LOCK_FILE), { timeout: BUSY_MS_MAX });
  try {
    // Nothing is ever written: no journal file beside it either.
    db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return db;
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw unusable(folder, error);
    const pid = ownerOf(folder);
    const who = pid === null ? "another process" : `process ${pid}`;
    throw new DataFolderError(
      `The data folder ${folder} is in use by ${who}: stop that process, or choose another folder.`,
    );
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "SQLITE_BUSY";

/** Null while it has not written its name yet, or has just removed it. */
function ownerOf(folder: string): number | null {
  try {
    const owner: unknown = JSON.parse(readFileSync(join(folder, OWNER_FILE), "utf8"));
    const isOwner = typeof owner === "object" && owner !== null && "pid" in owner;
    return isOwner && typeof owner.pid === "number" ? owner.pid : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** What the database said, as one sentence with a way out. */
export function unusable(folder: string, error: unknown): DataFolderError {
  if (error instanceof DataFolderError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new DataFolderError(
    `The data folder ${folder} cannot be opened (${reason}): free the disk, fix the folder's rights, or restore a backup.`,
    { cause: error },
  );
}

/** `restore FILE --data DIR`: a new folder from a backup. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { DATABASE_FILE } from "../store/fileStore.js";
import { LOCK_FILE, lockDataFolder } from "../store/dataFolder.js";
import { readFormat, refuseNewer } from "../store/format.js";
import { takeFiles } from "./backupFiles.js";
import { type Command, CommandError, readArguments, readFolder } from "./options.js";

const FOLDER_MODE = 0o700;

export const restore: Command = async ({ argv, say }) => {
  const { values, positionals } = readArguments(argv, { data: { type: "string" } }, ["FILE"]);
  const folder = readFolder(values.data);
  const [file = ""] = positionals;
  await Promise.resolve();
  checkBackup(file);
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  if (readdirSync(folder).some((name) => name !== LOCK_FILE)) {
    throw new CommandError(
      `${folder} is not empty: restore into a new folder, and put it in the old one's place when it is right.`,
    );
  }
  const lock = lockDataFolder(folder);
  const target = join(folder, DATABASE_FILE);
  const partial = `${target}.partial`;
  try {
    copyFileSync(file, partial);
    const db = new Database(partial);
    try {
      takeFiles(db, folder);
    } finally {
      db.close();
    }
    // Last, so that a folder with a data file is a whole one.
    renameSync(partial, target);
  } finally {
    rmSync(partial, { force: true });
    lock.release();
  }
  say(`restored ${file} to ${folder}`);
};

/** Throws CommandError unless it is a whole backup that this version can read. */
function checkBackup(file: string): void {
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`);
  const db = new Database(file, { readonly: true });
  try {
    refuseNewer(readFormat(db), file);
    const isBackup =
      db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'files'").get() !== undefined;
    if (!isBackup)
      throw new CommandError(`${file} is not a backup: make one with the command backup.`);
    // The pragma answers one row, "ok" for a sound file.
    const [row] = db.prepare("PRAGMA quick_check(1)").all() as { quick_check: string }[];
    if (row?.quick_check !== "ok") {
      throw new CommandError(`${file} is damaged (${row?.quick_check ?? ""}): use another backup.`);
    }
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    throw new CommandError(`${file} is not a backup, or a damaged one (${error.message}).`);
  } finally {
    db.close();
  }
}

/** `compact --data DIR`: gives space that deleted documents left back to the disk. */
import { statSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { lockDataFolder } from "../store/dataFolder.js";
import { DATABASE_FILE } from "../store/fileStore.js";
import { openForReading } from "./dataFile.js";
import { type Command, readArguments, readFolder } from "./options.js";

/** The backend must be stopped: the file is written anew as a whole. */
export const compact: Command = async ({ argv, say }) => {
  const folder = readFolder(readArguments(argv, { data: { type: "string" } }).values.data);
  await Promise.resolve();
  openForReading(folder).close();
  const lock = lockDataFolder(folder);
  const path = join(folder, DATABASE_FILE);
  const before = statSync(path).size;
  try {
    const db = new Database(path);
    try {
      db.exec("VACUUM");
      db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
    } finally {
      db.close();
    }
  } finally {
    lock.release();
  }
  say(`compacted ${path}: ${String(before)} bytes before, ${String(statSync(path).size)} after`);
};

/** Looks at a data file from outside the process that owns it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { DATABASE_FILE } from "../store/fileStore.js";
import { readFormat, refuseNewer } from "../store/format.js";
import { CommandError } from "./options.js";

/** Opens the folder's data file for reading, beside its owner. Throws CommandError, DataFolderError. */
export function openForReading(folder: string): Database.Database {
  const path = join(folder, DATABASE_FILE);
  if (!existsSync(path)) {
    throw new CommandError(
      `There is no data in ${folder}: name the folder that a backend was started with.`,
    );
  }
  const db = new Database(path, { readonly: true });
  try {
    refuseNewer(readFormat(db), path);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

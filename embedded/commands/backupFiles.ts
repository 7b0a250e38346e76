/** Stored files within a backup: table `files`, the content of each in parts. */
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type Database from "libsql";
import { FILES_FOLDER } from "../files/folderBlobs.js";

/** A file of the snapshot is gone already: its owner deleted it meanwhile. */
export class FileVanished extends Error {
  override readonly name = "FileVanished";
}

const PART_BYTES = 4 * 1024 * 1024;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const KEY = /^[0-9a-f-]{36}$/;

/** Copies the files that the snapshot in `copy` knows. Throws FileVanished. */
export function addFiles(copy: Database.Database, folder: string): void {
  copy.exec(
    "CREATE TABLE files (name TEXT, part INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (name, part))",
  );
  const put = copy.prepare("INSERT INTO files (name, part, bytes) VALUES (?, ?, ?)");
  copy.exec("BEGIN");
  for (const name of keysIn(copy)) {
    const file = openStored(join(folder, FILES_FOLDER, name));
    try {
      const bytes = Buffer.alloc(PART_BYTES);
      for (let part = 0; ; part += 1) {
        const length = readSync(file, bytes);
        // An empty file has one empty part.
        if (length > 0 || part === 0) put.run(name, part, bytes.subarray(0, length));
        if (length === 0) break;
      }
    } finally {
      closeSync(file);
    }
  }
  copy.exec("COMMIT");
}

function openStored(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    throw new FileVanished(`${path} was deleted while it was being backed up.`);
  }
}

/** The keys in the rows of `_storage`. */
function keysIn(copy: Database.Database): string[] {
  // Written by the catalog and by files/, in these forms.
  const table = copy
    .prepare("SELECT value FROM meta WHERE key = 'table/' || char(0) || '_storage'")
    .get() as { value: string } | undefined;
  if (table === undefined) return [];
  const { space } = JSON.parse(table.value) as { space: number };
  const rows = copy.prepare("SELECT value FROM docs WHERE space = ?").all(space) as {
    value: string;
  }[];
  return rows.map(({ value }) => (JSON.parse(value) as { key: string }).key);
}

/** Writes the files into a new folder, synced, and removes them from the data file. */
export function takeFiles(copy: Database.Database, folder: string): void {
  const target = join(folder, FILES_FOLDER);
  mkdirSync(target, { recursive: true, mode: FOLDER_MODE });
  const names = copy.prepare("SELECT DISTINCT name FROM files").all() as { name: string }[];
  const part = copy.prepare("SELECT bytes FROM files WHERE name = ? AND part = ?");
  for (const { name } of names) {
    if (!KEY.test(name)) throw new Error(`The backup holds a file of the strange name "${name}".`);
    const file = openSync(join(target, name), "wx", FILE_MODE);
    try {
      for (let at = 0; ; at += 1) {
        // The statement selects exactly this column.
        const row = part.get(name, at) as { bytes: Uint8Array } | undefined;
        if (row === undefined) break;
        writeSync(file, row.bytes);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
  copy.exec("DROP TABLE files");
}

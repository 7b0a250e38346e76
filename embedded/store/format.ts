/**
 * The version of the data file's layout. An older file is brought forward step by step when it is
 * opened, each step in a transaction of its own; a newer one is refused, never rewritten.
 */
import type Database from "libsql";
import { DataFolderError } from "./dataFolder.js";

/** Format N → what makes it format N + 1. Steps are never changed once released. */
const STEPS: ReadonlyMap<number, string> = new Map([
  [
    0,
    `CREATE TABLE docs (
       space INTEGER NOT NULL, key BLOB NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, key));
     CREATE TABLE idx (
       space INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
     ) WITHOUT ROWID;`,
  ],
  // Counting the documents of a table no longer reads them.
  [
    1,
    `CREATE TABLE counts (space INTEGER PRIMARY KEY, n INTEGER NOT NULL);
     INSERT INTO counts (space, n) SELECT space, count(*) FROM docs GROUP BY space;`,
  ],
]);
export const FORMAT = Math.max(...STEPS.keys()) + 1;

/** Brings the file to the present format; newer ones must have been refused. */
export function prepareFormat(db: Database.Database): void {
  for (let from = readFormat(db); from < FORMAT; from += 1) {
    db.exec(`BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      ${STEPS.get(from) ?? ""}
      INSERT OR REPLACE INTO meta (key, value) VALUES ('format', '${String(from + 1)}');
      COMMIT;`);
  }
}

/** 0 for a file that holds nothing yet. */
export function readFormat(db: Database.Database): number {
  const hasMeta = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get() !== undefined;
  if (!hasMeta) return 0;
  // The column is declared TEXT NOT NULL.
  const row = db.prepare("SELECT value FROM meta WHERE key = 'format'").get() as
    { value: string } | undefined;
  return Number(row?.value ?? "0");
}

/** Throws DataFolderError when `format` is above what this version knows. */
export function refuseNewer(format: number, where: string): void {
  if (format <= FORMAT) return;
  throw new DataFolderError(
    `${where} was written by a newer version (format ${format}, this one knows ${FORMAT}): start that version, or choose another folder.`,
  );
}

/** Stored files within a backup: table `files`, content in parts. */
import type Database from "libsql";

/** A file of the snapshot is gone already. */
export class FileVanished extends Error {
  override readonly name = "FileVanished";
}

export function addFiles(copy: Database.Database, _folder: string): void {
  copy.exec("CREATE TABLE files (name TEXT, part INTEGER, bytes BLOB, PRIMARY KEY (name, part))");
}

export function takeFiles(copy: Database.Database, _folder: string): void {
  copy.exec("DROP TABLE files");
}

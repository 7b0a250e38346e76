/**
 * `backup FILE --data DIR`: one file with everything as of one moment, made while the owner of the
 * folder goes on. It is a SQLite file of the same layout, with stored files in a table of their own.
 */
import { chmodSync, existsSync, renameSync, rmSync, statSync } from "node:fs";
import Database from "libsql";
import { addFiles, FileVanished } from "./backupFiles.js";
import { openForReading } from "./dataFile.js";
import { type Command, CommandError, readArguments, readFolder } from "./options.js";

/** A file that was deleted between the snapshot and its copy calls for a new snapshot. */
const ATTEMPTS_MAX = 5;
const FILE_MODE = 0o600;

export const backup: Command = async ({ argv, say }) => {
  const { values, positionals } = readArguments(argv, { data: { type: "string" } }, ["FILE"]);
  const folder = readFolder(values.data);
  const [file = ""] = positionals;
  if (existsSync(file)) {
    throw new CommandError(`${file} exists already: choose another name, or remove it first.`);
  }
  const partial = `${file}.partial`;
  for (let attempt = 1; ; attempt += 1) {
    rmSync(partial, { force: true });
    try {
      await Promise.resolve();
      copyEverything(folder, partial);
      break;
    } catch (error) {
      rmSync(partial, { force: true });
      if (!(error instanceof FileVanished) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
  // Only a whole backup ever has the name that was asked for.
  renameSync(partial, file);
  say(`backed up ${folder} to ${file}, ${String(statSync(file).size)} bytes`);
  say("the admin key is not in it: a restored folder gets a new one unless you copy it");
};

function copyEverything(folder: string, file: string): void {
  const source = openForReading(folder);
  try {
    // One statement, hence one snapshot; the owner's commits go on beside it.
    source.prepare("VACUUM INTO ?").run(file);
  } finally {
    source.close();
  }
  // Holds all data, and secrets of functions' environment.
  chmodSync(file, FILE_MODE);
  const copy = new Database(file);
  try {
    addFiles(copy, folder);
  } finally {
    copy.close();
  }
}

/** `status --data DIR`: who serves the folder, and how much is in it. Exit code 3 when nobody does. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type Database from "libsql";
import { FILES_FOLDER } from "../files/folderBlobs.js";
import { lockHolder } from "../store/dataFolder.js";
import { DATABASE_FILE } from "../store/fileStore.js";
import { FORMAT, readFormat } from "../store/format.js";
import { readAddress } from "./address.js";
import { openForReading } from "./dataFile.js";
import { type Command, readArguments, readFolder } from "./options.js";

/** As for service managers: the program is not running. */
const EXIT_NOT_RUNNING = 3;

export const status: Command = async ({ argv, say }) => {
  const options = { data: { type: "string" }, json: { type: "boolean", default: false } } as const;
  const { values } = readArguments(argv, options);
  await Promise.resolve();
  const found = look(readFolder(values.data));
  say(values.json ? JSON.stringify(found) : inWords(found));
  if (found.pid === null) process.exitCode = EXIT_NOT_RUNNING;
};

type Status = {
  folder: string;
  pid: number | null;
  url: string | null;
  format: number;
  /** Bytes of the data file and of its write-ahead log. */
  dataBytes: number;
  logBytes: number;
  files: number;
  tables: Record<string, number>;
};

function look(folder: string): Status {
  const db = openForReading(folder);
  try {
    const pid = lockHolder(folder);
    const path = join(folder, DATABASE_FILE);
    const size = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const filesFolder = join(folder, FILES_FOLDER);
    return {
      folder,
      pid,
      url: pid === null ? null : readAddress(folder),
      format: readFormat(db),
      dataBytes: size(path),
      logBytes: size(`${path}-wal`),
      files: existsSync(filesFolder) ? readdirSync(filesFolder).length : 0,
      tables: readFormat(db) === FORMAT ? tableCounts(db) : {},
    };
  } finally {
    db.close();
  }
}

function tableCounts(db: Database.Database): Record<string, number> {
  // Both columns are declared NOT NULL, of these types.
  const counts = db.prepare("SELECT space, n FROM counts").all() as { space: number; n: number }[];
  const bySpace = new Map(counts.map(({ space, n }) => [space, n]));
  const rows = db.prepare("SELECT value FROM meta WHERE key LIKE 'table/%'").all() as {
    value: string;
  }[];
  // Written by the catalog, in this form.
  const tables = rows.map(
    ({ value }) => JSON.parse(value) as { componentId: string; name: string; space: number },
  );
  return Object.fromEntries(
    tables
      .filter(({ name }) => !name.startsWith("_"))
      .map(({ componentId, name, space }) => [
        componentId === "" ? name : `${componentId}/${name}`,
        bySpace.get(space) ?? 0,
      ]),
  );
}

function inWords(found: Status): string {
  const running =
    found.pid === null
      ? "not running"
      : `running as process ${String(found.pid)}${found.url === null ? "" : ` on ${found.url}`}`;
  return [
    `${found.folder}: ${running}`,
    `data file ${String(found.dataBytes)} bytes, log ${String(found.logBytes)} bytes, format ${String(found.format)}, ${String(found.files)} stored files`,
    ...Object.entries(found.tables).map(([name, n]) => `  ${name}: ${String(n)} documents`),
  ].join("\n");
}

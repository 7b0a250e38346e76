/** Puts the files of a zip back: bytes first, then their rows, which become visible with the tables. */
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { z } from "zod";
import type { Table } from "../../engine/catalog.js";
import type { Document } from "../../engine/documents.js";
import type { Engine } from "../../engine/engine.js";
import { isEmpty, stageTable, type TakeOver } from "../../engine/staging.js";
import type { Files, NewFile } from "../../files/files.js";
import { tableNumberOf } from "../../values/ids.js";
import type { ImportMode } from "./importPlan.js";
import type { ImportEntry } from "./importSource.js";
import { ImportError } from "./lines.js";

export const STORAGE = "_storage";

/** A row of `_storage/documents.jsonl`. */
const rowForm = z.looseObject({
  _id: z.string(),
  _creationTime: z.number(),
  contentType: z.string().nullish(),
  /** Base64. */
  sha256: z.string().optional(),
});
export type FileRow = z.output<typeof rowForm> & { componentPath: string };

/** Throws ImportError. */
export function readFileRow(entry: ImportEntry & { kind: "document" }): FileRow {
  const parsed = rowForm.safeParse(entry.fields);
  if (parsed.success) return { ...parsed.data, componentPath: entry.componentPath };
  throw new ImportError(`Line ${entry.line} of _storage/documents.jsonl is malformed.`);
}

/** The number in the ids of the files; null without files. Throws ImportError when they differ. */
export function numberOfFiles(rows: Iterable<FileRow>): number | null {
  let number: number | null = null;
  for (const { _id } of rows) {
    const found = tableNumberOf(_id);
    if (found === null || (number !== null && found !== number)) {
      throw new ImportError(`"${_id}" in _storage/documents.jsonl is not the ID of a file.`);
    }
    number = found;
  }
  return number;
}

export type FileWriterOptions = {
  engine: Engine;
  files: Files;
  mode: ImportMode;
  importId: string;
  /** By id. */
  rows: ReadonlyMap<string, FileRow>;
};
type Incoming = { row: FileRow; bytes: PassThrough; written: Promise<NewFile> };

export class FileWriter {
  readonly #options: FileWriterOptions;
  readonly #target: Table;
  readonly #staged: Table;
  #incoming: Incoming | null = null;
  readonly #keys: string[] = [];

  /** Throws ImportError when there are files that may not be replaced. */
  constructor(options: FileWriterOptions) {
    const { engine, rows, importId, mode } = options;
    this.#options = options;
    this.#target = engine.catalog.table({ componentId: "", name: STORAGE });
    const number = numberOfFiles(rows.values()) ?? this.#target.number;
    const hasFiles = !isEmpty(engine.store, this.#target);
    if (hasFiles && mode === "requireEmpty") {
      throw new ImportError(
        "There are stored files already. Use --append to add to them, or --replace to replace them.",
      );
    }
    const isAdded = hasFiles && mode === "append";
    if (isAdded && number !== this.#target.number) {
      throw new ImportError(
        "The ids of the files carry another number than those here: use --replace, or import into an empty deployment.",
      );
    }
    this.#staged = isAdded
      ? this.#target
      : stageTable(engine.catalog, { target: this.#target, number, owner: importId });
  }

  get written(): number {
    return this.#keys.length;
  }

  get takeOver(): TakeOver[] {
    return this.#staged === this.#target ? [] : [{ target: this.#target, staged: this.#staged }];
  }

  /** Throws ImportError for a file without a row, or whose bytes are not those of its row. */
  async add({ id, chunk, isLast }: ImportEntry & { kind: "file" }): Promise<void> {
    this.#incoming ??= this.#open(id);
    const { bytes, written, row } = this.#incoming;
    if (!bytes.write(chunk)) await Promise.race([once(bytes, "drain"), written]);
    if (!isLast) return;
    this.#incoming = null;
    bytes.end();
    const file = await written;
    this.#keys.push(file.key);
    if (row.sha256 !== undefined && !isSameHash(row.sha256, file.sha256)) {
      throw new ImportError(
        `The file ${id} is damaged: its content does not have the recorded hash.`,
      );
    }
    const document: Document = {
      _id: row._id,
      _creationTime: row._creationTime,
      componentPath: file.componentPath,
      key: file.key,
      sha256: file.sha256.toString("hex"),
      size: file.size,
      ...(file.contentType === null ? {} : { contentType: file.contentType }),
    };
    await this.#options.engine.transact((tx) => {
      tx.restoreInto(this.#staged, document);
    });
  }

  /** After the end, good or bad: bytes that came for nothing are swept as any without a row. */
  close(): void {
    this.#incoming?.bytes.destroy();
    this.#incoming?.written.catch(() => undefined);
    this.#options.files.release(this.#keys);
  }

  #open(id: string): Incoming {
    const row = this.#options.rows.get(id);
    if (row === undefined) {
      throw new ImportError(`The file ${id} has no line in _storage/documents.jsonl.`);
    }
    const bytes = new PassThrough();
    const { componentPath, contentType = null } = row;
    const written = this.#options.files.write(bytes, {
      componentPath,
      contentType,
      isKept: true,
    });
    return { row, bytes, written };
  }
}

const isSameHash = (given: string, hash: Buffer): boolean =>
  given === hash.toString("base64") || given === hash.toString("hex");

/** Reads an uploaded file piece by piece and says what is in it. */
import { closeSync, openSync, readSync } from "node:fs";
import { type JSONValue } from "convex/values";
import { Unzip, UnzipInflate, UnzipPassThrough } from "fflate";
import { z } from "zod";
import { transferLimits } from "./limits.js";
import { cellValue, CsvCutter, ImportError, LineCutter } from "./lines.js";

export const formatForm = z.enum(["csv", "jsonLines", "jsonArray", "zip"]);
export type ImportSource = {
  path: string;
  format: z.output<typeof formatForm>;
  /** Required by all formats but zip. */
  tableName: string | null;
  /** Where the root of the file goes. */
  componentPath: string;
};
type Place = { componentPath: string; table: string };
export type ImportEntry =
  | ({ kind: "document"; line: number; fields: Record<string, JSONValue> } & Place)
  /** A table by name, with the number that ids of its documents carry. */
  | ({ kind: "table"; number: number } & Place)
  | { kind: "file"; componentPath: string; id: string; chunk: Uint8Array; isLast: boolean };

/** Everything in the file, in its order. Throws ImportError. */
export function* readImport(source: ImportSource): Generator<ImportEntry> {
  if (source.format === "zip") {
    yield* readZip(source);
    return;
  }
  const { componentPath, tableName, format } = source;
  if (tableName === null) throw new ImportError(`Format ${format} needs the name of a table.`);
  const toEntries = documentReader(format, { componentPath, table: tableName });
  for (const { bytes, isLast } of pieces(source.path)) yield* toEntries(bytes, isLast);
}

/** Lets others take their turn now and then: a file is read at once otherwise. */
export async function* inTurns<T>(all: Iterable<T>): AsyncGenerator<T> {
  let turnEndsAt = performance.now() + transferLimits.turnMs;
  for (const one of all) {
    yield one;
    if (performance.now() < turnEndsAt) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnEndsAt = performance.now() + transferLimits.turnMs;
  }
}

type ToEntries = (bytes: Uint8Array, isLast: boolean) => ImportEntry[];

function documentReader(format: Exclude<ImportSource["format"], "zip">, place: Place): ToEntries {
  switch (format) {
    case "csv":
      return csvReader(place);
    case "jsonLines":
      return lineReader(place);
    case "jsonArray":
      return arrayReader(place);
  }
}

function lineReader(place: Place): ToEntries {
  const cutter = new LineCutter();
  let line = 0;
  return (bytes, isLast) =>
    cutter.push(bytes, isLast).map((text) => {
      line += 1;
      return { kind: "document", ...place, line, fields: objectOf(parse(text, line), line) };
    });
}

function csvReader(place: Place): ToEntries {
  const cutter = new CsvCutter();
  let names: string[] | null = null;
  let line = 0;
  return (bytes, isLast) =>
    cutter.push(bytes, isLast).flatMap((row): ImportEntry[] => {
      if (names === null) {
        names = row.map(({ text }) => text.trim());
        return [];
      }
      line += 1;
      if (row.length !== names.length) {
        throw new ImportError(
          `Row ${line} has ${row.length} cells, the header ${names.length}: every row needs one for each column.`,
        );
      }
      const cells = row.map((cell, at) => [names?.[at] ?? "", cellValue(cell)] as const);
      return [{ kind: "document", ...place, line, fields: Object.fromEntries(cells) }];
    });
}

function arrayReader(place: Place): ToEntries {
  const parts: Uint8Array[] = [];
  let length = 0;
  return (bytes, isLast) => {
    parts.push(bytes);
    length += bytes.length;
    if (length > transferLimits.jsonArrayBytesMax) {
      throw new ImportError(
        `A JSON array may have ${transferLimits.jsonArrayBytesMax} bytes; use JSON lines (.jsonl) for more.`,
      );
    }
    if (!isLast) return [];
    const whole = parse(Buffer.concat(parts).toString("utf8"), 1);
    if (!Array.isArray(whole)) throw new ImportError("The file does not hold a JSON array.");
    return whole.map((value: JSONValue, at) => ({
      kind: "document",
      ...place,
      line: at + 1,
      fields: objectOf(value, at + 1),
    }));
  };
}

function parse(text: string, line: number): JSONValue {
  try {
    return JSON.parse(text) as JSONValue;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ImportError(`Line ${line} is not JSON: ${error.message}`);
  }
}

function objectOf(value: JSONValue, line: number): Record<string, JSONValue> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    // Fields that JSON.parse made are all there.
    return value;
  }
  throw new ImportError(`Line ${line} is not an object: documents are objects.`);
}

/** The file cut into pieces; at least one, the last one marked. */
function* pieces(path: string): Generator<{ bytes: Uint8Array; isLast: boolean }> {
  const file = openSync(path, "r");
  try {
    for (;;) {
      const bytes = Buffer.alloc(transferLimits.chunkBytes);
      const length = readSync(file, bytes);
      yield { bytes: bytes.subarray(0, length), isLast: length === 0 };
      if (length === 0) return;
    }
  } finally {
    closeSync(file);
  }
}

function* readZip(source: ImportSource): Generator<ImportEntry> {
  let found: ImportEntry[] = [];
  let failure: Error | null = null;
  let entries = 0;
  const unzip = new Unzip((file) => {
    entries += 1;
    const take = entryReader(file.name, source.componentPath);
    if (take === null) return;
    file.ondata = (error, bytes, isLast) => {
      if (error !== null) failure ??= new ImportError(`The zip file is damaged: ${error.message}`);
      else found.push(...take(bytes, isLast));
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  unzip.register(UnzipPassThrough);
  for (const { bytes, isLast } of pieces(source.path)) {
    try {
      unzip.push(bytes, isLast);
    } catch (error) {
      if (error instanceof ImportError) throw error;
      throw new ImportError(
        `The zip file is damaged: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    // Assigned in a callback, which narrowing does not see.
    if ((failure as Error | null) !== null) throw failure as unknown as Error;
    yield* found;
    found = [];
  }
  if (entries === 0) throw new ImportError("The file is not a zip file, or an empty one.");
}

const COMPONENT = /^(?:.*\/)?_components\/([^/]+)\/$/;
const DOCUMENTS = /^(.*\/)?([^/]+)\/documents\.jsonl$/;
const SCHEMA = /^(.*\/)?([^/]+)\/generated_schema\.jsonl$/;
const STORED_FILE = /^(.*\/)?_storage\/([^/.]+)(?:\.[^/]+)?$/;
const TABLES = "_tables";
/** Values are written without loss. Older exports describe the documents instead. */
const LOSSLESS = '"uniform"';
/** In such a description: what those exports wrote as text or as numbers. */
const NEEDS_GUESS = /int64|bytes|float|nan|inf/i;

/** What an entry of the zip is by its name; null for what is of no interest. */
function entryReader(name: string, base: string): ToEntries | null {
  const documents = DOCUMENTS.exec(name);
  if (documents !== null) {
    const place = {
      componentPath: componentOf(documents[1] ?? "", base),
      table: documents[2] ?? "",
    };
    if (place.table === TABLES) return tableReader(place.componentPath);
    return place.table.startsWith("_") && place.table !== "_storage" ? null : lineReader(place);
  }
  const schema = SCHEMA.exec(name);
  if (schema !== null) return schemaReader(schema[2] ?? "");
  const stored = STORED_FILE.exec(name);
  if (stored === null) return null;
  const componentPath = componentOf(stored[1] ?? "", base);
  return (chunk, isLast) => [{ kind: "file", componentPath, id: stored[2] ?? "", chunk, isLast }];
}

/** `_components/a/_components/b/` below `base` → `base/a/b`. */
function componentOf(prefix: string, base: string): string {
  const names: string[] = [];
  let rest = prefix;
  for (let match = COMPONENT.exec(rest); match !== null; match = COMPONENT.exec(rest)) {
    names.unshift(match[1] ?? "");
    rest = rest.slice(0, rest.length - `_components/${match[1] ?? ""}/`.length);
  }
  return [base, ...names].filter((name) => name !== "").join("/");
}

const tableForm = z.object({ name: z.string(), id: z.number().int().positive() });

function tableReader(componentPath: string): ToEntries {
  const rows = lineReader({ componentPath, table: TABLES });
  return (bytes, isLast) =>
    rows(bytes, isLast).flatMap((row): ImportEntry[] => {
      const parsed = tableForm.safeParse(row.kind === "document" ? row.fields : null);
      if (!parsed.success) throw new ImportError("_tables/documents.jsonl is malformed.");
      const { name, id } = parsed.data;
      return [{ kind: "table", componentPath, table: name, number: id }];
    });
}

function schemaReader(table: string): ToEntries {
  const cutter = new LineCutter();
  return (bytes, isLast) => {
    for (const line of cutter.push(bytes, isLast)) {
      if (line.trim() === LOSSLESS || !NEEDS_GUESS.test(line)) continue;
      throw new ImportError(
        `Table "${table}" was exported by a Convex version whose files do not tell int64 and bytes from text; export it again with a newer one.`,
      );
    }
    return [];
  };
}

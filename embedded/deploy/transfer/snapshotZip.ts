/** Lays out one snapshot as the official tools expect it in a zip file. */
import { convexToJson } from "convex/values";
import type { Table } from "../../engine/catalog.js";
import type { RangeBound } from "../../index/range.js";
import type { Engine } from "../../engine/engine.js";
import type { Files, StoredFile } from "../../files/files.js";
import { transferLimits } from "./limits.js";
import type { ZipWriter } from "./zipWriter.js";

const README = `# Snapshot

- \`<table>/documents.jsonl\`: one document a line; int64, bytes and special floats as {"$integer"}, {"$bytes"}, {"$float"}.
- \`_tables/documents.jsonl\`: the number that document ids of each table carry.
- \`_storage/\`: stored files, by id.
- \`_components/<name>/\`: the same for a component.

Read it back with \`npx convex import <file>.zip\`.
`;
/** Says that values are written without loss. */
const LOSSLESS = '"uniform"';

export type Snapshot = {
  engine: Engine;
  /** Must be held. */
  ts: bigint;
  componentPaths: readonly string[];
  /** Null leaves files out. */
  files: Files | null;
  isStopped: () => boolean;
};

export async function writeSnapshot(zip: ZipWriter, snapshot: Snapshot): Promise<void> {
  const readme = zip.entry("README.md");
  readme.line(README);
  readme.end();
  for (const componentPath of snapshot.componentPaths) {
    await writeComponent(zip, snapshot, componentPath);
  }
}

async function writeComponent(
  zip: ZipWriter,
  snapshot: Snapshot,
  componentPath: string,
): Promise<void> {
  const { engine, files } = snapshot;
  const prefix = componentPath
    .split("/")
    .filter((name) => name !== "")
    .map((name) => `_components/${name}/`)
    .join("");
  const tables = engine.catalog.list(componentPath).filter(({ name }) => !name.startsWith("_"));
  const numbers = zip.entry(`${prefix}_tables/documents.jsonl`);
  for (const { name, number } of tables) numbers.line(JSON.stringify({ name, id: number }));
  numbers.end();
  for (const table of tables) {
    const schema = zip.entry(`${prefix}${table.name}/generated_schema.jsonl`);
    schema.line(LOSSLESS);
    schema.end();
    await writeTable(zip, `${prefix}${table.name}/documents.jsonl`, { ...snapshot, table });
  }
  if (files !== null) await writeFiles(zip, prefix, { ...snapshot, files, componentPath });
}

async function writeFiles(
  zip: ZipWriter,
  prefix: string,
  of: Snapshot & { files: Files; componentPath: string },
): Promise<void> {
  const stored = [...of.files.list(of.componentPath, of.ts)];
  if (stored.length === 0) return;
  const rows = zip.entry(`${prefix}_storage/documents.jsonl`);
  for (const file of stored) rows.line(JSON.stringify(fileRow(file)));
  rows.end();
  for (const { id, key } of stored) {
    const entry = zip.entry(`${prefix}_storage/${id}`);
    // Streams of bytes give buffers.
    for await (const chunk of of.files.blobs.read(key) as AsyncIterable<Buffer>) {
      assertGoingOn(of);
      entry.bytes(chunk);
    }
    entry.end();
  }
}

const fileRow = ({ id, creationTime, key, sha256, size, contentType }: StoredFile) => ({
  _id: id,
  _creationTime: creationTime,
  internalId: key,
  sha256: Buffer.from(sha256, "hex").toString("base64"),
  size,
  ...(contentType === null ? {} : { contentType }),
});

async function writeTable(
  zip: ZipWriter,
  name: string,
  of: Snapshot & { table: Table },
): Promise<void> {
  const { engine, ts, table } = of;
  const entry = zip.entry(name);
  let after: number | null = null;
  for (;;) {
    assertGoingOn(of);
    const tx = engine.begin({ ts });
    const range: RangeBound[] =
      after === null ? [] : [{ type: "Gt", fieldPath: "_creationTime", value: after }];
    let count = 0;
    try {
      for (const document of tx.scan(table, { index: "by_creation_time", range })) {
        // Whole groups of one creation time, so that "Gt" skips none.
        if (count >= transferLimits.batchDocuments && document._creationTime !== after) break;
        entry.line(JSON.stringify(convexToJson(document)));
        after = document._creationTime;
        count += 1;
      }
    } finally {
      tx.abort();
    }
    if (count < transferLimits.batchDocuments) break;
    // Others take their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  entry.end();
}

function assertGoingOn(snapshot: Snapshot): void {
  if (snapshot.isStopped()) throw new Error("The backend is stopping.");
}

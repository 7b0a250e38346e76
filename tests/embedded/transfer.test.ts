/** Exports and imports by the official CLI, against real processes. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { tableNumberOf } from "../../embedded/values/ids.js";
import { tempDir } from "../support/tempDir.js";
import {
  convexCli,
  httpClient,
  rows,
  startBackend,
  startDeployed,
  TestClient,
  type BackendProcess,
  type Ended,
} from "./wireSupport.js";

const folder = tempDir("transfer");
const fileOf = (name: string, content: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
};
/** In Convex's JSON: int64, bytes and special floats as objects. */
const EVERY_VALUE = [
  { kind: "null", value: null },
  { kind: "int64", value: { $integer: "//////////8=" } },
  { kind: "float", value: 1.5 },
  { kind: "not a number", value: { $float: "AAAAAAAA+H8=" } },
  { kind: "negative zero", value: { $float: "AAAAAAAAAIA=" } },
  { kind: "infinity", value: { $float: "AAAAAAAA8H8=" } },
  { kind: "boolean", value: true },
  { kind: "text", value: 'é😀 "quoted"\n\u0000 2028:\u2028' },
  { kind: "bytes", value: { $bytes: "AAECAw==" } },
  { kind: "array", value: [1, [{ $integer: "AQAAAAAAAAA=" }], "x"] },
  { kind: "object", value: { a: { b: [] }, "with space": {} } },
];
const toLines = (documents: readonly unknown[]): string =>
  documents.map((document) => `${JSON.stringify(document)}\n`).join("");

/** The entries of an exported zip as text. */
async function exported(backend: BackendProcess, name: string, ...args: string[]) {
  const file = path.join(folder, name);
  const ended = await convexCli(backend, ["export", "--path", file, ...args]);
  expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("Downloaded snapshot")]);
  const entries = Object.entries(unzipSync(readFileSync(file)));
  return {
    file,
    entries: Object.fromEntries(entries.map(([at, bytes]) => [at, strFromU8(bytes)])),
  };
}

const importInto = (backend: BackendProcess, ...args: string[]): Promise<Ended> =>
  convexCli(backend, ["import", "-y", ...args]);

describe("a round trip through a zip file", () => {
  let source: BackendProcess;
  let target: BackendProcess;
  beforeAll(async () => {
    [source, target] = await Promise.all([startDeployed(), startDeployed()]);
  });

  test("keeps every type of value, ids and creation times, files included", async () => {
    const values = fileOf("values.jsonl", toLines(EVERY_VALUE));
    expect((await importInto(source, "--table", "values", values)).code).toBe(0);
    await httpClient(source).mutation(rows.add, { tag: "kept", n: 7 });
    const stored = await convexCli(source, ["run", "files:roundTrip", '{"text":"kept in a file"}']);
    const { id } = JSON.parse(stored.stdout) as { id: string };
    const first = await exported(source, "first.zip", "--include-file-storage");
    // Tables of its own, so that numbers of tables and files differ from those in the zip.
    const strange = fileOf("strange.jsonl", toLines([{ a: 1 }]));
    expect((await importInto(target, "--table", "strange", strange)).code).toBe(0);
    expect(await importInto(target, "--replace-all", first.file)).toMatchObject({ code: 0 });
    const second = await exported(target, "second.zip", "--include-file-storage");

    expect(first.entries["values/documents.jsonl"]?.split("\n")).toHaveLength(
      EVERY_VALUE.length + 1,
    );
    for (const name of ["values/documents.jsonl", "rows/documents.jsonl", `_storage/${id}`]) {
      expect([name, second.entries[name]]).toEqual([name, first.entries[name]]);
    }
    expect(second.entries[`_storage/${id}`]).toBe("kept in a file");
    expect(second.entries["strange/documents.jsonl"]).toBe("");
    expect(await httpClient(target).query(rows.list, { tag: "kept" })).toMatchObject([{ n: 7 }]);
    const url = await convexCli(target, ["run", "files:url", JSON.stringify({ id })]);
    const answer = await fetch(JSON.parse(url.stdout) as string);
    expect([answer.headers.get("content-type"), await answer.text()]).toEqual([
      "text/plain",
      "kept in a file",
    ]);
  });

  test("ids made later, after a restart too, belong to the same table as imported ones", async () => {
    await target.end("SIGTERM");
    const again = await startBackend({ dataDir: target.dataDir });
    const http = httpClient(again);
    await http.mutation(rows.add, { tag: "kept", n: 8 });
    const kept = await http.query(rows.list, { tag: "kept" });
    expect(kept.map(({ n }) => n)).toEqual([7, 8]);
    const [imported, added] = kept.map(({ _id }) => tableNumberOf(_id));
    expect(added).toBe(imported);
  });
});

describe("zip files of others", () => {
  const zipOf = (name: string, entries: Record<string, string>): string => {
    const file = path.join(folder, name);
    const bytes = Object.entries(entries).map(([at, text]) => [at, strToU8(text)] as const);
    writeFileSync(file, zipSync(Object.fromEntries(bytes)));
    return file;
  };
  const plain = { "rows/documents.jsonl": '{"tag":"plain","n":1}\n{"tag":"plain","n":2}\n' };
  let backend: BackendProcess;
  beforeAll(async () => {
    backend = await startDeployed();
  });

  test.each([
    ["without a description of its tables", {}],
    ["with the description of an older Convex", { type: "object", fields: { tag: "string" } }],
  ])("one %s imports as it is", async (name, shape) => {
    const described =
      "type" in shape ? { "rows/generated_schema.jsonl": `${JSON.stringify(shape)}\n` } : {};
    const file = zipOf(`${name}.zip`, { "README.md": "text", ...described, ...plain });
    expect(await importInto(backend, "--replace", file)).toMatchObject({ code: 0 });
    const listed = await httpClient(backend).query(rows.list, { tag: "plain" });
    expect(listed.map(({ n }) => n)).toEqual([1, 2]);
  });

  test.each([
    [
      "a description with int64, which such files write as text",
      { "rows/generated_schema.jsonl": '{"n":"int64"}\n', ...plain },
      "do not tell int64 and bytes from text",
    ],
    [
      "documents of a component that is not there",
      { "_components/gone/rows/documents.jsonl": '{"tag":"x","n":1}\n' },
      'There is no component "gone" here',
    ],
    [
      "documents of a component that is not there, nested",
      { "_components/gone/_components/in/rows/documents.jsonl": '{"tag":"x","n":1}\n' },
      'There is no component "gone/in" here',
    ],
  ])("%s → exit 1 with the reason, and nothing is changed", async (name, entries, reason) => {
    const ended = await importInto(backend, "--replace", zipOf(`${name}.zip`, entries));
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining(reason)]);
    expect(await httpClient(backend).query(rows.list, { tag: "x" })).toEqual([]);
  });
});

describe("files of one table", () => {
  let backend: BackendProcess;
  beforeAll(async () => {
    backend = await startDeployed();
  });
  const listed = async (tag: string) =>
    (await httpClient(backend).query(rows.list, { tag })).map(({ n }) => n);

  test("csv: numbers are numbers, the rest is text; quotes, commas and line ends are kept", async () => {
    const file = fileOf("a.csv", 'tag,n\n"odd, ""tag""\nhere",1.5\r\nplain,2\n');
    const ended = await importInto(backend, "--table", "rows", "--append", file);
    expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("Added 2 documents")]);
    expect(await listed('odd, "tag"\nhere')).toEqual([1.5]);
    expect(await listed("plain")).toEqual([2]);
  });

  test("a JSON array and JSON lines append", async () => {
    const array = fileOf("a.json", JSON.stringify([{ tag: "json", n: 1 }]));
    const lines = fileOf("a.jsonl", '{"tag":"json","n":2}\n{"tag":"json","n":3}');
    for (const file of [array, lines]) {
      expect((await importInto(backend, "--table", "rows", "--append", file)).code).toBe(0);
    }
    expect(await listed("json")).toEqual([1, 2, 3]);
  });

  test("without a mode a table with documents is refused, --replace replaces it and nothing else", async () => {
    const other = fileOf("other.jsonl", toLines([{ a: 1 }]));
    expect((await importInto(backend, "--table", "other", other)).code).toBe(0);
    const file = fileOf("new.jsonl", toLines([{ tag: "new", n: 1 }]));
    const refused = await importInto(backend, "--table", "rows", file);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('Table "rows" already has documents'),
    ]);
    expect((await importInto(backend, "--table", "rows", "--replace", file)).code).toBe(0);
    expect([await listed("new"), await listed("json")]).toEqual([[1], []]);
    const data = await convexCli(backend, ["data", "other", "--format", "jsonl"]);
    expect(data.stdout.trim().split("\n")).toHaveLength(1);
  });

  test.each([
    ["a document that breaks the schema", '{"tag":"x"}\n', 'Line 1 of table "rows"'],
    ["a line that is not JSON", '{"tag":"x","n":1}\n{oops}\n', "Line 2 is not JSON"],
    ["an id of nothing", '{"_id":"nonsense","tag":"x","n":1}\n', "is not a document ID"],
  ])("%s → exit 1 with the line, and nothing is changed", async (_name, text, why) => {
    const before = await listed("new");
    const file = fileOf("bad.jsonl", text);
    const ended = await importInto(backend, "--table", "rows", "--replace", file);
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining(why)]);
    expect(await listed("new")).toEqual(before);
  });

  test("a subscriber sees a large table replaced at once and whole", async () => {
    const seen = new TestClient(backend.url).watch(rows.list, { tag: "many" });
    await seen.until("the first answer", (list) => list.length === 0);
    const file = fileOf(
      "many.jsonl",
      toLines(Array.from({ length: 2_500 }, (_, n) => ({ tag: "many", n }))),
    );
    const ended = await importInto(backend, "--table", "rows", "--replace", file);
    expect([ended.code, ended.stderr]).toEqual([
      0,
      expect.stringContaining("Added 2500 documents"),
    ]);
    await seen.until("all rows", (list) => list.length === 2_500);
    expect(seen.values.map((list) => list.length)).toEqual([0, 2_500]);
    expect(await listed("new")).toEqual([]);
  });
});

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import Database from "libsql";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileStore } from "../../embedded/store/fileStore.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import type { Store, StoreWrite } from "../../embedded/store/store.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "core-store-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const key = fc.constantFrom("a", "a\0", "a\xff", "b", "ba", "c", "\x01", "\x15z");
const write: fc.Arbitrary<StoreWrite> = fc.record({
  space: fc.constantFrom(1, 2, 3),
  key,
  value: fc.option(fc.constantFrom("x", "y", "z"), { nil: null }),
});

describe.each([
  ["memory", () => new MemoryStore()],
  ["file", () => FileStore.open(mkdtempSync(join(folder, "s")), { isSynced: false })],
] as [string, () => Store][])("the %s store", (_name, open) => {
  test("scans, counts and gets what a sorted map would", async () => {
    const scans = fc.record({
      lo: fc.oneof(fc.constant(""), key),
      hi: fc.option(key, { nil: null }),
      order: fc.constantFrom("asc" as const, "desc" as const),
      limit: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(write)), fc.array(scans), async (batches, wanted) => {
        const store = open();
        const model = new Map<string, string>();
        for (const writes of batches) {
          store.commit({ writes });
          for (const { space, key: at, value } of writes) {
            if (value === null) model.delete(`${space}|${at}`);
            else model.set(`${space}|${at}`, value);
          }
        }
        for (const spec of wanted) {
          const rows = [...model]
            .filter(([at]) => at.startsWith("2|"))
            .map(([at, value]) => ({ key: at.slice(2), value }))
            .filter((row) => row.key >= spec.lo && (spec.hi === null || row.key < spec.hi))
            .sort((a, b) => (a.key < b.key === (spec.order === "asc") ? -1 : 1));
          expect(store.scan({ space: 2, ...spec })).toEqual(rows.slice(0, spec.limit));
          expect(store.count(2, spec.lo, spec.hi)).toBe(rows.length);
        }
        expect(store.get(1, "a")).toBe(model.get("1|a") ?? null);
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  test("a dropped space is empty, its neighbours are not", async () => {
    const store = open();
    const writes = [1, 3].map((space) => ({ space, key: "k", value: "v" }));
    store.commit({ writes });
    store.commit({ writes: [], drop: [3] });
    expect([store.get(1, "k"), store.get(3, "k")]).toEqual(["v", null]);
    await store.close();
  });

  test("meta is found by prefix, in order", async () => {
    const store = open();
    store.commit({
      writes: [],
      meta: [
        { key: "t/b", value: "2" },
        { key: "t/a", value: "1" },
        { key: "u", value: "3" },
      ],
    });
    expect(store.metaScan("t/").map((row) => row.value)).toEqual(["1", "2"]);
    expect(store.metaGet("u")).toBe("3");
    await store.close();
  });
});

test("a file store opened again holds what was durable", async () => {
  const store = FileStore.open(folder);
  store.commit({ writes: [{ space: 2, key: "k\0\xff", value: '{"a":"é"}' }] });
  await store.flush();
  await store.close();
  const again = FileStore.open(folder);
  expect(again.get(2, "k\0\xff")).toBe('{"a":"é"}');
  await again.close();
});

test("commits of one turn become durable together and are readable before", async () => {
  const store = FileStore.open(folder);
  store.commit({ writes: [{ space: 1, key: "a", value: "1" }] });
  store.commit({ writes: [{ space: 1, key: "b", value: "2" }] });
  expect(store.get(1, "a")).toBe("1");
  const other = new Database(join(folder, "data.sqlite"), { readonly: true });
  const count = () => (other.prepare("SELECT count(*) AS n FROM idx").get() as { n: number }).n;
  expect(count()).toBe(0);
  await store.flush();
  expect(count()).toBe(2);
  other.close();
  await store.close();
});

test("a folder in use is refused with one sentence that names its owner", async () => {
  const store = FileStore.open(folder);
  expect(() => FileStore.open(folder)).toThrow(
    `The data folder ${folder} is in use by process ${process.pid}: stop that process, or choose another folder.`,
  );
  await store.close();
});

test.each([
  ["of a process that is gone", () => ({ pid: spawnSync("true").pid, startTime: "1" })],
  ["of a pid that was given to another process", () => ({ pid: process.pid, startTime: "1" })],
])("a lock %s is taken over", async (_what, owner) => {
  writeFileSync(join(folder, "lock"), JSON.stringify(owner()));
  const store = FileStore.open(folder);
  expect(JSON.parse(readFileSync(join(folder, "lock"), "utf8"))).toMatchObject({
    pid: process.pid,
  });
  await store.close();
});

test("a folder of a newer version is refused and left as it was", async () => {
  await FileStore.open(folder).close();
  const db = new Database(join(folder, "data.sqlite"));
  db.exec("UPDATE meta SET value = '99' WHERE key = 'format'");
  db.close();
  expect(() => FileStore.open(folder)).toThrow(/was written by a newer version \(format 99/);
});

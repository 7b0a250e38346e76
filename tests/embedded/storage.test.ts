/** Stored files over the wire: what the official clients and plain HTTP see of them. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { makeFunctionReference } from "convex/server";
import { beforeAll, describe, expect, test } from "vitest";
import { fileLimits, MemoryBlobs, measured } from "../../embedded/files/blobs.js";
import { Engine } from "../../embedded/engine/engine.js";
import { Files } from "../../embedded/files/files.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import { parseRange } from "../../embedded/http/storageApi.js";
import { waitFor } from "../support/waitFor.js";
import { httpClient, startDeployed, TestClient, type BackendProcess } from "./wireSupport.js";

type Args = Record<string, unknown>;
type FileRow = { _id: string; sha256: string; size: number; contentType?: string };
const files = {
  uploadUrl: makeFunctionReference<"mutation", Args, string>("files:uploadUrl"),
  url: makeFunctionReference<"query", Args, string | null>("files:url"),
  row: makeFunctionReference<"query", Args, FileRow | null>("files:row"),
  all: makeFunctionReference<"query", Args, number>("files:all"),
  remove: makeFunctionReference<"mutation", Args, null>("files:remove"),
  removeAndFail: makeFunctionReference<"mutation", Args, null>("files:removeAndFail"),
  roundTrip: makeFunctionReference<"action", Args, Record<string, unknown>>("files:roundTrip"),
  storeInMutation: makeFunctionReference<"mutation", Args, string>("files:storeInMutation"),
};
const sha256 = (text: string) => createHash("sha256").update(text).digest();

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed();
});

async function post(url: string, body: string, headers: Record<string, string> = {}) {
  const answer = await fetch(url, { method: "POST", body, headers });
  // Either form of the endpoint's answers.
  return [answer.status, await answer.json()] as [number, { storageId?: string; code?: string }];
}

async function upload(body: string, type = "text/plain"): Promise<string> {
  const url = await httpClient(backend).mutation(files.uploadUrl, {});
  const [status, { storageId }] = await post(url, body, { "content-type": type });
  expect(status).toBe(200);
  return storageId ?? "";
}

async function urlOf(id: string): Promise<string> {
  return (await httpClient(backend).query(files.url, { id })) ?? "";
}

const onDisk = (): string[] => readdirSync(path.join(backend.dataDir, "files"));

describe("an uploaded file", () => {
  test("is served as it came, with its digest", async () => {
    const id = await upload("hello files", "text/x-greeting");
    const answer = await fetch(await urlOf(id));
    expect(await answer.text()).toBe("hello files");
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "text/x-greeting",
      "content-length": "11",
      "accept-ranges": "bytes",
      digest: `sha-256=${sha256("hello files").toString("base64")}`,
    });
  });

  test("has a row that functions read", async () => {
    const id = await upload("hello");
    expect(await httpClient(backend).query(files.row, { id })).toEqual({
      _id: id,
      _creationTime: expect.any(Number) as number,
      sha256: sha256("hello").toString("hex"),
      size: 5,
      contentType: "text/plain",
    });
  });

  test.each([
    ["bytes=0-4", [206, "01234", "bytes 0-4/10"]],
    ["bytes=7-", [206, "789", "bytes 7-9/10"]],
    ["bytes=-3", [206, "789", "bytes 7-9/10"]],
    ["bytes=8-100", [206, "89", "bytes 8-9/10"]],
    ["bytes=0-1,3-4", [200, "0123456789", null]],
  ])("asked for %s → %j", async (range, wanted) => {
    const answer = await fetch(await urlOf(await upload("0123456789")), { headers: { range } });
    const { status, headers } = answer;
    expect([status, await answer.text(), headers.get("content-range")]).toEqual(wanted);
  });

  test("asked for bytes it does not have → 416", async () => {
    const answer = await fetch(await urlOf(await upload("0123456789")), {
      headers: { range: "bytes=10-" },
    });
    expect(answer.status).toBe(416);
  });

  test("with another digest than announced → 400, and nothing stored", async () => {
    const before = await httpClient(backend).query(files.all, {});
    const url = await httpClient(backend).mutation(files.uploadUrl, {});
    const digest = `sha-256=${sha256("something else").toString("base64")}`;
    const [status, { code }] = await post(url, "hello", { digest });
    expect([status, code]).toEqual([400, "BadDigest"]);
    expect(await httpClient(backend).query(files.all, {})).toBe(before);
  });

  test("to a URL that is an hour old, or made up → 403", async () => {
    const url = await httpClient(backend).mutation(files.uploadUrl, {});
    await backend.postAsAdmin("/control/time", { advanceMs: fileLimits.uploadUrlMs + 1 });
    expect(await post(url, "late")).toMatchObject([403, { code: "StorageTokenInvalid" }]);
    const fresh = await httpClient(backend).mutation(files.uploadUrl, {});
    expect(await post(fresh.replace(/[^.]+$/, "AAAA"), "forged")).toMatchObject([403, {}]);
  });
});

describe("functions", () => {
  test("an action stores a blob and reads it back", async () => {
    const text = "from an action";
    const seen = await httpClient(backend).action(files.roundTrip, { text });
    expect(seen).toMatchObject({ text, type: "text/plain", sameUrl: true });
    const hex = sha256(text).toString("hex");
    const checked = await httpClient(backend).action(files.roundTrip, { text, sha256: hex });
    expect(checked).toMatchObject({ text });
  });

  test("a blob that has not the announced sha256 is refused", async () => {
    const wrong = httpClient(backend).action(files.roundTrip, {
      text: "one",
      sha256: sha256("two").toString("hex"),
    });
    await expect(wrong).rejects.toThrow("does not have that sha256");
  });

  test("a mutation stores a blob in its own transaction", async () => {
    const id = await httpClient(backend).mutation(files.storeInMutation, { text: "mutated" });
    expect(await (await fetch(await urlOf(id))).text()).toBe("mutated");
  });

  test("a removed file is gone for subscribers, for its URL and from the disk", async () => {
    const id = await upload("short lived");
    const url = await urlOf(id);
    const watch = new TestClient(backend.url).watch(files.url, { id });
    await watch.until("the URL", (value) => value === url);
    await httpClient(backend).mutation(files.remove, { id });
    await watch.until("nothing", (value) => value === null);
    expect((await fetch(url)).status).toBe(404);
    await waitFor("the bytes to go", () => !onDisk().includes(path.basename(url)));
  });

  test("a removal that is not committed removes nothing", async () => {
    const id = await upload("still here");
    const failing = httpClient(backend).mutation(files.removeAndFail, { id });
    await expect(failing).rejects.toThrow("after the removal");
    expect(await (await fetch(await urlOf(id))).text()).toBe("still here");
  });
});

test("files and upload URLs outlive a crash; bytes without a row do not", async () => {
  const before = await startDeployed();
  const http = httpClient(before);
  const url = await http.mutation(files.uploadUrl, {});
  const [, { storageId = "" }] = await post(url, "kept over a crash");
  const second = await http.mutation(files.uploadUrl, {});
  const folder = path.join(before.dataDir, "files");
  writeFileSync(path.join(folder, "00000000-0000-4000-8000-000000000000"), "left behind");
  writeFileSync(path.join(before.dataDir, "filesPartial", "half"), "half");
  const [key = ""] = readdirSync(folder).filter((name) => !name.startsWith("0000"));
  await before.end("SIGKILL");
  const after = await startDeployed({ dataDir: before.dataDir });
  const again = (await httpClient(after).query(files.url, { id: storageId })) ?? "";
  expect(await (await fetch(again)).text()).toBe("kept over a crash");
  expect(readFileSync(path.join(folder, key), "utf8")).toBe("kept over a crash");
  await waitFor("the sweep", () => readdirSync(folder).length === 1);
  expect(existsSync(path.join(before.dataDir, "filesPartial", "half"))).toBe(false);
  const moved = second.replace(before.url, after.url);
  expect(await post(moved, "with the old URL")).toMatchObject([200, {}]);
});

test("bytes whose row is long in coming are swept, but not those that an import keeps", async () => {
  const clock = { ms: 1_000_000, nowMs: () => clock.ms };
  const engine = new Engine({ store: new MemoryStore(), clock });
  const blobs = new MemoryBlobs();
  const stored = new Files({ engine, blobs, cloudUrl: "" });
  const write = (isKept: boolean) => {
    const bytes = (async function* () {
      yield await Promise.resolve(Buffer.from("bytes"));
    })();
    return stored.write(bytes, { componentPath: "", contentType: null, isKept });
  };
  const kept = await write(true);
  const forgotten = await write(false);
  await stored.sweep();
  expect(await blobs.keys()).toHaveLength(2);
  clock.ms += fileLimits.uncommittedMs + 1;
  await stored.sweep();
  expect(await blobs.keys()).toEqual([kept.key]);
  expect(forgotten.key).not.toBe(kept.key);
  stored.release([kept.key]);
  await stored.sweep();
  expect(await blobs.keys()).toEqual([]);
});

describe("bounds", () => {
  test("a file beyond the bound is refused while it comes in", async () => {
    async function* endless() {
      const chunk = Buffer.alloc(64 * 1024 * 1024);
      for (;;) yield await Promise.resolve(chunk);
    }
    const read = async () => {
      for await (const chunk of measured(endless(), () => undefined))
        expect(chunk.length).toBe(2 ** 26);
    };
    await expect(read()).rejects.toThrow("Files are at most");
  });

  test("a source that fails leaves nothing", async () => {
    const blobs = new MemoryBlobs();
    async function* failing() {
      yield await Promise.resolve(Buffer.from("a"));
      throw new Error("cut off");
    }
    await expect(blobs.write("k", failing())).rejects.toThrow("cut off");
    expect(await blobs.keys()).toEqual([]);
  });

  test.each([
    [undefined, 10, null],
    ["bytes=-", 10, null],
    ["items=0-1", 10, null],
    ["bytes=5-4", 10, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=-100", 10, { start: 0, end: 9 }],
  ])("range %s of %i bytes → %j", (header, size, wanted) => {
    expect(parseRange(header, size)).toEqual(wanted);
  });
});

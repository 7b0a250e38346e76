/** The official clients against one deployed backend. */
import { ConvexError } from "convex/values";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeTimestamp } from "../../embedded/sync/protocol.js";
import { waitFor } from "../support/waitFor.js";
import {
  httpClient,
  rows,
  startDeployed,
  TestClient,
  type BackendProcess,
  type Frame,
} from "./wireSupport.js";

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed({ args: ["--memory"] });
});

const open = () => new TestClient(backend.url);
const field = (frame: Frame, name: string) => frame[name] as string;

describe("ConvexHttpClient", () => {
  test("a mutation is read back by a query", async () => {
    const http = httpClient(backend);
    const id = await http.mutation(rows.add, { tag: "http", n: 1 });
    expect(await http.query(rows.list, { tag: "http" })).toMatchObject([
      { _id: id, tag: "http", n: 1 },
    ]);
  });

  test("a ConvexError arrives with its data, and nothing of the mutation stays", async () => {
    const http = httpClient(backend);
    const error: unknown = await http
      .mutation(rows.refuse, { tag: "refused" })
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConvexError);
    expect(error).toMatchObject({ data: { code: "Refused", count: 7n } });
    expect(await http.query(rows.list, { tag: "refused" })).toEqual([]);
  });

  test("an internal function does not exist for the public", async () => {
    await expect(
      httpClient(backend).mutation(rows.addHidden, { tag: "hidden", n: 1 }),
    ).rejects.toThrow("Could not find public function for 'rows:addHidden'");
  });

  test("arguments of the wrong type are refused by name", async () => {
    const args = { tag: "bad", n: "one" } as unknown as { tag: string; n: number };
    await expect(httpClient(backend).mutation(rows.add, args)).rejects.toThrow(
      "ArgumentValidationError",
    );
  });

  test("an action runs and calls mutations", async () => {
    const http = httpClient(backend);
    expect(await http.action(rows.addTwice, { tag: "action", n: 1 })).toBe(2);
    expect(await http.query(rows.list, { tag: "action" })).toHaveLength(2);
  });

  test("consistent queries do not see what came after the first", async () => {
    const http = httpClient(backend);
    await http.mutation(rows.add, { tag: "still", n: 1 });
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- still part of what clients send
    const look = () => http.consistentQuery(rows.list, { tag: "still" });
    expect(await look()).toHaveLength(1);
    await httpClient(backend).mutation(rows.add, { tag: "still", n: 2 });
    expect(await look()).toHaveLength(1);
  });

  test("pages follow each other without gap or overlap", async () => {
    const http = httpClient(backend);
    for (const n of [1, 2, 3, 4, 5]) await http.mutation(rows.add, { tag: "paged", n });
    const seen: number[] = [];
    let cursor: string | null = null;
    for (let turn = 0; turn < 3; turn += 1) {
      const paginationOpts: { numItems: number; cursor: string | null } = { numItems: 2, cursor };
      const page = await http.query(rows.page, { tag: "paged", paginationOpts });
      seen.push(...page.page.map((row) => row.n));
      cursor = page.continueCursor;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("ConvexClient", () => {
  test("a subscription shows every update, and no response is overtaken by its Transition", async () => {
    const one = open();
    const watch = one.watch(rows.list, { tag: "live" });
    await watch.until("the empty list", (value) => value.length === 0);
    for (let n = 1; n <= 50; n += 1) {
      await one.client.mutation(rows.add, { tag: "live", n });
      await watch.until(`row ${n}`, (value) => value.length === n);
    }
    expect(watch.values.map((value) => value.length)).toEqual(
      Array.from({ length: 51 }, (_, i) => i),
    );
    expect(overtaken(one.frames)).toEqual([]);
  });

  test("a burst of mutations runs in the order it was sent", async () => {
    const one = open();
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => one.client.mutation(rows.add, { tag: "burst", n })),
    );
    const all = await httpClient(backend).query(rows.list, { tag: "burst" });
    expect(all.map((row) => row.n)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    expect(overtaken(one.frames)).toEqual([]);
  });

  test("what one session writes, another sees", async () => {
    const [writer, reader] = [open(), open()];
    const watch = reader.watch(rows.list, { tag: "shared" });
    await watch.until("the empty list", (value) => value.length === 0);
    await writer.client.mutation(rows.add, { tag: "shared", n: 1 });
    expect(await watch.until("the row", (value) => value.length === 1)).toMatchObject([{ n: 1 }]);
  });

  test("all results of one Transition belong together", async () => {
    const one = open();
    const list = one.watch(rows.list, { tag: "together" });
    const page = one.watch(rows.page, {
      tag: "together",
      paginationOpts: { numItems: 100, cursor: null },
    });
    await page.until("the empty page", (value) => value.page.length === 0);
    await list.until("the empty list", (value) => value.length === 0);
    const before = one.frames.length;
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => one.client.mutation(rows.add, { tag: "together", n })),
    );
    await page.until("the last row", (value) => value.page.length === 20);
    await list.until("the last row", (value) => value.length === 20);
    const changes = one.frames
      .slice(before)
      .filter((frame) => frame.type === "Transition")
      .map((frame) => (frame["modifications"] as unknown[]).length);
    expect(changes).not.toContain(1);
  });

  test("a query that throws tells the subscriber, with the reason", async () => {
    const watch = open().watch(rows.crash, {});
    await waitFor("the error", () => watch.errors.length > 0);
    expect(watch.errors[0]?.message).toContain("broken on purpose");
  });

  test("an action's result arrives", async () => {
    expect(await open().client.action(rows.addTwice, { tag: "wsAction", n: 1 })).toBe(2);
  });

  test("a result of more than 5 MB arrives in chunks, whole", async () => {
    const one = open();
    const watch = one.watch(rows.long, { length: 6_000_000 });
    const value = await watch.until("the long text", (text) => text.length > 0);
    expect(value).toBe("é😀".repeat(2_000_000));
    expect(one.frames.filter((frame) => frame.type === "TransitionChunk").length).toBeGreaterThan(
      1,
    );
  });

  test("a socket cut with a mutation in flight → the mutation is applied once", async () => {
    const one = open();
    await one.client.mutation(rows.add, { tag: "cut", n: 0 });
    const sent = one.client.mutation(rows.add, { tag: "cut", n: 1 });
    one.cut();
    await sent;
    const all = await httpClient(backend).query(rows.list, { tag: "cut" });
    expect(all.map((row) => row.n)).toEqual([0, 1]);
  });

  test("a response lost on its way → the mutation is sent again and answered, applied once", async () => {
    const one = open();
    await one.client.mutation(rows.add, { tag: "lost", n: 0 });
    one.cutAt = (frame) => {
      const isAnswer = frame.type === "MutationResponse";
      if (isAnswer) one.cutAt = null;
      return isAnswer;
    };
    const id = await one.client.mutation(rows.add, { tag: "lost", n: 1 });
    const all = await httpClient(backend).query(rows.list, { tag: "lost" });
    expect(all.map((row) => row.n)).toEqual([0, 1]);
    expect(all[1]?._id).toBe(id);
  });

  test("a subscription goes on after its socket was cut", async () => {
    const one = open();
    const watch = one.watch(rows.list, { tag: "again" });
    await watch.until("the empty list", (value) => value.length === 0);
    one.cut();
    await httpClient(backend).mutation(rows.add, { tag: "again", n: 1 });
    await watch.until("the row", (value) => value.length === 1);
  });
});

/** Request ids whose MutationResponse came after a Transition that already showed their commit. */
function overtaken(frames: readonly Frame[]): unknown[] {
  let shown = 0n;
  const late: unknown[] = [];
  for (const frame of frames) {
    if (frame.type === "Transition") {
      shown = decodeTimestamp((frame["endVersion"] as { ts: string }).ts);
    }
    const isSuccess = frame.type === "MutationResponse" && frame["success"] === true;
    if (isSuccess && decodeTimestamp(field(frame, "ts")) <= shown) late.push(frame["requestId"]);
  }
  return late;
}

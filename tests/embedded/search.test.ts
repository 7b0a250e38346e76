/** Text and vector search over official clients, and what staged indexes allow. */
import path from "node:path";
import fc from "fast-check";
import { makeFunctionReference } from "convex/server";
import { beforeAll, describe, expect, test } from "vitest";
import { tokenize } from "../../embedded/functions/textSearch.js";
import { cosine } from "../../embedded/functions/vectorSearch.js";
import { bundle, call, openWithFixtures, valueOf } from "./coreSupport.js";
import {
  deploy,
  httpClient,
  startBackend,
  TestClient,
  type BackendProcess,
} from "./wireSupport.js";

const APP = path.join(import.meta.dirname, "fixtures/semantics");
type Args = Record<string, unknown>;
type Page = { page: { body: string }[]; isDone: boolean; continueCursor: string };
const search = {
  note: makeFunctionReference<"mutation", Args, string>("search:note"),
  forget: makeFunctionReference<"mutation", Args, null>("search:forget"),
  find: makeFunctionReference<"query", Args, string[]>("search:find"),
  pages: makeFunctionReference<"query", Args, Page>("search:pages"),
  staged: makeFunctionReference<"query", Args, unknown[]>("search:staged"),
  point: makeFunctionReference<"mutation", Args, string>("search:point"),
  near: makeFunctionReference<"action", Args, { _id: string; _score: number }[]>("search:near"),
};

let backend: BackendProcess;
let deployOutput = "";
beforeAll(async () => {
  backend = await startBackend({ args: ["--memory"] });
  const pushed = await deploy(backend, APP);
  if (pushed.code !== 0) throw new Error(pushed.stderr);
  deployOutput = pushed.stderr;
});

describe("text search", () => {
  const notes = [
    ["the quick brown fox jumps over the lazy dog", "ada"],
    ["a fox is a small wild animal", "ada"],
    ["Über-quick notes, in Ünïcode!", "grace"],
    ["nothing of the kind", "grace"],
  ] as const;
  beforeAll(async () => {
    for (const [body, owner] of notes)
      await httpClient(backend).mutation(search.note, { body, owner });
  });
  const find = (text: string, owner?: string) =>
    httpClient(backend).query(search.find, { text, ...(owner === undefined ? {} : { owner }) });

  test.each([
    ["one word", "fox", [1, 0]],
    ["more of the words first", "quick fox", [0, 2, 1]],
    ["whatever its case and signs", "ÜNÏCODE", [2]],
    ["the last word as a prefix", "ani", [1]],
    ["not the words before it", "ani wild", [1]],
    ["a prefix only at the end", "qui nothing", [3]],
    ["no word at all", "... !", []],
    ["a word nobody wrote", "zebra", []],
  ])("finds %s: %s", async (_what, text, wanted) => {
    expect(await find(text)).toEqual(wanted.map((at) => notes[at]?.[0]));
  });

  test("keeps to the filter", async () => {
    expect(await find("quick", "grace")).toEqual([notes[2][0]]);
  });

  test("is seen anew by subscribers when a document comes or goes", async () => {
    const watch = new TestClient(backend.url).watch(search.find, { text: "novelty" });
    await watch.until("nothing yet", (found) => found.length === 0);
    const id = await httpClient(backend).mutation(search.note, { body: "a novelty", owner: "x" });
    await watch.until("the new one", (found) => found.length === 1);
    await httpClient(backend).mutation(search.forget, { id });
    await watch.until("nothing again", (found) => found.length === 0);
  });

  test("is cut into pages by rank", async () => {
    for (let n = 1; n <= 5; n += 1) {
      const body = Array.from({ length: n }, () => "paged").join(" ");
      await httpClient(backend).mutation(search.note, { body, owner: "pages" });
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let isDone = false; !isDone;) {
      const args = { text: "paged", paginationOpts: { numItems: 2, cursor } };
      const answer: Page = await httpClient(backend).query(search.pages, args);
      seen.push(...answer.page.map(({ body }) => body));
      ({ isDone, continueCursor: cursor } = answer);
    }
    expect(new Set(seen).size).toBe(5);
    expect(seen).toHaveLength(5);
  });
});

test("a table that is too large is not searched: the error says the bound and what to do", async () => {
  const opened = await openWithFixtures();
  const schema = `
    import { defineSchema, defineTable } from "convex/server";
    import { v } from "convex/values";
    export default defineSchema({
      notes: defineTable({ body: v.string() }).searchIndex("by_body", { searchField: "body" }),
    });`;
  const notes = `
    import { mutationGeneric, queryGeneric } from "convex/server";
    export const fill = mutationGeneric(async (ctx, { count }) => {
      for (let n = 0; n < count; n += 1) await ctx.db.insert("notes", { body: "x" });
    });
    export const find = queryGeneric(async (ctx) => (await ctx.db.query("notes")
      .withSearchIndex("by_body", (q) => q.search("body", "x")).take(1)).length);`;
  const push = await bundle({ modules: { notes }, schema });
  await opened.deployment.activate(await opened.deployment.analyze(push));
  const fill = async (count: number) =>
    valueOf(await opened.runner.mutation(call("notes:fill", { count })));
  // A mutation writes 16,000 documents at most.
  await fill(16_000);
  await fill(16_000);
  await fill(768);
  expect(valueOf(await opened.runner.query(call("notes:find")))).toBe(1);
  await fill(1);
  const refused = await opened.runner.query(call("notes:find"));
  expect(refused).toMatchObject({ ok: false, error: { code: "SearchTableTooLarge" } });
  expect(!refused.ok && refused.error.message).toContain("limit: 32768 documents");
  await opened.close();
});

describe("vector search", () => {
  let ids: string[] = [];
  beforeAll(async () => {
    const points = [
      { at: [1, 0], kind: "east" },
      { at: [0, 3], kind: "north" },
      { at: [-1, 0], kind: "west" },
      { at: [0, 0], kind: "nowhere" },
    ];
    ids = [];
    for (const point of points) ids.push(await httpClient(backend).mutation(search.point, point));
    // Of another number of dimensions: not in the index.
    await httpClient(backend).mutation(search.point, { at: [1], kind: "east" });
  });
  const near = (args: Args) => httpClient(backend).action(search.near, { limit: 3, ...args });

  test("finds the nearest first, with their scores", async () => {
    const found = await near({ vector: [1, 0.1] });
    expect(found.map(({ _id }) => ids.indexOf(_id))).toEqual([0, 1, 3]);
    expect(found[0]?._score).toBeCloseTo(1 / Math.sqrt(1.01));
  });

  test("keeps to any of the filters", async () => {
    const found = await near({ vector: [1, 0], kinds: ["north", "west"] });
    expect(found.map(({ _id }) => ids.indexOf(_id))).toEqual([1, 2]);
  });

  test.each([
    [{ vector: [1, 0, 0] }, "has 2 dimensions"],
    [{ vector: [1, 0], limit: 257 }, "from 1 to 256"],
  ])("%j is refused", async (args, reason) => {
    await expect(near(args)).rejects.toThrow(reason);
  });

  test.each([1e-160, 1e160])("vectors of the length %d are as alike as longer ones", (unit) => {
    expect(cosine([unit, 0], [unit, 0])).toBe(1);
    expect(cosine([unit, 0], [0, unit])).toBe(0);
  });

  test("a score is within -1 and 1, and 1 for the vector itself", () => {
    const axis = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    const vectors = fc.tuple(
      fc.array(axis, { minLength: 3, maxLength: 3 }),
      fc.array(axis, { minLength: 3, maxLength: 3 }),
    );
    fc.assert(
      fc.property(vectors, ([a, b]) => {
        expect(Math.abs(cosine(a, b))).toBeLessThanOrEqual(1 + 1e-9);
        if (Math.hypot(...a) > 1e-3) expect(cosine(a, a)).toBeCloseTo(1);
      }),
    );
  });
});

describe("a staged index", () => {
  test("is built, and said to be staged", () => {
    expect(deployOutput).toContain("notes.by_owner");
  });

  test.each(["text", "database"])("cannot be used: %s", async (kind) => {
    await expect(httpClient(backend).query(search.staged, { kind })).rejects.toThrow("is staged");
  });
});

test("words are what stands between other signs, in lower case, and not too long", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const word of tokenize(text)) {
        expect(word).toMatch(/^[\p{L}\p{N}\p{M}]{1,32}$/u);
        expect(tokenize(word)).toEqual([word]);
      }
    }),
  );
});

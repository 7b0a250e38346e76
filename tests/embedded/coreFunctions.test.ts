/* eslint-disable @typescript-eslint/no-unsafe-assignment -- matchers of expect are typed any */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { definitionAt } from "../../embedded/functions/deployment.js";
import type { Backend } from "../../embedded/functions/backend.js";
import { bundle, call, openWithFixtures, valueOf } from "./coreSupport.js";

let backend: Backend;
beforeEach(async () => {
  backend = await openWithFixtures();
});
afterEach(() => backend.close());

const mutate = (path: string, args = {}) => backend.runner.mutation(call(path, args));
const ask = (path: string, args = {}) => backend.runner.query(call(path, args));

test("a mutation writes what a query then reads", async () => {
  const id = valueOf<string>(await mutate("jobs:add", { state: "free", priority: 1 }));
  expect(valueOf(await ask("jobs.js:get", { id }))).toMatchObject({ _id: id, state: "free" });
});

describe("who may call what", () => {
  test("an internal function is not there for outsiders and is for administrators", async () => {
    const outside = await mutate("jobs:hidden");
    expect(outside).toMatchObject({
      ok: false,
      error: {
        code: "NotFound",
        message: expect.stringMatching(/^Could not find public function for 'jobs:hidden'/),
      },
    });
    const admin = { kind: "admin", name: "a", actingAs: null } as const;
    expect(valueOf(await backend.runner.mutation(call("jobs:hidden", {}, admin)))).toBe("seen");
  });

  test("identity reaches the function as its claims", async () => {
    const claims = { subject: "s", issuer: "i", tokenIdentifier: "i|s" };
    const identity = { kind: "user", claims, expiresAtMs: null } as const;
    expect(valueOf(await backend.runner.query(call("jobs:whoami", {}, identity)))).toEqual(claims);
    expect(valueOf(await ask("jobs:whoami"))).toBeNull();
  });
});

describe("what is refused, and how", () => {
  test("arguments of the wrong type", async () => {
    const outcome = await mutate("jobs:add", { state: 1, priority: 1 });
    expect(outcome).toMatchObject({ ok: false, error: { code: "ArgumentValidation" } });
    expect(!outcome.ok && outcome.error.message).toContain(
      "ArgumentValidationError: Value does not match validator.\nPath: .state\nValue: 1.0\nValidator: v.string()",
    );
  });

  test("a missing argument and an unknown one", async () => {
    const missing = await mutate("jobs:add", { state: "x" });
    expect(!missing.ok && missing.error.message).toContain("missing the required field `priority`");
    const extra = await mutate("jobs:add", { state: "x", priority: 1, z: 1 });
    expect(!extra.ok && extra.error.message).toContain("contains extra field `z`");
  });

  test("a document that does not match the schema", async () => {
    const outcome = await mutate("jobs:wrong");
    expect(!outcome.ok && outcome.error.message).toContain(
      'Failed to insert or update a document in table "jobs" because it does not match the schema: Value does not match validator.\nPath: .state',
    );
  });

  test("an id of another table", async () => {
    const id = valueOf<string>(await mutate("jobs:add", { state: "free", priority: 1 }));
    const broken = `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`;
    const outcome = await ask("jobs:get", { id: broken });
    expect(outcome).toMatchObject({ ok: false, error: { code: "ArgumentValidation" } });
  });

  test("a ConvexError arrives with its data and nothing was written", async () => {
    const outcome = await mutate("jobs:refused");
    expect(outcome).toMatchObject({
      ok: false,
      error: { data: { code: "NO", n: { $integer: "BwAAAAAAAAA=" } } },
    });
    expect(valueOf(await ask("jobs:first", { state: "refused" }))).toBeNull();
  });

  test("a promise that never settles", async () => {
    const outcome = await mutate("jobs:never");
    expect(!outcome.ok && outcome.error.message).toContain("Returned promise will never resolve");
  });
});

describe("rules of execution", () => {
  test("time stands still, fetch is refused, secure randomness works", async () => {
    expect(valueOf(await mutate("jobs:forbidden"))).toEqual({
      isFrozen: true,
      text: expect.stringMatching(/^Can't use fetch\(\) in queries and mutations\./),
      random: 4,
    });
  });

  test("a write that nobody awaited is committed", async () => {
    valueOf(await mutate("jobs:unawaited"));
    expect(valueOf(await ask("jobs:first", { state: "unawaited" }))).not.toBeNull();
  });

  test("a failed nested mutation is undone, the caller goes on", async () => {
    expect(valueOf(await mutate("jobs:nested"))).toEqual({ count: 1, isConvexError: true });
    expect(valueOf(await ask("jobs:first", { state: "refused" }))).toBeNull();
    expect(valueOf(await ask("jobs:first", { state: "outer" }))).not.toBeNull();
  });

  test("db.vars.commitTs becomes the timestamp of the commit", async () => {
    const outcome = await mutate("jobs:stamped");
    const id = valueOf<string>(outcome);
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(outcome.ts ?? 0n);
    expect(valueOf(await ask("jobs:get", { id }))).toMatchObject({
      at: { $integer: bytes.toString("base64") },
    });
  });

  test("concurrent claims take distinct jobs", async () => {
    for (let n = 0; n < 8; n += 1)
      valueOf(await mutate("jobs:add", { state: "free", priority: n }));
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, n) => mutate("jobs:claim", { by: String(n) })),
    );
    expect(new Set(claims.map((outcome) => valueOf(outcome))).size).toBe(8);
  });
});

test("scheduling is part of the transaction and shows the documented fields", async () => {
  const failed = await mutate("jobs:later", { isFailing: true });
  expect(failed.ok).toBe(false);
  const outcome = await mutate("jobs:later", { isFailing: false });
  expect(valueOf(outcome)).toEqual({
    _id: expect.any(String),
    _creationTime: expect.any(Number),
    name: "jobs.js:hidden",
    args: [{}],
    scheduledTime: expect.any(Number),
    state: { kind: "pending" },
  });
  expect(outcome.logLines).toEqual(["[LOG] 'scheduled' { n: 1 }"]);
  const tx = backend.engine.begin();
  expect([...tx.scan("_scheduled_functions")]).toHaveLength(1);
  tx.abort();
});

test("an action calls mutations and queries, each in its own transaction", async () => {
  const outcome = await backend.runner.action(call("acts:run", { state: "made" }));
  expect(valueOf(outcome)).toMatchObject({ state: "made", priority: 2 });
});

test("HTTP actions are routed through http.ts", async () => {
  const metadata = call("x").request;
  const none = { kind: "none" } as const;
  const request = new Request("http://site/echo", { method: "POST", body: "hello" });
  const { response } = await backend.runner.httpAction(request, none, metadata);
  expect([response.status, await response.text()]).toEqual([201, "hello"]);
  const missing = await backend.runner.httpAction(new Request("http://site/x"), none, metadata);
  expect(missing.response.status).toBe(404);
});

test("a mutation sent again is answered from the record and not run again", async () => {
  const session = { sessionId: "s", requestId: 1 };
  const add = call("jobs:add", { state: "once", priority: 1 });
  const first = await backend.runner.mutation(add, { session });
  const again = await backend.runner.mutation(add, { session });
  expect(again).toEqual(first);
  expect(again.ts).toBe(first.ts);
});

test("pages stay gapless when a page is run again after rows were inserted", async () => {
  for (const priority of [1, 3, 5, 7]) valueOf(await mutate("jobs:add", { state: "p", priority }));
  type Page = { page: { priority: number }[]; continueCursor: string; isDone: boolean };
  const open = (cursor: string | null) => ({ paginationOpts: { numItems: 2, cursor } });
  const first = await ask("jobs:page", open(null));
  const { page, continueCursor } = valueOf<Page>(first);
  expect(page.map((row) => row.priority)).toEqual([1, 3]);
  valueOf(await mutate("jobs:add", { state: "p", priority: 2 }));
  valueOf(await mutate("jobs:add", { state: "p", priority: 4 }));
  const again = await backend.runner.query(call("jobs:page", open(null)), {
    journal: first.journal,
  });
  const second = await ask("jobs:page", open(continueCursor));
  const priorities = [again, second].flatMap((outcome) =>
    valueOf<Page>(outcome).page.map((row) => row.priority),
  );
  expect(priorities).toEqual([1, 2, 3, 4, 5]);
});

describe("deployment", () => {
  test("analysis names functions, routes, crons and schema", () => {
    const current = definitionAt(backend.deployment.current(), "");
    expect(current?.functions["http.js"]?.httpRoutes).toEqual([
      { route: { path: "/echo", method: "POST" }, pos: null },
    ]);
    expect(current?.functions["crons.js"]?.cronSpecs?.[0]?.[0]).toBe("tick");
    const add = current?.functions["jobs.js"]?.functions.find(({ name }) => name === "add");
    expect(add).toMatchObject({ udfType: "Mutation", visibility: { kind: "public" } });
  });

  test("a module that throws is named", async () => {
    const push = await bundle({ modules: { broken: "throw new Error('boom'); export {};" } });
    await expect(backend.deployment.analyze(push)).rejects.toThrow(
      "Failed to analyze broken.js: Uncaught boom",
    );
  });

  test("a schema that existing documents break is refused with table and id", async () => {
    const id = valueOf<string>(await mutate("jobs:add", { state: "x", priority: 1 }));
    const schema = `
      import { defineSchema, defineTable } from "convex/server";
      import { v } from "convex/values";
      export default defineSchema({ jobs: defineTable({ state: v.number() }) });`;
    const analyzed = await backend.deployment.analyze(await bundle({ schema }));
    expect(backend.deployment.checkSchemaChange(analyzed)).toMatchObject({
      ok: false,
      table: "jobs",
      error: expect.stringContaining(`Document with ID "${id}" in table "jobs" does not match`),
    });
  });

  test("a new index holds the documents that were there before it", async () => {
    valueOf(await mutate("jobs:add", { state: "x", priority: 9 }));
    const schema = `
      import { defineSchema, defineTable } from "convex/server";
      import { v } from "convex/values";
      export default defineSchema({ jobs: defineTable(v.any()).index("by_priority", ["priority"]) });`;
    const probe = `
      import { queryGeneric } from "convex/server";
      export const top = queryGeneric(async (ctx) =>
        (await ctx.db.query("jobs").withIndex("by_priority", (q) => q.gte("priority", 5)).collect()).length);`;
    const analyzed = await backend.deployment.analyze(await bundle({ schema, modules: { probe } }));
    const type = "database";
    expect(analyzed.indexChanges[""]).toEqual({
      added: [{ type, table: "jobs", name: "by_priority", fields: ["priority"] }],
      removed: [{ type, table: "jobs", name: "by_state", fields: ["state", "priority"] }],
      enabled: [],
      disabled: [],
    });
    await backend.deployment.activate(analyzed);
    expect(valueOf(await ask("probe:top"))).toBe(1);
    const gone = await ask("jobs:first", { state: "x" });
    expect(!gone.ok && gone.error.message).toContain("Index jobs.by_state not found");
  });

  test("functions see a changed environment at once, and subscribers are told", async () => {
    const probe = `
      import { queryGeneric } from "convex/server";
      export const env = queryGeneric(async () => process.env.COLOR ?? null);`;
    const push = await bundle({ modules: { probe } });
    await backend.deployment.activate(await backend.deployment.analyze(push));
    const before = await ask("probe:env");
    expect(valueOf(before)).toBeNull();
    const told = new Promise<void>((resolve) => {
      backend.engine.subscribe(before.reads, before.ts, resolve);
    });
    await backend.deployment.setEnvironment([{ name: "COLOR", value: "red" }]);
    await told;
    expect(valueOf(await ask("probe:env"))).toBe("red");
  });
});

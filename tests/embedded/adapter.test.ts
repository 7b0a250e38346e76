import {
  actionGeneric,
  componentsGeneric,
  type DataModelFromSchemaDefinition,
  defineSchema,
  defineTable,
  type GenericMutationCtx,
  httpActionGeneric,
  httpRouter,
  internalMutationGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from "convex/server";
import path from "node:path";
import { ConvexError, v } from "convex/values";
import { build } from "esbuild";
import { afterEach, describe, expect, test, vi } from "vitest";
import { convexTest } from "../../embedded/test/index.js";

const schema = defineSchema({
  rows: defineTable({ n: v.number(), stamp: v.optional(v.commitTs()) }).index("by_n", ["n"]),
});

const rows = {
  add: makeFunctionReference<"mutation", { n: number }, string>("rows:add"),
  list: makeFunctionReference<"query", Record<string, never>, number[]>("rows:list"),
  whoAmI: makeFunctionReference<"query", Record<string, never>, string | null>("rows:whoAmI"),
  fail: makeFunctionReference<"mutation", Record<string, never>, null>("rows:fail"),
  tryFail: makeFunctionReference<"mutation", Record<string, never>, string>("rows:tryFail"),
  echoFile: makeFunctionReference<"action", { text: string }, string>("rows:echoFile"),
  later: makeFunctionReference<"mutation", { delayMs: number }, null>("rows:later"),
  stamped: makeFunctionReference<"mutation", Record<string, never>, bigint>("rows:stamped"),
};

const add = mutationGeneric({
  args: { n: v.number() },
  handler: async (ctx, { n }) => await ctx.db.insert("rows", { n }),
});
const list = queryGeneric({
  args: {},
  handler: async (ctx) => (await ctx.db.query("rows").collect()).map(({ n }): unknown => n),
});
const whoAmI = queryGeneric({
  args: {},
  handler: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null,
});
const fail = mutationGeneric({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("rows", { n: -1 });
    throw new ConvexError({ code: "no" });
  },
});
const tryFail = mutationGeneric({
  args: {},
  handler: async (ctx) => {
    try {
      await ctx.runMutation(rows.fail);
    } catch (error) {
      return error instanceof ConvexError ? (error.data as { code: string }).code : "other";
    }
    return "none";
  },
});
const echoFile = actionGeneric({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    const id = await ctx.storage.store(new Blob([text], { type: "text/plain" }));
    return await (await ctx.storage.get(id))?.text();
  },
});
const later = mutationGeneric({
  args: { delayMs: v.number() },
  handler: async (ctx, { delayMs }) => {
    await ctx.scheduler.runAfter(delayMs, rows.add, { n: delayMs });
  },
});
const stamped = internalMutationGeneric({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("rows", { n: 1, stamp: ctx.db.vars.commitTs });
    return ctx.db.vars.commitTs;
  },
});
const http = httpRouter();
http.route({
  path: "/sum",
  method: "POST",
  handler: httpActionGeneric(async (ctx, request) => {
    const n = (await request.json()) as number;
    await ctx.runMutation(rows.add, { n });
    return new Response("added", { status: 201 });
  }),
});

const modules = {
  "./_generated/api.ts": () => Promise.resolve({}),
  "./rows.ts": () =>
    Promise.resolve({ add, list, whoAmI, fail, tryFail, echoFile, later, stamped }),
  "./http.ts": () => Promise.resolve({ default: http }),
};
type Ctx = GenericMutationCtx<DataModelFromSchemaDefinition<typeof schema>>;

afterEach(() => {
  vi.useRealTimers();
});

describe("functions called by a test", () => {
  test("a mutation's writes are there for the query after it, and only in this backend", async () => {
    const t = convexTest(schema, modules);
    await t.mutation(rows.add, { n: 3 });
    expect(await t.query(rows.list)).toEqual([3]);
    expect(await convexTest(schema, modules).query(rows.list)).toEqual([]);
  });

  test("an error reaches the test as it was thrown, and nothing is written", async () => {
    const t = convexTest(schema, modules);
    const failure = await t.mutation(rows.fail).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConvexError);
    expect(failure).toMatchObject({ data: { code: "no" } });
    expect(await t.query(rows.list)).toEqual([]);
  });

  test("a nested mutation that fails can be caught, and is undone alone", async () => {
    const t = convexTest(schema, modules);
    expect(await t.mutation(rows.tryFail)).toBe("no");
    expect(await t.query(rows.list)).toEqual([]);
  });

  test("arguments are checked", async () => {
    const t = convexTest(schema, modules);
    const wrong = t.mutation(rows.add, { n: "three" } as never);
    await expect(wrong).rejects.toThrow(/Validator error.*ArgumentValidationError/s);
  });

  test("an inline function runs in a transaction, calls by reference within it belong to it", async () => {
    const t = convexTest(schema, modules);
    const run = t.run(async (ctx) => {
      await ctx.db.insert("rows", { n: 1 });
      await t.mutation(rows.add, { n: 2 });
      expect(await t.query(rows.list)).toEqual([1, 2]);
      throw new RangeError("undo it");
    });
    await expect(run).rejects.toBeInstanceOf(RangeError);
    expect(await t.query(rows.list)).toEqual([]);
  });

  test("what a mutation returns holds the timestamp of its commit", async () => {
    const t = convexTest(schema, modules);
    const ts: unknown = await t.mutation(rows.stamped);
    expect(ts).toBeTypeOf("bigint");
    const [row] = await t.run((ctx) => ctx.db.query("rows").collect());
    expect(row?.stamp).toBe(ts);
  });

  test("timers and fetch throw in transactions and not in actions", async () => {
    const t = convexTest(schema, modules);
    const inTransaction = t.run(async () => Promise.resolve(setTimeout(() => undefined, 1)));
    await expect(inTransaction).rejects.toThrow("Can't use setTimeout in queries and mutations");
    const slept = t.action(
      async () =>
        new Promise((resolve) => {
          setTimeout(() => {
            resolve("slept");
          }, 0);
        }),
    );
    expect(await slept).toBe("slept");
  });

  test("a global that a function replaces is back for the others", async () => {
    const t = convexTest(schema, modules);
    const realMath = Math;
    const replaced = await t.run(async () => {
      globalThis.Math = Object.create(Math, { random: { value: () => 7 } }) as Math;
      return Promise.resolve(Math.random());
    });
    expect(replaced).toBe(7);
    expect(Math).toBe(realMath);
  });

  test("use is counted always and limited when asked", async () => {
    const insertTwo = async (ctx: Ctx) => {
      await ctx.db.insert("rows", { n: 1 });
      await ctx.db.insert("rows", { n: 2 });
    };
    await convexTest(schema, modules).run(insertTwo);
    const limited = convexTest({ schema, modules, transactionLimits: { documentsWritten: 1 } });
    await expect(limited.run(insertTwo)).rejects.toThrow(
      "Too many writes in a single function execution (limit: 1)",
    );
  });
});

describe("what is around functions", () => {
  test("without modules, those of the project's convex folder are taken", async () => {
    const missing = makeFunctionReference<"query", Record<string, never>, null>("noSuchFile:get");
    await expect(convexTest().query(missing)).rejects.toThrow(
      'Could not find module for: "noSuchFile"',
    );
    expect(() => convexTest(schema, {})).toThrow('Could not find the "_generated" directory');
  });

  test("identities belong to the accessor they were given", async () => {
    const t = convexTest(schema, modules);
    const ada = t.withIdentity({ subject: "ada" });
    expect(await ada.query(rows.whoAmI)).toBe("ada");
    expect(await t.query(rows.whoAmI)).toBe(null);
  });

  test("scheduled functions wait for the timers of the test", async () => {
    vi.useFakeTimers();
    const t = convexTest(schema, modules);
    await t.mutation(rows.later, { delayMs: 1_000 });
    vi.advanceTimersByTime(999);
    await t.finishInProgressScheduledFunctions();
    expect(await t.query(rows.list)).toEqual([]);
    await t.finishAllScheduledFunctions(() => vi.runAllTimers());
    expect(await t.query(rows.list)).toEqual([1_000]);
    const jobs = await t.run((ctx) => ctx.db.system.query("_scheduled_functions").collect());
    expect(jobs.map(({ name, state }) => [name, state.kind])).toEqual([["rows:add", "success"]]);
  });

  test("an HTTP action answers, an unknown path is 404", async () => {
    const t = convexTest(schema, modules);
    const answer = await t.fetch("/sum", { method: "POST", body: "5" });
    expect([answer.status, await answer.text()]).toEqual([201, "added"]);
    expect(await t.query(rows.list)).toEqual([5]);
    expect((await t.fetch("/other")).status).toBe(404);
  });

  test("files can be stored and read", async () => {
    const t = convexTest(schema, modules);
    expect(await t.action(rows.echoFile, { text: "hello" })).toBe("hello");
    const id = await t.run((ctx) => ctx.storage.store(new Blob(["world"])));
    expect(await t.run(async (ctx) => (await ctx.storage.get(id))?.text())).toBe("world");
  });

  test("a component has tables of its own and does not see who calls", async () => {
    const t = convexTest(defineSchema({}), modules);
    t.registerComponent("part", schema, modules);
    // The component's functions are those of `rows`.
    const { part } = componentsGeneric() as unknown as { part: { rows: typeof rows } };
    const ada = t.withIdentity({ subject: "ada" });
    const seen = await ada.mutation(async (ctx) => {
      await ctx.runMutation(part.rows.add, { n: 1 });
      return [await ctx.runQuery(part.rows.list), await ctx.runQuery(part.rows.whoAmI)];
    });
    expect(seen).toEqual([[1], null]);
    expect(await t.query(rows.list)).toEqual([]);
  });
});

test("tests load neither the compiler nor the file store", async () => {
  const { metafile } = await build({
    entryPoints: [path.resolve(import.meta.dirname, "../../embedded/test/index.ts")],
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  const inputs = Object.values(metafile.inputs);
  const packages = inputs.flatMap(({ imports }) => imports).filter(({ external }) => external);
  const names = new Set(
    packages.map((one) => one.path).filter((name) => !name.startsWith("node:")),
  );
  expect([...names].toSorted()).toEqual(["convex/server", "convex/values", "sorted-btree"]);
});

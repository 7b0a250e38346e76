/** What functions may not do, or only so much of. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { makeFunctionReference } from "convex/server";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { PushError } from "../../embedded/functions/deployment.js";
import { FUNCTION_TIMES } from "../../embedded/functions/functionTimes.js";
import { Slots } from "../../embedded/functions/slots.js";
import { bundle, call, openWithFixtures, valueOf } from "./coreSupport.js";
import { copyOfApp, deploy, httpClient, startBackend, type BackendProcess } from "./wireSupport.js";

const APP = path.join(import.meta.dirname, "fixtures/semantics");
type Args = Record<string, unknown>;
const query = <T>(name: string) => makeFunctionReference<"query", Args, T>(`bounds:${name}`);
const mutation = <T>(name: string) => makeFunctionReference<"mutation", Args, T>(`bounds:${name}`);

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startBackend({ args: ["--memory"] });
  const pushed = await deploy(backend, APP);
  if (pushed.code !== 0) throw new Error(pushed.stderr);
});

describe("time", () => {
  const slow = `
    import { mutationGeneric, queryGeneric, actionGeneric } from "convex/server";
    export const rows = queryGeneric(async (ctx) => (await ctx.db.query("jobs").collect()).length);
    export const work = mutationGeneric(async (ctx, { rounds, isCaught }) => {
      let state = 1;
      for (let n = 0; n < rounds; n += 1) state = (state * 48271) % 2147483647;
      const write = ctx.db.insert("jobs", { state: String(state), priority: 1 });
      await (isCaught ? write.catch(() => null) : write);
    });
    export const wait = actionGeneric(async () => { await new Promise(() => undefined); });`;
  const open = async (times: Partial<typeof FUNCTION_TIMES>) => {
    const opened = await openWithFixtures({ times: { ...FUNCTION_TIMES, ...times } });
    const push = await bundle({ modules: { slow }, schema: null });
    await opened.deployment.activate(await opened.deployment.analyze(push));
    return opened;
  };
  /** Far more than can be done in that time. */
  const ROUNDS = 300_000_000;

  test.each([false, true])(
    "a mutation that works too long fails and writes nothing, caught: %s",
    async (isCaught) => {
      const opened = await open({ userMs: 200 });
      const outcome = await opened.runner.mutation(call("slow:work", { rounds: ROUNDS, isCaught }));
      expect(outcome).toMatchObject({ ok: false, error: { code: "TimedOut" } });
      expect(!outcome.ok && outcome.error.message).toContain(
        "Function execution timed out (maximum duration: 0.2s)",
      );
      expect(valueOf(await opened.runner.query(call("slow:rows")))).toBe(0);
      await opened.close();
    },
  );

  test("an action that does not end is given up", async () => {
    const opened = await open({ actionMs: 1 });
    const outcome = await opened.runner.action(call("slow:wait"));
    expect(outcome).toMatchObject({ ok: false, error: { code: "TimedOut" } });
    await opened.close();
  });

  test("the documented times are the default", () => {
    expect(FUNCTION_TIMES).toMatchObject({
      userMs: 1_000,
      actionMs: 1_800_000,
      nodeActionMs: 600_000,
    });
  });
});

describe("calls of an action", () => {
  test("run eight at a time at most; all are answered", async () => {
    const fanOut = makeFunctionReference<"action", Args, number>("bounds:fanOut");
    expect(await httpClient(backend).action(fanOut, { calls: 50 })).toBe(50);
  });

  test("slots are never more than there are, and are given in order of arrival", async () => {
    const plans = fc.array(fc.boolean(), { maxLength: 30 });
    const model = fc.asyncProperty(fc.integer({ min: 1, max: 5 }), plans, async (max, works) => {
      const slots = new Slots(max);
      const started: number[] = [];
      let running = 0;
      const done = works.map((isFailing, at) =>
        slots.run(async () => {
          started.push(at);
          running += 1;
          expect(running).toBeLessThanOrEqual(max);
          await Promise.resolve();
          running -= 1;
          if (isFailing) throw new Error("on purpose");
        }),
      );
      await Promise.allSettled(done);
      expect(started).toEqual([...works.keys()]);
    });
    await fc.assert(model);
  });
});

describe("values", () => {
  test.each([
    ["nest", [{ depth: 64 }, { depth: 65 }], "too nested"],
    ["many", [{ items: 8_192 }, { items: 8_193 }], "Array length is too long"],
    ["huge", [{ bytes: 16 * 2 ** 20 - 2 }, { bytes: 16 * 2 ** 20 }], "return value is too large"],
  ])("%s: the first of %j is returned, the second is not", async (name, sizes, reason) => {
    const [good = {}, bad = {}] = sizes;
    await httpClient(backend).query(query(name), good);
    await expect(httpClient(backend).query(query(name), bad)).rejects.toThrow(reason);
  });

  test("arguments have the same bounds", async () => {
    const take = (value: unknown) => httpClient(backend).query(query("take"), { value });
    const wide = Object.fromEntries(Array.from({ length: 1_025 }, (_, at) => [`f${at}`, 0]));
    await expect(take(wide)).rejects.toThrow("too many fields");
    await expect(take("x".repeat(16 * 2 ** 20))).rejects.toThrow("arguments size is too large");
    expect(await take("x")).toBe("string");
  });
});

describe("schemas", () => {
  const analyze = async (table: string) => {
    const opened = await openWithFixtures();
    const schema = `
      import { defineSchema, defineTable } from "convex/server";
      import { v } from "convex/values";
      const names = (n) => Array.from({ length: n }, (_, at) => "f" + at);
      const fields = (n) => Object.fromEntries(names(n).map((name) => [name, v.number()]));
      export default defineSchema({ t: ${table} });`;
    try {
      return await opened.deployment.analyze(await bundle({ schema }));
    } finally {
      await opened.close();
    }
  };

  test.each([
    ["17 fields in an index", `defineTable(fields(17)).index("i", names(17))`, "at most 16"],
    [
      "65 indexes",
      `names(65).reduce((t, name) => t.index("by_" + name, [name]), defineTable(fields(65)))`,
      "at most 64",
    ],
    [
      "a vector of one dimension",
      `defineTable({ v: v.array(v.number()) }).vectorIndex("i", { vectorField: "v", dimensions: 1, filterFields: [] })`,
      "from 2 to 4096",
    ],
  ])("%s are refused", async (_what, table, reason) => {
    const refused = analyze(table);
    await expect(refused).rejects.toThrow(reason);
    await expect(refused).rejects.toBeInstanceOf(PushError);
  });

  test("16 fields and 64 indexes are not", async () => {
    const table = `names(64).reduce((t, name) => t.index("by_" + name, [name, ...names(16).filter((other) => other !== name).slice(0, 15)]), defineTable(fields(64)))`;
    expect((await analyze(table)).indexChanges[""]?.added).toHaveLength(64);
  });
});

describe("functions", () => {
  test("a rejection that nobody looks at fails the function, and it writes nothing", async () => {
    const http = httpClient(backend);
    await expect(http.mutation(mutation("forget"), {})).rejects.toThrow("nobody looks at this");
    expect(await http.query(query("count"), { owner: "forgetful" })).toBe(0);
  });

  test("keys are not generated in queries and mutations", async () => {
    await expect(httpClient(backend).query(query("generateKey"), {})).rejects.toThrow(
      "Can't use crypto.subtle.generateKey() in queries and mutations",
    );
  });

  test("transactionLimits bound a nested call, undo it, and bound nothing after it", async () => {
    const http = httpClient(backend);
    const error = await http.mutation(mutation<string>("limited"), {});
    expect(error).toContain("Too many writes in a single function execution (limit: 1)");
    expect(await http.query(query("count"), { owner: "limited" })).toBe(2);
  });
});

test("a push whose required variable is not set is refused by name", async () => {
  const app = copyOfApp();
  writeFileSync(
    path.join(app, "convex/convex.config.ts"),
    `import { defineApp } from "convex/server";
     import { v } from "convex/values";
     export default defineApp({ env: { NEEDED: v.string() } });`,
  );
  const { code, stderr } = await deploy(backend, app);
  expect([code, stderr]).toEqual([1, expect.stringContaining("NEEDED")]);
});

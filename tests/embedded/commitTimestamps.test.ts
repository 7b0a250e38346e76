import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Backend, openBackend } from "../../embedded/functions/backend.js";
import { bundle, call, valueOf } from "./coreSupport.js";

const STAMPS = `
import { makeFunctionReference, mutationGeneric, queryGeneric } from "convex/server";
import { v } from "convex/values";
const reference = (name) => makeFunctionReference("stamps:" + name);
export const stamp = mutationGeneric({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("stamps", { at: ctx.db.vars.commitTs, named: { "": 1 } });
    return { at: ctx.db.vars.commitTs };
  },
});
export const put = mutationGeneric({
  args: { at: v.commitTs() },
  handler: async (ctx, { at }) => { await ctx.db.insert("stamps", { at }); },
});
export const stampByCall = mutationGeneric({
  args: {},
  handler: async (ctx) => { await ctx.runMutation(reference("put"), { at: ctx.db.vars.commitTs }); },
});
export const list = queryGeneric({ args: {}, handler: (ctx) => ctx.db.query("stamps").collect() });
`;

let backend: Backend;
beforeEach(async () => {
  backend = await openBackend({ dataDir: null });
  const push = await bundle({ modules: { stamps: STAMPS }, schema: null });
  await backend.deployment.activate(await backend.deployment.analyze(push));
});
afterEach(() => backend.close());

type Stamp = { at: { $integer: string }; named?: Record<string, number> };
const stamps = async () => valueOf<Stamp[]>(await backend.runner.query(call("stamps:list")));

describe("the timestamp of a commit", () => {
  test("a mutation returns the one its documents hold, also when it is asked again", async () => {
    const session = { sessionId: "s", requestId: 1 };
    const first = await backend.runner.mutation(call("stamps:stamp"), { session });
    const again = await backend.runner.mutation(call("stamps:stamp"), { session });
    const rows = await stamps();
    expect(rows).toHaveLength(1);
    expect(rows[0]?.at).toHaveProperty("$integer");
    expect([valueOf(first), valueOf(again)]).toEqual([{ at: rows[0]?.at }, { at: rows[0]?.at }]);
  });

  test("a mutation may hand it, still to come, to another that it calls", async () => {
    const outcome = await backend.runner.mutation(call("stamps:stampByCall"));
    expect(outcome.ok).toBe(true);
    expect((await stamps())[0]?.at).toHaveProperty("$integer");
  });

  test("nobody else may hand it over", async () => {
    const outcome = await backend.runner.mutation(call("stamps:put", { at: { $commitTs: null } }));
    expect(outcome).toMatchObject({ ok: false, error: { code: "ArgumentValidation" } });
  });
});

test("a field name inside a document may be empty, as the official client has it", async () => {
  await backend.runner.mutation(call("stamps:stamp"));
  expect((await stamps())[0]?.named).toEqual({ "": 1 });
});

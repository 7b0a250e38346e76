/** Loops without end cost their function, and nobody else anything but the wait. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PushError } from "../../embedded/functions/deployment.js";
import type { Backend } from "../../embedded/functions/backend.js";
import { FUNCTION_TIMES } from "../../embedded/functions/functionTimes.js";
import { bundle, call, openWithFixtures, valueOf } from "./coreSupport.js";

const LOOPS = `
  import { actionGeneric, httpActionGeneric, mutationGeneric, queryGeneric } from "convex/server";
  const forever = () => { for (;;); };
  export const atOnce = queryGeneric(() => forever());
  export const afterRead = queryGeneric(async (ctx) => {
    await ctx.db.query("jobs").collect();
    forever();
  });
  export const afterWrite = mutationGeneric(async (ctx) => {
    await ctx.db.insert("jobs", { state: "lost", priority: 1 });
    try { forever(); } finally { await ctx.db.insert("jobs", { state: "finally", priority: 1 }); }
  });
  export const microtasks = mutationGeneric(async () => { for (;;) await null; });
  export const nested = mutationGeneric(async (ctx) => {
    await ctx.db.insert("jobs", { state: "outer", priority: 1 });
    return await ctx.runMutation("loops:afterWrite").catch((error) => String(error));
  });
  export const hashing = queryGeneric(async () => {
    await crypto.subtle.digest("SHA-256", new Uint8Array(8));
    forever();
  });
  export const action = actionGeneric(() => forever());
  export const afterTimer = actionGeneric(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    forever();
  });
  export const inTimer = actionGeneric(() => new Promise(() => { setTimeout(forever, 1); }));
  export const afterBlob = actionGeneric(async () => {
    await new Blob(["x"]).text();
    forever();
  });
  export const afterCall = actionGeneric(async (ctx) => {
    await ctx.runQuery("loops:rows");
    forever();
  });
  export const rows = queryGeneric(async (ctx) => (await ctx.db.query("jobs").collect()).length);
  export const digest = queryGeneric(async () => {
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("x"));
    return new Uint8Array(bytes).length;
  });
  export const blob = queryGeneric(async () => await new Blob(["text of a blob"]).text());
  export const order = actionGeneric(async (ctx) => {
    const seen = [];
    queueMicrotask(() => seen.push("microtask"));
    const slow = new Promise((resolve) => setTimeout(() => resolve("timer"), 5));
    seen.push("first", await ctx.runQuery("loops:rows"), await slow);
    const piped = new Blob(["piped"]).stream().pipeThrough(new TextDecoderStream());
    for await (const text of piped) seen.push(text);
    return seen;
  });
  export const quiet = actionGeneric(async () => {
    const signal = AbortSignal.timeout(20);
    const stream = new ReadableStream({
      start: (controller) => signal.addEventListener("abort", () => controller.enqueue("aborted")),
    });
    const { value } = await stream.getReader().read();
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    void writer.write("read");
    return [value, (await readable.getReader().read()).value];
  });
  export const throwsInTimer = actionGeneric(async () => {
    setTimeout(() => { throw new Error("thrown by a timer"); }, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
  });`;

let backend: Backend;
beforeEach(async () => {
  // Short enough for a test; five times the first is when a query or mutation is stopped.
  backend = await openWithFixtures({
    times: { ...FUNCTION_TIMES, userMs: 60, actionStretchMs: 300 },
  });
  const push = await bundle({ modules: { loops: LOOPS }, schema: null });
  await backend.deployment.activate(await backend.deployment.analyze(push));
});
afterEach(() => backend.close());

const rows = async () => valueOf(await backend.runner.query(call("loops:rows")));

describe("a loop without end is stopped, and the backend goes on", () => {
  test.each(["atOnce", "afterRead", "hashing"])("in a query: %s", async (name) => {
    const outcome = await backend.runner.query(call(`loops:${name}`));
    expect(outcome).toMatchObject({ ok: false, error: { code: "TimedOut" } });
    expect(!outcome.ok && outcome.error.message).toContain(
      "Function execution timed out (maximum duration: 0.06s)",
    );
    expect(await rows()).toBe(0);
  });

  test.each(["afterWrite", "microtasks"])(
    "in a mutation, which writes nothing: %s",
    async (name) => {
      const outcome = await backend.runner.mutation(call(`loops:${name}`));
      expect(outcome).toMatchObject({ ok: false, error: { code: "TimedOut" } });
      expect(await rows()).toBe(0);
    },
  );

  test("in a nested mutation: its caller may go on", async () => {
    const outcome = await backend.runner.mutation(call("loops:nested"));
    expect(valueOf<string>(outcome)).toContain("Function execution timed out");
    expect(await rows()).toBe(1);
  });

  test.each(["action", "afterTimer", "inTimer", "afterBlob", "afterCall"])(
    "in an action: %s",
    async (name) => {
      const outcome = await backend.runner.action(call(`loops:${name}`));
      expect(outcome).toMatchObject({ ok: false, error: { code: "TimedOut" } });
      expect(!outcome.ok && outcome.error.message).toContain(
        "maximum duration: 0.3s without waiting for anything",
      );
      expect(await rows()).toBe(0);
    },
  );

  test("others that run at the same time are answered", async () => {
    const outcomes = await Promise.all([
      backend.runner.action(call("loops:order")),
      backend.runner.action(call("loops:afterTimer")),
      backend.runner.query(call("loops:digest")),
      backend.runner.mutation(call("loops:afterWrite")),
    ]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true, false]);
  });
});

describe("code that waits goes on when there is an answer", () => {
  test("of crypto and of a Blob in a query", async () => {
    expect(valueOf(await backend.runner.query(call("loops:digest")))).toBe(32);
    expect(valueOf(await backend.runner.query(call("loops:blob")))).toBe("text of a blob");
  });

  test("of calls, timers and streams in an action, in order", async () => {
    expect(valueOf(await backend.runner.action(call("loops:order")))).toEqual([
      "microtask",
      "first",
      0,
      "timer",
      "piped",
    ]);
  });

  test("of host promises that timers and turns of the host settle, while nothing else happens", async () => {
    const outcome = await backend.runner.action(call("loops:quiet"));
    expect(valueOf(outcome)).toEqual(["aborted", "read"]);
  });

  test("what a timer throws is the action's failure", async () => {
    const outcome = await backend.runner.action(call("loops:throwsInTimer"));
    expect(!outcome.ok && outcome.error.message).toContain("Uncaught Error: thrown by a timer");
  });
});

test("an HTTP action streams its answer after it has returned, and may call functions meanwhile", async () => {
  const http = `
    import { httpActionGeneric, httpRouter } from "convex/server";
    const router = httpRouter();
    let pulls = 0;
    router.route({ path: "/stream", method: "GET", handler: httpActionGeneric(async (ctx) => {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      void (async () => {
        const encoder = new TextEncoder();
        for (let n = 0; n < 3; n += 1) {
          await ctx.runMutation("jobs:add", { state: "streamed", priority: n });
          await new Promise((resolve) => setTimeout(resolve, 1));
          await writer.write(encoder.encode(String(n)));
        }
        await writer.close();
      })();
      return new Response(readable, { status: 201, headers: { "x-kind": "stream" } });
    }) });
    router.route({ path: "/stuck", method: "GET", handler: httpActionGeneric(async () => new Response(
      new ReadableStream({ pull: async (controller) => {
        await null;
        if (pulls++ > 0) for (;;);
        controller.enqueue(new Uint8Array([48]));
      } }, { highWaterMark: 0 }),
    )) });
    export default router;`;
  const push = await bundle({ modules: { loops: LOOPS, http }, schema: null });
  await backend.deployment.activate(await backend.deployment.analyze(push));
  const get = async (path: string) => {
    const { request } = call("http");
    const asked = new Request(`http://localhost${path}`);
    return (await backend.runner.httpAction(asked, { kind: "none" }, request)).response;
  };
  const streamed = await get("/stream");
  expect([streamed.status, streamed.headers.get("x-kind")]).toEqual([201, "stream"]);
  expect(await streamed.text()).toBe("012");
  expect(await rows()).toBe(3);
  await expect((await get("/stuck")).text()).rejects.toThrow("timed out");
});

test("a module that never ends while it is imported is refused by name", async () => {
  const push = await bundle({ modules: { loops: "export const x = 1; for (;;);" }, schema: null });
  const refused = backend.deployment.analyze(push);
  await expect(refused).rejects.toThrow("Failed to analyze loops.js");
  await expect(refused).rejects.toBeInstanceOf(PushError);
});

/** Components, from npm and from a folder, pushed by the official CLI and called by official clients. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { makeFunctionReference, type FunctionReference } from "convex/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../support/waitFor.js";
import {
  convexCli,
  deploy,
  httpClient,
  startBackend,
  TestClient,
  type BackendProcess,
} from "./wireSupport.js";

const APP = path.join(import.meta.dirname, "fixtures/components");
const CACHE = path.resolve("node_modules/.cache/wire-tests");

type Kind = "query" | "mutation" | "action";
const fn = <K extends Kind, Result = null>(name: string) =>
  // Tests know what their fixtures take and return.
  makeFunctionReference<K, Record<string, unknown>, Result>(name) as FunctionReference<
    K,
    "public",
    Record<string, unknown>,
    Result
  >;
const counts = fn<"query", number>("own:get");

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startBackend();
  const http = httpClient(backend);
  const pushed = await deploy(backend, APP);
  if (pushed.code !== 0) throw new Error(pushed.stderr);
  expect(await http.query(counts, { which: "counter", key: "nothing" })).toBe(0);
});

const query = <T>(name: string, args: Record<string, unknown> = {}) =>
  httpClient(backend).query(fn<"query", T>(name), args);
const mutate = <T = null>(name: string, args: Record<string, unknown> = {}) =>
  httpClient(backend).mutation(fn<"mutation", T>(name), args);
const asAdmin = async (componentPath: string, name: string, args: unknown = {}) => {
  const answer = await backend.postAsAdmin("/api/function", {
    path: name,
    componentPath,
    args,
    format: "json",
  });
  // The form of every answer of this endpoint.
  return (await answer.json()) as { status: string; value?: unknown; errorMessage?: string };
};

describe("packages as they come from npm", () => {
  test("rate-limiter refuses the third call of two a minute", async () => {
    expect(await mutate("packages:send")).toEqual({ ok: true });
    expect(await mutate("packages:send")).toEqual({ ok: true });
    expect(await mutate("packages:send")).toMatchObject({ ok: false });
  });

  test("workpool, on batch-worker inside it, runs actions and reports each outcome once", async () => {
    const { client } = new TestClient(backend.url);
    let outcomes: string[] = [];
    client.onUpdate(fn<"query", string[]>("packages:outcomes"), {}, (value) => {
      outcomes = value;
    });
    await client.mutation(fn<"mutation">("packages:enqueue"), {});
    await waitFor("three outcomes", () => outcomes.length === 3);
    expect(outcomes).toEqual(["a success", "b failed", "c success"]);
  });

  test("aggregate counts, and migrations rewrite in batches", async () => {
    for (const points of [3, 9, 4]) await mutate("packages:addScore", { points });
    expect(await query("packages:summary")).toEqual({ count: 3, max: 9 });
    await mutate("packages:startDoubling");
    await waitFor("all doubled", async () => {
      const points = await query<number[]>("packages:points");
      return points.join() === "6,18,8";
    });
  });
});

describe("instances", () => {
  test("of one definition share no data", async () => {
    await mutate("own:bump", { which: "counter", key: "apart" });
    expect(await query("own:get", { which: "counter", key: "apart" })).toBe(1);
    expect(await query("own:get", { which: "second", key: "apart" })).toBe(0);
  });

  test("a call that fails inside one undoes what it wrote there, and no more", async () => {
    await mutate("own:bumpAround", { key: "around" });
    expect(await query("own:get", { which: "counter", key: "around" })).toBe(1);
    expect(await query("own:get", { which: "second", key: "around" })).toBe(1);
  });

  test("see the variables bound to them, in what they use too, and no others", async () => {
    const set = ["SECRET", "GREETING"].map((name) => ({ name, value: name.toLowerCase() }));
    await backend.postAsAdmin("/api/update_environment_variables", { changes: set });
    expect(await query("own:describe", { which: "counter" })).toMatchObject({
      name: "first",
      outer: "first",
      greeting: "greeting",
      secret: null,
      site: `${backend.siteUrl}/counter`,
    });
    expect(await query("own:describe", { which: "second" })).toMatchObject({
      name: "second",
      outer: "second",
      greeting: null,
    });
  });

  test("see nobody as the caller, whoever calls the app", async () => {
    const { stdout } = await convexCli(
      backend,
      ["run", "--identity", '{"subject":"grace"}', "own:describe", '{"which":"counter"}'],
      APP,
    );
    expect(JSON.parse(stdout)).toMatchObject({ identity: null });
  });

  test("answer subscriptions of the app when their data changes", async () => {
    const watch = new TestClient(backend.url).watch(counts, { which: "second", key: "watched" });
    await watch.until("the first answer", (n) => n === 0);
    await mutate("own:bump", { which: "second", key: "watched" });
    await watch.until("the change", (n) => n === 1);
  });

  test("are called by actions, each call in its own transaction", async () => {
    const value = await httpClient(backend).action(fn<"action", unknown>("own:both"), {
      key: "both",
    });
    expect(value).toMatchObject({ name: "second" });
    expect(await query("own:get", { which: "counter", key: "both" })).toBe(1);
  });

  test.each([
    ["hidden", "Could not find function"],
    ["pages", "paginate() is only supported in the app"],
  ])("refuse their parent %s", async (name, reason) => {
    await expect(query("own:reach", { name })).rejects.toThrow(reason);
  });
});

describe("scheduling", () => {
  test("by a component runs there, and is on its own list alone", async () => {
    await mutate("own:bumpLater", { which: "second", key: "later" });
    await backend.postAsAdmin("/control/idle", {});
    expect(await query("own:get", { which: "second", key: "later" })).toBe(1);
    expect(await query("own:describe", { which: "second" })).toMatchObject({
      jobs: ["counts.js:bump"],
    });
    expect(await query("own:jobNames")).not.toContain("counts.js:bump");
  });

  test("into a component is on the list of who scheduled it", async () => {
    await mutate("own:scheduleInto", { key: "into" });
    await backend.postAsAdmin("/control/idle", {});
    expect(await query("own:get", { which: "counter", key: "into" })).toBe(1);
    expect(await query("own:jobNames")).toContain("counts.js:bump");
  });

  test("a handle lets a component call back into the app, later", async () => {
    expect(await mutate<string>("own:giveHandle")).toMatch(/^function:\/\//);
    await backend.postAsAdmin("/control/idle", {});
    expect(await query("packages:outcomes")).toContain("handle called");
  });

  test("crons of a component run in each of its instances", async () => {
    await backend.postAsAdmin("/control/idle", {});
    expect(await query("own:get", { which: "counter", key: "ticks" })).toBe(1);
    expect(await query("own:get", { which: "second", key: "ticks" })).toBe(1);
  });
});

test("an export holds the tables of components, and an import puts them back where they were", async () => {
  await mutate("own:bump", { which: "counter", key: "exported" });
  await mutate("own:bump", { which: "second", key: "exported" });
  await mutate("own:bump", { which: "second", key: "exported" });
  const file = path.join(mkdtempSync(path.join(CACHE, "export-")), "all.zip");
  expect((await convexCli(backend, ["export", "--path", file], APP)).code).toBe(0);
  await mutate("own:bump", { which: "counter", key: "exported" });
  await mutate("own:bump", { which: "second", key: "exported" });
  const imported = await convexCli(backend, ["import", "-y", "--replace", file], APP);
  expect([imported.code, imported.stderr]).toEqual([0, expect.stringContaining("Added")]);
  expect(await query("own:get", { which: "counter", key: "exported" })).toBe(1);
  expect(await query("own:get", { which: "second", key: "exported" })).toBe(2);
});

describe("HTTP mounts", () => {
  const get = async (at: string) => {
    const answer = await fetch(backend.siteUrl + at);
    return [answer.status, await answer.text()];
  };

  test.each([
    ["/counter/hello", [200, "first /counter/hello"]],
    ["/counter/under/anything", [200, "under"]],
    ["/counter/mine", [200, "the app's"]],
    ["/counter/nothing", [404, "No HttpAction routed for /counter/nothing"]],
    ["/hello", [404, "No HttpAction routed for /hello"]],
  ])("%s → %j", async (at, answer) => {
    expect(await get(at)).toEqual(answer);
  });

  test("what an HTTP action prints is in the function log", async () => {
    await get("/counter/hello");
    const answer = await fetch(`${backend.url}/api/stream_function_logs?cursor=0`, {
      headers: { authorization: `Convex ${backend.adminKey}` },
    });
    expect(await answer.text()).toContain("a line of an HTTP action");
  });
});

describe("the official CLI", () => {
  const cli = (...args: string[]) => convexCli(backend, args, APP);

  test("run --component calls a component's internal function", async () => {
    const { code, stdout } = await cli("run", "--component", "counter", "counts:hidden");
    expect([code, stdout.trim()]).toEqual([0, '"hidden"']);
  });

  test("data --component shows a component's tables and rows", async () => {
    await mutate("own:bump", { which: "second", key: "shown" });
    const [tables, rows] = await Promise.all([
      cli("data", "--component", "second"),
      cli("data", "--component", "second", "counts"),
    ]);
    expect(tables.stdout.trim()).toBe("counts");
    expect(rows.stdout).toContain("shown");
  });

  test("codegen describes the components that are used", async () => {
    mkdirSync(CACHE, { recursive: true });
    const app = mkdtempSync(path.join(CACHE, "components-"));
    afterAll(() => {
      rmSync(app, { recursive: true, force: true });
    });
    cpSync(APP, app, { recursive: true });
    const { code, stderr } = await convexCli(backend, ["codegen"], app);
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const api = readFileSync(path.join(app, "convex/_generated/api.d.ts"), "utf8");
    for (const name of ["rateLimiter", "workpool", "aggregate", "migrations", "second"]) {
      expect(api).toContain(`${name}: `);
    }
  });
});

test("outsiders reach no component", async () => {
  const body = { path: "counts:get", componentPath: "counter", args: { key: "x" }, format: "json" };
  const answer = await backend.post("/api/function", body);
  expect(await answer.text()).toContain("Could not find");
  expect(await asAdmin("counter", "counts:get", { key: "x" })).toMatchObject({ value: 0 });
});

test("all is there after a restart: code, data, crons and who sees what", async () => {
  const before = await startBackend();
  await deploy(before, APP);
  await httpClient(before).mutation(fn<"mutation">("own:bump"), { which: "second", key: "kept" });
  await before.end("SIGKILL");
  const after = await startBackend({ dataDir: before.dataDir });
  const http = httpClient(after);
  expect(await http.query(counts, { which: "second", key: "kept" })).toBe(1);
  expect(await http.query(counts, { which: "second", key: "ticks" })).toBe(1);
  expect(await http.query(fn<"query">("own:describe"), { which: "second" })).toMatchObject({
    name: "second",
  });
});

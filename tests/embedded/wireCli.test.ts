/** The official CLI against one backend. Commands that only read run side by side. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  cliEnvironment,
  convexCli,
  copyOfApp,
  deploy,
  httpClient,
  rows,
  startBackend,
  startDeployed,
  type BackendProcess,
} from "./wireSupport.js";

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed({ args: ["--memory"] });
  const http = httpClient(backend);
  for (const n of [1, 2, 3]) await http.mutation(rows.add, { tag: "cli", n });
});

const cli = (...args: string[]) => convexCli(backend, args);

describe("convex run", () => {
  test.concurrent("a query prints its result", async ({ expect }) => {
    const { code, stdout } = await cli("run", "rows:list", '{"tag":"cli"}');
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { n: number }[]).map((row) => row.n)).toEqual([1, 2, 3]);
  });

  test.concurrent("an internal mutation runs with the admin key", async ({ expect }) => {
    const { code } = await cli("run", "rows:addHidden", '{"tag":"cliHidden","n":1}');
    expect(code).toBe(0);
    expect(await httpClient(backend).query(rows.list, { tag: "cliHidden" })).toHaveLength(1);
  });

  test.concurrent("an action runs", async ({ expect }) => {
    const { code, stdout } = await cli("run", "rows:addTwice", '{"tag":"cliAction","n":1}');
    expect([code, stdout.trim()]).toEqual([0, "2"]);
  });

  test.concurrent("--identity is who the function sees", async ({ expect }) => {
    const identity = '{"subject":"grace","name":"Grace"}';
    const { code, stdout } = await cli("run", "--identity", identity, "rows:whoAmI", "{}");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ subject: "grace", name: "Grace" });
  });

  test.concurrent(
    "an unknown function → exit 1 and the list of those there are",
    async ({ expect }) => {
      const { code, stderr } = await cli("run", "rows:nothing", "{}");
      expect(code).toBe(1);
      expect(stderr).toContain("Could not find function");
      expect(stderr).toContain("addHidden");
    },
  );
});

describe("convex data", () => {
  test.concurrent("lists the tables", async ({ expect }) => {
    const { code, stdout } = await cli("data");
    expect([code, stdout.trim()]).toEqual([0, "rows"]);
  });

  test.concurrent("shows a table's newest documents", async ({ expect }) => {
    const { code, stdout } = await cli("data", "rows", "--limit", "2", "--format", "jsonl");
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(2);
  });
});

describe("convex env", () => {
  test("set, get, list, remove; functions see a change at once", async () => {
    const http = httpClient(backend);
    expect((await cli("env", "set", "GREETING", "hello")).code).toBe(0);
    expect(await http.query(rows.greeting, {})).toBe("hello");
    const [got, listed] = await Promise.all([cli("env", "get", "GREETING"), cli("env", "list")]);
    expect(got.stdout.trim()).toBe("hello");
    expect(listed.stdout).toContain("GREETING=hello");
    expect((await cli("env", "remove", "GREETING")).code).toBe(0);
    expect(await http.query(rows.greeting, {})).toBeNull();
  });
});

describe("convex function-spec, codegen, dev, logs", () => {
  test.concurrent("function-spec names every function and route", async ({ expect }) => {
    const { code, stdout } = await cli("function-spec");
    expect(code).toBe(0);
    const spec = JSON.parse(stdout) as { url: string; functions: { identifier?: string }[] };
    expect(spec.url).toBe(backend.url);
    expect(spec.functions).toContainEqual(
      expect.objectContaining({ identifier: "rows.js:add", functionType: "Mutation" }),
    );
    expect(spec.functions).toContainEqual({
      functionType: "HttpAction",
      path: "/who",
      method: "GET",
    });
  });

  test.concurrent(
    "dev --once pushes, generates code and names the deployment",
    async ({ expect }) => {
      const app = copyOfApp();
      const { code, stderr } = await convexCli(
        backend,
        ["dev", "--once", "--typecheck", "disable"],
        app,
      );
      expect(stderr).toContain("Convex functions ready");
      expect(code).toBe(0);
      expect(readFileSync(path.join(app, "convex/_generated/api.d.ts"), "utf8")).toContain("rows");
      expect(readFileSync(path.join(app, ".env.local"), "utf8")).toContain(backend.url);
    },
  );

  test.concurrent("codegen writes the same files without a push", async ({ expect }) => {
    const empty = await startBackend();
    const app = copyOfApp();
    const { code } = await convexCli(empty, ["codegen", "--typecheck", "disable"], app);
    expect(code).toBe(0);
    expect(existsSync(path.join(app, "convex/_generated/server.js"))).toBe(true);
    await expect(httpClient(empty).query(rows.jobs, {})).rejects.toThrow("Could not find");
  });

  test.concurrent("logs follows what functions print", async ({ expect }) => {
    const main = path.resolve("node_modules/convex/bin/main.js");
    const child = spawn(process.execPath, [main, "logs", "--history", "50"], {
      cwd: path.join(import.meta.dirname, "fixtures/app"),
      env: cliEnvironment(backend),
    });
    let seen = "";
    const hasLine = new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
        if (seen.includes("a line to follow")) resolve();
      });
    });
    await httpClient(backend).mutation(rows.say, { text: "a line to follow" });
    await hasLine;
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(seen).toMatch(/M\(rows:say\)\].*a line to follow/);
  });
});

describe("a push that cannot be", () => {
  const change = (file: string, edit: (text: string) => string): string => {
    const app = copyOfApp();
    const at = path.join(app, "convex", file);
    writeFileSync(at, edit(readFileSync(at, "utf8")));
    return app;
  };

  test.concurrent(
    "documents that do not fit the new schema → exit 1, old functions stay",
    async ({ expect }) => {
      const app = change("schema.ts", (text) => text.replace("n: v.number()", "n: v.string()"));
      const { code, stderr } = await deploy(backend, app);
      expect(code).toBe(1);
      expect(stderr).toContain("Schema validation failed");
      expect(stderr).toContain("does not match the schema");
      expect(await httpClient(backend).query(rows.list, { tag: "cli" })).toHaveLength(3);
    },
  );

  test.concurrent("a module that throws when loaded → exit 1, naming it", async ({ expect }) => {
    const app = change("rows.ts", (text) => `${text}\nthrow new Error("broken at load");\n`);
    const { code, stderr } = await deploy(backend, app);
    expect(code).toBe(1);
    expect(stderr).toContain("rows.js");
    expect(stderr).toContain("broken at load");
  });

  test.concurrent("a wrong admin key → exit 1", async ({ expect }) => {
    const stranger = { ...cliEnvironment(backend), CONVEX_SELF_HOSTED_ADMIN_KEY: "embedded|00" };
    const main = path.resolve("node_modules/convex/bin/main.js");
    const child = spawn(process.execPath, [main, "env", "set", "A", "b"], {
      cwd: path.join(import.meta.dirname, "fixtures/app"),
      env: stranger,
    });
    await once(child, "close");
    expect(child.exitCode).toBe(1);
  });
});

test("an unknown endpoint says at once that it is not supported", async () => {
  const answer = await backend.postAsAdmin("/api/shapes2", {});
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ code: "UnsupportedEndpoint" });
});

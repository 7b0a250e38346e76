/** The operator's commands, as processes of their own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import Database from "libsql";
import { describe, expect, test } from "vitest";
import { FORMAT } from "../../embedded/store/format.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";
import {
  bundled,
  convexCli,
  copyOfApp,
  httpClient,
  rows,
  runCommand,
  startBackend,
  startDeployed,
  TestClient,
} from "./wireSupport.js";

const newPath = (name: string) => path.join(tempDir("ops"), name);

describe("backup and restore", () => {
  test("a backup of a running backend is one moment of it, files included", async () => {
    const backend = await startDeployed();
    const stored = await convexCli(backend, ["run", "files:roundTrip", '{"text":"a file"}']);
    const { id } = JSON.parse(stored.stdout) as { id: string };
    // Each mutation adds one row, so a backup between two of them holds a prefix of 0, 1, 2, …
    const { client } = new TestClient(backend.url);
    const written: Promise<string>[] = [];
    for (let n = 0; n < 100; n += 1) {
      written.push(client.mutation(rows.add, { tag: "live", n }));
    }
    await written[10];
    const file = newPath("backup");
    const made = await runCommand(["backup", file, "--data", backend.dataDir]);
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await Promise.all(written);

    const restored = newPath("restored");
    expect(await runCommand(["restore", file, "--data", restored])).toMatchObject({ code: 0 });
    const again = await startBackend({ dataDir: restored });
    const found = (await httpClient(again).query(rows.list, { tag: "live" })).map(({ n }) => n);
    expect(found).toEqual(Array.from({ length: found.length }, (_, n) => n));
    expect(found.length).toBeGreaterThan(10);
    const url = await convexCli(again, ["run", "files:url", JSON.stringify({ id })]);
    expect(await (await fetch(JSON.parse(url.stdout) as string)).text()).toBe("a file");
    expect(again.adminKey).not.toBe(backend.adminKey);
  });

  test("restore refuses a folder that holds something, and leaves it alone", async () => {
    const backend = await startBackend();
    const file = newPath("backup");
    await runCommand(["backup", file, "--data", backend.dataDir]);
    const { code, stderr } = await runCommand(["restore", file, "--data", backend.dataDir]);
    expect([code, stderr]).toEqual([69, expect.stringContaining("is not empty")]);
    expect((await fetch(`${backend.url}/version`)).ok).toBe(true);
  });

  test.each([
    ["a file that is no backup", "not a database at all"],
    ["an empty file", ""],
  ])("restore refuses %s, and makes no folder", async (_name, content) => {
    const file = newPath("file");
    writeFileSync(file, content);
    const folder = newPath("data");
    const { code, stderr } = await runCommand(["restore", file, "--data", folder]);
    expect([code, stderr]).toEqual([69, expect.stringContaining("is not a backup")]);
    expect(existsSync(folder)).toBe(false);
  });

  test("backup refuses to overwrite a file", async () => {
    const backend = await startBackend();
    const file = newPath("precious");
    writeFileSync(file, "precious");
    const { code } = await runCommand(["backup", file, "--data", backend.dataDir]);
    expect([code, readFileSync(file, "utf8")]).toEqual([69, "precious"]);
  });
});

describe("status and compact", () => {
  test("status tells who serves the folder and what is in it; exit 3 when nobody does", async () => {
    const backend = await startDeployed();
    await httpClient(backend).mutation(rows.add, { tag: "a", n: 1 });
    const running = await runCommand(["status", "--data", backend.dataDir, "--json"]);
    expect(running.code).toBe(0);
    expect(JSON.parse(running.stdout)).toMatchObject({
      pid: backend.child.pid,
      url: backend.url,
      format: FORMAT,
    });
    const words = await runCommand(["status", "--data", backend.dataDir]);
    expect(words.stdout).toMatch(/rows: \d+ documents/);
    await backend.end("SIGKILL");
    const stopped = await runCommand(["status", "--data", backend.dataDir, "--json"]);
    expect(stopped.code).toBe(3);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ pid: null, url: null });
  });

  test("compact gives space back, and is refused while the backend runs", async () => {
    const backend = await startDeployed();
    const text = "x".repeat(1_000);
    const file = newPath("big.jsonl");
    const lines = Array.from({ length: 2_000 }, (_, n) => JSON.stringify({ tag: text, n }));
    writeFileSync(file, lines.join("\n"));
    const empty = newPath("empty.jsonl");
    writeFileSync(empty, '{"tag":"x","n":1}\n');
    for (const source of [file, empty]) {
      const args = ["import", "-y", "--table", "rows", "--replace", source];
      expect((await convexCli(backend, args)).code).toBe(0);
    }
    const refused = await runCommand(["compact", "--data", backend.dataDir]);
    expect([refused.code, refused.stderr]).toEqual([69, expect.stringContaining("is in use")]);
    await backend.end("SIGTERM");
    const dataFile = path.join(backend.dataDir, "data.sqlite");
    const before = statSync(dataFile).size;
    expect(await runCommand(["compact", "--data", backend.dataDir])).toMatchObject({ code: 0 });
    expect(statSync(dataFile).size).toBeLessThan(before / 2);
    const again = await startBackend({ dataDir: backend.dataDir });
    expect(await httpClient(again).query(rows.list, { tag: "x" })).toHaveLength(1);
  });

  test.each([["status"], ["compact"], ["backup"]])(
    "%s on a folder without data → exit 69 and a sentence",
    async (command) => {
      const file = command === "backup" ? [newPath("file")] : [];
      const args = [command, ...file, "--data", newPath("nothing")];
      expect(await runCommand(args)).toMatchObject({
        code: 69,
        stderr: expect.stringContaining("There is no data in") as string,
      });
    },
  );
});

describe("the format of the data file", () => {
  const planted = (change: string): string => {
    const folder = newPath("data");
    mkdirSync(folder, { recursive: true });
    const db = new Database(path.join(folder, "data.sqlite"));
    db.exec(change);
    db.close();
    return folder;
  };
  const FORMAT_1 = `
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE docs (
      space INTEGER NOT NULL, key BLOB NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, key));
    CREATE TABLE idx (
      space INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)
    ) WITHOUT ROWID;
    INSERT INTO meta VALUES ('format', '1');
    INSERT INTO meta VALUES ('table/' || char(0) || 'old',
      '{"componentId":"","name":"old","number":10001,"space":2,"indexes":[]}');
    INSERT INTO docs VALUES (2, x'1061', '{"_creationTime":1,"_id":"a"}');
    INSERT INTO docs VALUES (2, x'1062', '{"_creationTime":2,"_id":"b"}');`;

  test("an older one is brought forward with its documents when it is opened", async () => {
    const folder = planted(FORMAT_1);
    const backend = await startBackend({ dataDir: folder });
    const status = await runCommand(["status", "--data", folder, "--json"]);
    expect(JSON.parse(status.stdout)).toMatchObject({ format: FORMAT, tables: { old: 2 } });
    expect(await backend.end("SIGTERM")).toBe(0);
  });

  test("a newer one is refused by the exit code of every command, and left as it was", async () => {
    const folder = planted(`${FORMAT_1} UPDATE meta SET value = '99' WHERE key = 'format';`);
    const before = readFileSync(path.join(folder, "data.sqlite"));
    const start = ["start", "--data", folder, "--port", "0"];
    for (const args of [start, ...["status", "compact"].map((name) => [name, "--data", folder])]) {
      const { code, stderr } = await runCommand(args);
      expect([args[0], code, stderr]).toEqual([
        args[0],
        69,
        expect.stringMatching(/written by a newer version \(format 99/),
      ]);
    }
    expect(readFileSync(path.join(folder, "data.sqlite")).equals(before)).toBe(true);
  });
});

describe("the command line", () => {
  test.each([
    [["frobnicate"], '"frobnicate" is not a command'],
    [["start"], "--data is missing"],
    [["backup", "--data", "x"], "FILE is missing"],
    [["status", "--data", "x", "y"], '"y" is one argument too many'],
    [["start", "--data", "x", "--port", "70000"], "--port must be a number"],
  ])("%j → exit 64, why, and the usage", async (args, why) => {
    const { code, stderr } = await runCommand(args);
    expect(code).toBe(64);
    expect(stderr).toContain(why);
    expect(stderr).toContain("usage:");
  });

  test("dev serves the project of its folder, pushes each change, and takes its child with it", async () => {
    const app = copyOfApp();
    const data = newPath("data");
    const args = [await bundled(), "dev", "--data", data, "--port", "0"];
    const child = spawn(process.execPath, args, { cwd: app, env: { ...process.env, CI: "1" } });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    try {
      await waitFor("the first push", () => said.includes("Convex functions ready"));
      const url = readFileSync(path.join(data, "address"), "utf8").trim();
      const http = httpClient({ url });
      expect(await http.query(rows.greeting, {})).toBeNull();
      const file = path.join(app, "convex/rows.ts");
      const changed = readFileSync(file, "utf8").replace(
        'process.env["GREETING"] ?? null',
        '"changed"',
      );
      writeFileSync(file, changed);
      await waitFor("the change", async () => (await http.query(rows.greeting, {})) === "changed");
    } finally {
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      await exit;
    }
    expect(child.exitCode).toBe(0);
    // Its lock is free again, so no child of it lives on in the folder.
    expect((await runCommand(["status", "--data", data])).code).toBe(3);
  });
});

/** A disk that is full, a file that is damaged, and two processes that want the same folder. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataFolderError } from "../../embedded/store/dataFolder.js";
import { FileStore } from "../../embedded/store/fileStore.js";
import { tempDir } from "../support/tempDir.js";
import {
  httpClient,
  rows,
  runCommand,
  startBackend,
  startDeployed,
  TestClient,
  type BackendProcess,
} from "./wireSupport.js";

const EXIT_UNAVAILABLE = 69;
const EXIT_DISK = 74;
/** Ends a loop that waits for a full disk and would never see one. */
const WRITES_MAX = 5_000;
const PAD = "x".repeat(20_000);

/** A file system of a few MiB, or null where mounting is not allowed. */
function smallDisk(): string | null {
  const folder = tempDir("disk");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], { stdio: "pipe" });
    mounted.push(folder);
    return folder;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}
const mounted: string[] = [];
afterAll(() => {
  for (const folder of mounted.splice(0)) execFileSync("umount", ["-l", folder]);
});

const exitOf = (backend: BackendProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (backend.child.exitCode !== null) resolve(backend.child.exitCode);
    else backend.child.once("exit", resolve);
  });

/** What a limit of the shell makes of the process: no file may become longer. */
const limited = (kib: number) => ({
  command: ["bash", "-c", `ulimit -f ${kib}; exec "$0" "$@"`, process.execPath],
});

async function writeUntilRefused(backend: BackendProcess) {
  const http = httpClient(backend);
  const acknowledged: number[] = [];
  for (let n = 0; n < WRITES_MAX; n += 1) {
    try {
      await http.mutation(rows.add, { tag: `full${PAD}`, n });
      acknowledged.push(n);
    } catch (error) {
      return { acknowledged, message: String(error) };
    }
  }
  throw new Error("the disk never became full");
}

describe("a full disk", () => {
  test.for([
    ["small file system", smallDisk],
    ["limit of file size", () => "limit"],
  ] as [string, () => string | null][])(
    "%s: a clear error, exit, nothing acknowledged lost, and work goes on with room",
    async ([, make], { skip }) => {
      const place = make();
      const isLimit = place === "limit";
      if (place === null) return skip("mounting is not allowed here");
      const dataDir = path.join(isLimit ? tempDir("limit") : place, "data");
      // Deployed with room, so that only the load meets the limit.
      const first = await startDeployed({ dataDir });
      await first.end("SIGTERM");
      const port = ["--port", String(first.port), "--site-port", "0"];
      const full = await startBackend({ dataDir, args: port, ...(isLimit ? limited(4_096) : {}) });
      const one = new TestClient(full.url);
      await one.client.mutation(rows.add, { tag: "socket", n: 0 });
      const { acknowledged, message } = await writeUntilRefused(full);
      const sent = one.client.mutation(rows.add, { tag: "socket", n: 1 });
      expect(message).toMatch(/could not be written|fetch failed/);
      expect(await exitOf(full), full.stderr).toBe(EXIT_DISK);
      expect(full.stderr).toMatch(/^The data folder could not be written \(.*\): free the disk/m);
      expect(acknowledged.length).toBeGreaterThan(10);
      if (!isLimit) execFileSync("mount", ["-o", "remount,size=64m", place]);
      const after = await startBackend({ dataDir, args: port });
      const found = (await httpClient(after).query(rows.list, { tag: `full${PAD}` })).map(
        ({ n }) => n,
      );
      expect(found.slice(0, acknowledged.length)).toEqual(acknowledged);
      // The one that was cut off may have been kept.
      expect(found.length - acknowledged.length).toBeLessThanOrEqual(1);
      await sent;
      const socket = await httpClient(after).query(rows.list, { tag: "socket" });
      expect(socket.map(({ n }) => n)).toEqual([0, 1]);
    },
  );
});

describe("one process for one folder", () => {
  test("a torn name of the owner lets nobody else in", async () => {
    const folder = tempDir("torn");
    const store = FileStore.open(folder);
    for (const text of ["", "{", "null", '{"pid":1}']) {
      writeFileSync(path.join(folder, "lock"), text);
      expect(() => FileStore.open(folder)).toThrow(/ is in use by /);
    }
    rmSync(path.join(folder, "lock"));
    expect(() => FileStore.open(folder)).toThrow(/ is in use by another process: /);
    await store.close();
    await FileStore.open(folder).close();
  });

  test("of many that start at once on a dead one's folder, one gets it", async () => {
    const dead = await startBackend();
    await dead.end("SIGKILL");
    const started = await Promise.allSettled(
      Array.from({ length: 5 }, () => startBackend({ dataDir: dead.dataDir })),
    );
    const winners = started.filter(({ status }) => status === "fulfilled");
    expect(winners.length).toBe(1);
    for (const loser of started) {
      if (loser.status === "rejected") expect(String(loser.reason)).toMatch(/ is in use by /);
    }
  });

  test("after SIGKILL the next process gets the folder, whoever has the dead one's pid now", async () => {
    const dead = await startBackend();
    await dead.end("SIGKILL");
    writeFileSync(path.join(dead.dataDir, "lock"), JSON.stringify({ pid: process.pid }));
    const next = await startBackend({ dataDir: dead.dataDir });
    expect(await next.end("SIGTERM")).toBe(0);
  });
});

describe("a damaged data folder", () => {
  const COMMITS = 12;
  let source: string;
  /** A folder as SIGKILL leaves it: the newest commits are in the log alone. */
  beforeAll(async () => {
    const folder = tempDir("whole");
    const store = FileStore.open(folder);
    for (let n = 0; n < COMMITS; n += 1) {
      store.commit({
        writes: [
          { space: 2, key: `k${n}`, value: String(n) },
          { space: 1, key: `k${n}`, value: String(n) },
        ],
        meta: [{ key: "n", value: String(n) }],
      });
      await store.flush();
    }
    source = path.join(tempDir("copy"), "data");
    mkdirSync(source);
    copyAll(folder, source);
    await store.close();
  });

  function copyAll(from: string, to: string): void {
    for (const name of readdirSync(from)) {
      if (name.startsWith("data.sqlite") && !name.endsWith("-shm")) {
        copyFileSync(path.join(from, name), path.join(to, name));
      }
    }
  }

  test("a log that is torn, cut or scribbled on → the state after some commit, whole", async () => {
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      kind: fc.constantFrom("cut" as const, "scribble" as const, "append" as const),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, kind, bytes }) => {
        const folder = tempDir("damaged");
        copyAll(source, folder);
        const log = path.join(folder, "data.sqlite-wal");
        const content = readFileSync(log);
        const position = Math.floor(at * content.length);
        if (kind === "cut") truncateSync(log, position);
        else if (kind === "append") writeFileSync(log, Buffer.concat([content, bytes]));
        else {
          content.set(bytes.slice(0, content.length - position), position);
          writeFileSync(log, content);
        }
        const store = open(folder);
        if (store === null) return;
        const newest = Number(store.metaGet("n") ?? "-1");
        for (let n = 0; n < COMMITS; n += 1) {
          const expected = n <= newest ? String(n) : null;
          expect([store.get(2, `k${n}`), store.get(1, `k${n}`)]).toEqual([expected, expected]);
        }
        expect(store.count(2, "", null)).toBe(newest + 1);
        store.commit({ writes: [{ space: 2, key: "again", value: "1" }] });
        await store.close();
      }),
      { numRuns: 60 },
    );
  });

  /** Null where it is refused, which must be by one sentence. */
  function open(folder: string): FileStore | null {
    try {
      return FileStore.open(folder);
    } catch (error) {
      expect(error).toBeInstanceOf(DataFolderError);
      return null;
    }
  }

  test("a data file that is none → one sentence, exit 69, and the file is left alone", async () => {
    const folder = tempDir("none");
    const file = path.join(folder, "data.sqlite");
    writeFileSync(file, "this was a database once".repeat(400));
    const before = readFileSync(file);
    const { code, stderr } = await runCommand(["--data", folder, "--port", "0"]);
    expect(code).toBe(EXIT_UNAVAILABLE);
    expect(stderr).toMatch(/^The data folder .* cannot be opened \(.*\): .*restore a backup\.$/m);
    expect(readFileSync(file)).toEqual(before);
  });
});

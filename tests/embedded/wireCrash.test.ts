/** What must hold over SIGKILL and restart, and what scheduled functions promise. */
import { beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../support/waitFor.js";
import {
  httpClient,
  rows,
  startBackend,
  startDeployed,
  TestClient,
  type BackendProcess,
} from "./wireSupport.js";

const ROUNDS = 5;
const WRITERS = 4;
const ACKNOWLEDGED_BEFORE_KILL = 60;

let backend: BackendProcess;
beforeAll(async () => {
  backend = await startDeployed();
});

/** A crash, and a new process on the same folder and port. */
async function crash(): Promise<void> {
  await backend.end("SIGKILL");
  await again();
}

async function again(): Promise<void> {
  const args = ["--port", String(backend.port), "--site-port", "0"];
  backend = await startBackend({ dataDir: backend.dataDir, args });
}

const tagged = async (tag: string) =>
  (await httpClient(backend).query(rows.list, { tag })).map((row) => row.n).sort((a, b) => a - b);
const advance = (advanceMs: number) => backend.postAsAdmin("/control/time", { advanceMs });
const idle = () => backend.postAsAdmin("/control/idle", {});
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe("SIGKILL under load", () => {
  test(`every acknowledged mutation is there after each of ${ROUNDS} crashes`, async () => {
    const acknowledged = new Set<number>();
    let next = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const goal = acknowledged.size + ACKNOWLEDGED_BEFORE_KILL;
      const http = httpClient(backend);
      const writers = numbers(WRITERS).map(async () => {
        // Ends when the backend dies under it; what was not acknowledged may or may not be there.
        for (;;) {
          const n = next++;
          await http.mutation(rows.add, { tag: "load", n }, { skipQueue: true });
          acknowledged.add(n);
        }
      });
      const ended = Promise.allSettled(writers);
      await waitFor("enough acknowledged mutations", () => acknowledged.size >= goal);
      await crash();
      await ended;
      const found = await tagged("load");
      expect(found).toEqual([...new Set(found)]);
      expect([...acknowledged].filter((n) => !found.includes(n))).toEqual([]);
    }
  });

  test("a client that stays open resends over a crash, and each mutation is applied once", async () => {
    const one = new TestClient(backend.url);
    const watch = one.watch(rows.list, { tag: "resent" });
    await watch.until("the empty list", (value) => value.length === 0);
    const sent = numbers(40).map((n) => one.client.mutation(rows.add, { tag: "resent", n }));
    await sent[5];
    await crash();
    await Promise.all(sent);
    expect(await tagged("resent")).toEqual(numbers(40));
    await watch.until("all rows", (value) => value.length === 40);
  });
});

test("SIGTERM under load: exit 0, nothing acknowledged is lost, the rest is resent and applied once", async () => {
  const one = new TestClient(backend.url);
  await one.client.mutation(rows.add, { tag: "stopped", n: 0 });
  const sent = numbers(60).map((n) => one.client.mutation(rows.add, { tag: "stopped", n: n + 1 }));
  await sent[5];
  expect(await backend.end("SIGTERM")).toBe(0);
  await again();
  await Promise.all(sent);
  expect(await tagged("stopped")).toEqual(numbers(61));
});

describe("scheduled functions", () => {
  test("scheduled mutations run exactly once over a crash", async () => {
    const http = httpClient(backend);
    await Promise.all(
      numbers(40).map((n) =>
        http.mutation(rows.addLater, { tag: "once", n, delayMs: 0 }, { skipQueue: true }),
      ),
    );
    await crash();
    await idle();
    expect(await tagged("once")).toEqual(numbers(40));
  });

  test("an action that a crash cut off is failed, and not run again", async () => {
    const id = await httpClient(backend).mutation(rows.hangLater, { tag: "hung" });
    await waitFor("the action to start", async () => (await tagged("hung")).length === 1);
    await crash();
    await idle();
    const jobs = await httpClient(backend).query(rows.jobs, {});
    expect(jobs.find((job) => job._id === id)?.state).toEqual({
      kind: "failed",
      error: "Transient error while executing action",
    });
    expect(await tagged("hung")).toEqual([0]);
  });

  test("a delayed one waits for its time, a canceled one never runs", async () => {
    const http = httpClient(backend);
    const hour = 3_600_000;
    await http.mutation(rows.addLater, { tag: "later", n: 1, delayMs: hour });
    const canceled = await http.mutation(rows.addLater, { tag: "later", n: 2, delayMs: hour });
    await http.mutation(rows.cancelLater, { id: canceled });
    await idle();
    expect(await tagged("later")).toEqual([]);
    await advance(hour + 1_000);
    await idle();
    expect(await tagged("later")).toEqual([1]);
    const jobs = await http.query(rows.jobs, {});
    expect(jobs.find((job) => job._id === canceled)?.state.kind).toBe("canceled");
  });

  test("finished ones are deleted after a week", async () => {
    const http = httpClient(backend);
    await http.mutation(rows.addLater, { tag: "old", n: 1, delayMs: 0 });
    await idle();
    expect((await http.query(rows.jobs, {})).length).toBeGreaterThan(0);
    await advance(8 * 24 * 3_600_000);
    await waitFor(
      "the finished rows to go",
      async () => (await http.query(rows.jobs, {})).length === 0,
    );
  });

  test("an interval cron runs at once, and again after each period", async () => {
    await idle();
    const before = (await tagged("tick")).length;
    expect(before).toBeGreaterThan(0);
    await advance(3_600_000);
    await idle();
    expect((await tagged("tick")).length).toBe(before + 1);
  });
});

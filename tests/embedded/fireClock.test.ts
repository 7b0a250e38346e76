/** A clock that is set back: time as the database tells it goes on, and nothing runs twice or never. */
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { createClock } from "../../embedded/control.js";
import { Engine } from "../../embedded/engine/engine.js";
import { parseSchedule, runAfter } from "../../embedded/scheduler/schedules.js";
import { MemoryStore } from "../../embedded/store/memoryStore.js";
import { waitFor } from "../support/waitFor.js";
import { httpClient, rows, startBackend, startDeployed, TestClient } from "./wireSupport.js";

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2030, 0, 1, 12);

describe("the engine", () => {
  test("a timestamp that was given out is never ahead of a later start, wherever the clock went", () => {
    const clock = { atMs: START_MS, nowMs: () => clock.atMs };
    const store = new MemoryStore();
    const first = new Engine({ store, clock });
    const given = first.hold().ts;
    clock.atMs -= HOUR_MS;
    const second = new Engine({ store, clock });
    expect(second.latestTs()).toBeGreaterThanOrEqual(given);
    clock.atMs += 2 * HOUR_MS;
    second.invalidateAll();
    const later = second.latestTs();
    clock.atMs -= 3 * HOUR_MS;
    expect(new Engine({ store, clock }).latestTs()).toBeGreaterThanOrEqual(later);
  });

  test("commits and creation times only grow, over any clock, any batch and any restart", () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant("insert" as const), count: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ op: fc.constant("move" as const), ms: fc.integer({ min: -9_000, max: 9_000 }) }),
      fc.record({ op: fc.constant("restart" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = { atMs: START_MS, nowMs: () => clock.atMs };
        const store = new MemoryStore();
        let engine = new Engine({ store, clock });
        let latest = engine.latestTs();
        let inserted = 0;
        for (const now of steps) {
          if (now.op === "move") clock.atMs += now.ms;
          else if (now.op === "restart") engine = new Engine({ store, clock });
          else {
            const tx = engine.begin();
            for (let n = 0; n < now.count; n += 1) tx.insert("rows", { n: inserted++ });
            const { ts } = engine.commit(tx);
            expect(ts).toBeGreaterThan(latest);
            latest = ts;
          }
          expect(engine.latestTs()).toBeGreaterThanOrEqual(latest);
        }
        const found = [...engine.begin().scan("rows")];
        expect(found.map(({ n }) => n)).toEqual(found.map((_, at) => at));
        expect(new Set(found.map((row) => row._creationTime)).size).toBe(inserted);
      }),
    );
  });
});

test("a cron on the clock does not run its slot a second time when the clock is set back", () => {
  const timetable = parseSchedule({ type: "hourly", minuteUTC: 0 });
  const slot = START_MS;
  const set = { previousMs: slot, nowMs: slot - HOUR_MS / 2 };
  expect(runAfter(timetable, set)).toBe(slot + HOUR_MS);
});

test("an alarm notices within a minute that the system's clock was set forward", () => {
  vi.useFakeTimers();
  try {
    let rung = 0;
    createClock().alarm(Date.now() + 2 * HOUR_MS, () => (rung += 1));
    vi.setSystemTime(Date.now() + 3 * HOUR_MS);
    vi.advanceTimersByTime(60_000);
    expect(rung).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

describe("the process", () => {
  test("set back again and again, it keeps the order of rows and runs what is scheduled", async () => {
    const backend = await startDeployed();
    const http = httpClient(backend);
    for (let n = 0; n < 6; n += 1) {
      await http.mutation(rows.add, { tag: "back", n });
      if (n % 2 === 1) continue;
      const moved = await backend.postAsAdmin("/control/time", { advanceMs: -HOUR_MS });
      expect(moved.status).toBe(200);
    }
    await http.mutation(rows.addLater, { tag: "back", n: 6, delayMs: 0 });
    const list = async () => (await http.query(rows.list, { tag: "back" })).map((row) => row.n);
    await waitFor("the scheduled row", async () => (await list()).length === 7);
    expect(await list()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("started again with a clock an hour behind, it serves the clients that saw the later time", async () => {
    const before = await startDeployed();
    await before.postAsAdmin("/control/time", { advanceMs: HOUR_MS });
    const one = new TestClient(before.url);
    const watch = one.watch(rows.list, { tag: "behind" });
    await one.client.mutation(rows.add, { tag: "behind", n: 0 });
    // An environment variable is a new timestamp as well, without any document of its own.
    const changes = [{ name: "GREETING", value: "later" }];
    await before.postAsAdmin("/api/update_environment_variables", { changes });
    await before.end("SIGKILL");
    const args = ["--port", String(before.port), "--site-port", "0"];
    const after = await startBackend({ dataDir: before.dataDir, args });
    for (let n = 1; n < 4; n += 1) await one.client.mutation(rows.add, { tag: "behind", n });
    await httpClient(after).mutation(rows.addLater, { tag: "behind", n: 4, delayMs: 0 });
    const seen = await watch.until("all rows", (value) => value.length === 5);
    expect(seen.map((row) => row.n)).toEqual([0, 1, 2, 3, 4]);
  });
});

/** The outside's parts that need no engine: message forms, schedules, the function log. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createClock } from "../../embedded/control.js";
import {
  FunctionLog,
  functionLogLimits,
  type Execution,
} from "../../embedded/deploy/functionLog.js";
import { toPlainJson } from "../../embedded/http/publicApi.js";
import { firstRun, parseSchedule, runAfter } from "../../embedded/scheduler/schedules.js";
import {
  decodeTimestamp,
  encodeFrames,
  encodeTimestamp,
  parseClientMessage,
  ProtocolError,
  type Transition,
} from "../../embedded/sync/protocol.js";

describe("messages", () => {
  test("a timestamp survives the wire", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (ts) => {
        expect(decodeTimestamp(encodeTimestamp(ts))).toBe(ts);
      }),
    );
  });

  test("whatever arrives is parsed or refused with ProtocolError, never anything else", () => {
    const almost = fc.record({
      type: fc.constantFrom("Connect", "Authenticate", "ModifyQuerySet", "Mutation", "toString"),
      baseVersion: fc.anything(),
      args: fc.jsonValue(),
      modifications: fc.jsonValue(),
      maxObservedTimestamp: fc.string(),
    });
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      almost.map((message) => JSON.stringify(message)),
    );
    fc.assert(
      fc.property(text, (message) => {
        try {
          expect(parseClientMessage(message).type).toBeTypeOf("string");
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  test("a long Transition is cut into chunks that join to the same text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1 }),
        fc.integer({ min: 2, max: 40 }),
        (value, size) => {
          const version = { querySet: 0, identity: 0, ts: 1n };
          const transition: Transition = {
            type: "Transition",
            startVersion: version,
            endVersion: version,
            modifications: [
              { type: "QueryUpdated", queryId: 0, value, logLines: [], journal: null },
            ],
            serverTs: 1,
          };
          const [whole = ""] = encodeFrames(transition);
          const chunks = encodeFrames(transition, size).map(
            (frame) =>
              JSON.parse(frame) as { chunk: string; partNumber: number; totalParts: number },
          );
          expect(chunks.map((part) => part.chunk).join("")).toBe(whole);
          expect(chunks.map((part) => part.partNumber)).toEqual(chunks.map((_, i) => i));
          expect(chunks.every((part) => part.totalParts === chunks.length)).toBe(true);
          // A lone surrogate would not survive UTF-8.
          expect(chunks.every(({ chunk }) => Buffer.from(chunk).toString() === chunk)).toBe(true);
        },
      ),
    );
  });
});

describe("schedules", () => {
  const at = (text: string) => Date.parse(text);
  const next = (schedule: unknown, after: string) => {
    const run = runAfter(parseSchedule(schedule), { previousMs: at(after), nowMs: at(after) });
    return run === null ? null : new Date(run).toISOString();
  };

  test("clock schedules take the next slot in UTC", () => {
    const noon = "2026-03-10T12:00:00.000Z";
    expect(next({ type: "hourly", minuteUTC: 15 }, noon)).toBe("2026-03-10T12:15:00.000Z");
    expect(next({ type: "daily", hourUTC: 3, minuteUTC: 5 }, noon)).toBe(
      "2026-03-11T03:05:00.000Z",
    );
    expect(next({ type: "weekly", dayOfWeek: "monday", hourUTC: 0 }, noon)).toBe(
      "2026-03-16T00:00:00.000Z",
    );
    expect(next({ type: "monthly", day: 31, hourUTC: 1 }, "2026-04-01T00:00:00.000Z")).toBe(
      "2026-05-31T01:00:00.000Z",
    );
    expect(next({ type: "cron", cron: "*/20 * * * *" }, noon)).toBe("2026-03-10T12:20:00.000Z");
  });

  test("an interval starts at once, keeps its phase, and skips what is past", () => {
    const interval = parseSchedule({ type: "interval", seconds: 10 });
    expect(firstRun(interval, 5_000)).toBe(5_000);
    fc.assert(
      fc.property(fc.nat(10_000_000), fc.nat(10_000_000), (previousMs, elapsed) => {
        const nowMs = previousMs + elapsed;
        const run = runAfter(interval, { previousMs, nowMs }) ?? NaN;
        expect(run).toBeGreaterThan(nowMs);
        expect(run - nowMs).toBeLessThanOrEqual(10_000);
        expect((run - previousMs) % 10_000).toBe(0);
      }),
    );
  });

  test.each([
    { type: "interval", seconds: 0 },
    { type: "daily", hourUTC: 24 },
    { type: "weekly", dayOfWeek: "someday", hourUTC: 1 },
    { type: "cron", cron: "not a cron" },
    { type: "never" },
  ])("%j is refused", (schedule) => {
    expect(() => parseSchedule(schedule)).toThrow();
  });
});

describe("the function log", () => {
  const execution = (path: string): Execution => ({
    udfType: "Query",
    path,
    componentPath: "",
    requestId: "r",
    caller: "Client",
    identityType: "none",
    logLines: ["[LOG] 'x'"],
    error: null,
    startedMs: 0,
    durationMs: 1,
  });
  const never = new AbortController().signal;

  test("cursor 0 answers at once, and the cursor it gives waits for what comes next", async () => {
    const log = new FunctionLog(() => 1_000);
    const first = await log.poll(0, never);
    expect(first.entries).toEqual([]);
    const waiting = log.poll(first.newCursor, never);
    log.add(execution("a:b"));
    const second = await waiting;
    expect(second.entries.map((entry) => entry.path)).toEqual(["a:b"]);
    expect(second.newCursor).toBeGreaterThan(first.newCursor);
  });

  test("the oldest entries give way", async () => {
    const log = new FunctionLog(() => 1_000);
    for (let i = 0; i < functionLogLimits.entriesMax + 5; i += 1) log.add(execution(`f:${i}`));
    const { entries } = await log.poll(0, never);
    expect(entries).toHaveLength(functionLogLimits.entriesMax);
    expect(entries[0]?.path).toBe("f:5");
  });

  test("a poller whose client went away is let go", async () => {
    const log = new FunctionLog(() => 1_000);
    const { newCursor } = await log.poll(0, never);
    const gone = new AbortController();
    const waiting = log.poll(newCursor, gone.signal);
    gone.abort();
    expect((await waiting).entries).toEqual([]);
  });
});

describe("the clock", () => {
  test("an alarm far ahead rings when the clock is moved there, and a canceled one never", async () => {
    const clock = createClock();
    const rung: string[] = [];
    const canceled = clock.alarm(clock.nowMs() + 1_000_000, () => rung.push("canceled"));
    canceled.cancel();
    const done = new Promise<void>((resolve) => {
      clock.alarm(clock.nowMs() + 2_000_000, () => {
        rung.push("far");
        resolve();
      });
    });
    clock.advance(2_000_000);
    await done;
    expect(rung).toEqual(["far"]);
  });
});

describe("the json format", () => {
  test("int64 and special floats become text, bytes become base64", () => {
    const encoded = { a: { $integer: "BwAAAAAAAAA=" }, b: { $bytes: "AQI=" }, c: [1.5, null] };
    expect(toPlainJson(encoded)).toEqual({ a: "7", b: "AQI=", c: [1.5, null] });
  });
});

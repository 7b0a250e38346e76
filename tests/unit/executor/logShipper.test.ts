import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  LOG_APPEND_CHARS_MAX,
  LOG_ENTRIES_PER_APPEND_MAX,
  LOG_ENTRY_CHARS_MAX,
} from "../../../convex/protocol/limits.js";
import type { LogEntry } from "../../../convex/protocol/log.js";
import { createLogShipper } from "../../../executor/logShipper.js";
import { FakeClock } from "./fakeClock.js";

const anEntry = (text: string): LogEntry => ({ at: 0, kind: "text", text });

/** A backend that keeps entries as the contract says: those below the next number are skipped. */
function aShipper(
  behave: (call: number) => "keep" | "loseAnswer" | "refuse" | "forbid" = () => "keep",
) {
  const clock = new FakeClock();
  const kept: string[] = [];
  const calls: { at: number; seq: number; entries: LogEntry[] }[] = [];
  const shipper = createLogShipper({
    clock,
    isFinal: (error) => error instanceof Error && error.message === "stale",
    onFailure: () => undefined,
    append: (seq, entries) => {
      calls.push({ at: clock.monotonic(), seq, entries });
      const mood = behave(calls.length);
      if (mood === "refuse") return Promise.reject(new Error("offline"));
      if (mood === "forbid") return Promise.reject(new Error("stale"));
      if (seq <= kept.length) kept.push(...entries.slice(kept.length - seq).map((e) => e.text));
      if (mood === "loseAnswer") return Promise.reject(new Error("answer lost"));
      return Promise.resolve({ nextSeq: kept.length });
    },
  });
  return { clock, shipper, kept, calls };
}

describe("the log shipper", () => {
  it("sends the first entries soon and later ones a second apart", async () => {
    const { clock, shipper, calls } = aShipper();
    shipper.add(anEntry("a"));
    await clock.advance(100);
    shipper.add(anEntry("b"));
    shipper.add(anEntry("c"));
    await clock.advance(5_000);
    expect(calls.map(({ at, seq, entries }) => [at, seq, entries.length])).toEqual([
      [100, 0, 1],
      [1_100, 1, 2],
    ]);
  });

  it("sends at once when much has come together", async () => {
    const { clock, shipper, calls } = aShipper();
    shipper.add(anEntry("a"));
    await clock.advance(100);
    for (let n = 0; n < 5; n += 1) shipper.add(anEntry("x".repeat(LOG_ENTRY_CHARS_MAX)));
    await clock.advance(0);
    expect(calls).toHaveLength(2);
  });

  it("keeps every call within the contract's bounds", async () => {
    const { clock, shipper, calls, kept } = aShipper();
    for (let n = 0; n < 1_200; n += 1) shipper.add(anEntry("line"));
    for (let n = 0; n < 40; n += 1) shipper.add(anEntry("x".repeat(LOG_ENTRY_CHARS_MAX)));
    await clock.advance(60_000);
    expect(kept).toHaveLength(1_240);
    for (const { entries } of calls) {
      expect(entries.length).toBeLessThanOrEqual(LOG_ENTRIES_PER_APPEND_MAX);
      const chars = entries.reduce((sum, { text }) => sum + text.length, 0);
      expect(chars).toBeLessThanOrEqual(LOG_APPEND_CHARS_MAX);
    }
  });

  it("cuts an entry that is too long", async () => {
    const { clock, shipper, kept } = aShipper();
    shipper.add(anEntry("x".repeat(LOG_ENTRY_CHARS_MAX * 2)));
    await clock.advance(1_000);
    expect(kept[0]).toHaveLength(LOG_ENTRY_CHARS_MAX);
  });

  it("keeps every entry once and in order, whatever calls and answers are lost", async () => {
    const mood = fc.constantFrom("keep" as const, "loseAnswer" as const, "refuse" as const);
    await fc.assert(
      fc.asyncProperty(
        fc.array(mood, { maxLength: 12 }),
        fc.integer({ min: 1, max: 40 }),
        async (moods, count) => {
          const { clock, shipper, kept } = aShipper((call) => moods[call - 1] ?? "keep");
          for (let n = 0; n < count; n += 1) {
            shipper.add(anEntry(String(n)));
            await clock.advance(300);
          }
          await clock.advance(60_000);
          expect(kept).toEqual(Array.from({ length: count }, (_, n) => String(n)));
        },
      ),
      { numRuns: 30 },
    );
  });

  it("drops what comes too fast and says how much", async () => {
    let isOnline = false;
    const { clock, shipper, kept } = aShipper(() => (isOnline ? "keep" : "refuse"));
    for (let n = 0; n < 20_100; n += 1) shipper.add(anEntry("x"));
    isOnline = true;
    await clock.advance(120_000);
    shipper.add(anEntry("last"));
    await clock.advance(120_000);
    expect(kept).toHaveLength(20_002);
    expect(kept.slice(-2)).toEqual([
      "100 log entries dropped: they came faster than they could be sent, or were too many",
      "last",
    ]);
  });

  it("flushes what is left without waiting for the next batch", async () => {
    const { clock, shipper, kept } = aShipper();
    shipper.add(anEntry("a"));
    await clock.advance(100);
    shipper.add(anEntry("b"));
    const flushed = shipper.flush(5_000);
    await clock.advance(1);
    expect(await flushed).toBe(true);
    expect(kept).toEqual(["a", "b"]);
  });

  it("gives up a flush that takes too long", async () => {
    const { clock, shipper } = aShipper(() => "refuse");
    shipper.add(anEntry("a"));
    const flushed = shipper.flush(5_000);
    await clock.advance(5_000);
    expect(await flushed).toBe(false);
  });

  it("sends nothing more once the attempt is no longer ours", async () => {
    const { clock, shipper, calls } = aShipper(() => "forbid");
    shipper.add(anEntry("a"));
    await clock.advance(100);
    shipper.add(anEntry("b"));
    await clock.advance(60_000);
    expect(calls).toHaveLength(1);
  });
});

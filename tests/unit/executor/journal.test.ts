import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { HeldAttempt } from "../../../convex/protocol/executor.js";
import type { LogEntry } from "../../../convex/protocol/log.js";
import { BackendError, type Ending } from "../../../executor/backend.js";
import { openJournal, readJournals } from "../../../executor/journal.js";
import { lostEnding, settleAll } from "../../../executor/settle.js";
import { tempDir } from "../../support/tempDir.js";
import { waitFor } from "../../support/waitFor.js";
import { silent } from "./factories.js";
import { FakeClock } from "./fakeClock.js";

const entry = (text: string): LogEntry => ({ at: 1, kind: "tool", text, call: "c", input: "{}" });
// Only the deployment can tell an id from another text.
const held = { jobId: "job1" as HeldAttempt["jobId"], token: 3 };
const SECOND_MS = 1_000;
const fail = (error: unknown): void => {
  throw error;
};

let folder = "";
beforeEach(() => {
  folder = tempDir("journal");
});
const open = () => openJournal({ folder, held, onFailure: fail });
const fileOf = (): string => path.join(folder, readdirSync(folder)[0] ?? "");

/** Makes the file one of a process that is gone. */
function orphan(): void {
  const file = fileOf();
  writeFileSync(file, readFileSync(file, "utf8").replace(/"pid":\d+/, '"pid":2147483647'));
}

describe("a journal", () => {
  it("hands the next process what was not acknowledged, in order, and how it ended", async () => {
    const text = fc.string({ maxLength: 50 });
    const acknowledged = fc.nat(100);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1 }), acknowledged, async (texts, share) => {
        const journal = open();
        const entries = texts.map(entry);
        for (const one of entries) journal.add(one);
        const seq = Math.floor((texts.length * share) / 100);
        journal.acknowledge(seq, entries.slice(seq));
        await journal.end(lostEnding());
        orphan();
        const [left] = await readJournals(folder);
        expect(left).toMatchObject({ held, ending: lostEnding() });
        const from = seq - (left?.seq ?? 0);
        expect(left?.entries.slice(Math.max(0, from))).toEqual(entries.slice(seq));
        await journal.remove();
        expect(readdirSync(folder)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it("stays small however much goes through it, and keeps the end when it is cleared", async () => {
    const journal = open();
    const long = entry("x".repeat(16_000));
    await journal.end(lostEnding());
    for (let n = 1; n <= 500; n += 1) {
      journal.add(long);
      journal.acknowledge(n, []);
      if (n % 50 === 0) await journal.end(lostEnding());
    }
    await journal.end(lostEnding());
    expect(statSync(fileOf()).size).toBeLessThan(2 * 1024 * 1024);
    await journal.close();
    orphan();
    expect((await readJournals(folder))[0]?.ending).toEqual(lostEnding());
  });

  it("of a process that is alive, or cut off in a line, is left alone or read up to there", async () => {
    const journal = open();
    journal.add(entry("whole"));
    journal.add(entry("cut"));
    await journal.end(lostEnding());
    await journal.close();
    expect(await readJournals(folder)).toEqual([]);
    orphan();
    const whole = readFileSync(fileOf(), "utf8");
    writeFileSync(fileOf(), whole.slice(0, whole.indexOf('"cut"') + 2));
    expect((await readJournals(folder))[0]).toMatchObject({
      entries: [entry("whole")],
      ending: undefined,
    });
  });

  it("keeps the end where entries could not be kept", async () => {
    const failures: unknown[] = [];
    const closed = path.join(folder, "file");
    writeFileSync(closed, "");
    const journal = openJournal({
      folder: path.join(closed, "journal"),
      held,
      onFailure: (error) => failures.push(error),
    });
    journal.add(entry("lost"));
    await waitFor("the failure", () => failures.length === 1);
    rmSync(closed);
    await journal.end(lostEnding());
    await journal.close();
    expect(readFileSync(path.join(closed, "journal", "job1-3.jsonl"), "utf8")).toContain("ending");
  });
});

describe("settling what an earlier process left", () => {
  async function settled(
    append: (seq: number, entries: LogEntry[]) => number,
    refused: (tries: number) => boolean = () => false,
  ) {
    const journal = open();
    for (const text of ["a", "b"]) journal.add(entry(text));
    const ending: Ending = { ...lostEnding(), outcome: { kind: "succeeded" } };
    await journal.end(ending);
    await journal.close();
    orphan();
    const kept: string[] = ["before"];
    const endings: Ending[] = [];
    let tries = 0;
    const backend = {
      appendLog: (_: HeldAttempt, seq: number, entries: LogEntry[]) => {
        const nextSeq = append(seq, entries);
        kept.push(...entries.slice(nextSeq - seq - entries.length).map(({ text }) => text));
        return Promise.resolve({ nextSeq });
      },
      finish: (_: HeldAttempt, told: Ending) => {
        tries += 1;
        if (refused(tries)) return Promise.reject(new Error("busy"));
        endings.push(told);
        return Promise.resolve();
      },
    };
    const lines: string[] = [];
    const warn = (event: string): void => void lines.push(event);
    const logger = { ...silent, warn, info: warn };
    const clock = new FakeClock();
    const settling = settleAll(await readJournals(folder), { backend, clock, logger });
    await waitFor("the last word on it", async () => {
      await clock.advance(SECOND_MS);
      return lines.some((line) => line !== "journalCut");
    });
    await settling;
    // The file goes after the word.
    if (!lines.includes("journalKept")) {
      await waitFor("its file to go", () => readdirSync(folder).length === 0);
    }
    return { kept, endings, ending, lines };
  }

  it("sends the rest of the log, then the end, and forgets it", async () => {
    const { kept, endings, ending, lines } = await settled((seq, entries) => seq + entries.length);
    expect(kept.slice(0, 3)).toEqual(["before", "a", "b"]);
    expect(endings).toEqual([ending]);
    expect(lines).toEqual(["journalSettled"]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("the end is told until it is taken, whatever becomes of the log", async () => {
    const { endings, ending, lines } = await settled(
      () => {
        throw new Error("busy");
      },
      (tries) => tries < 4,
    );
    expect(endings).toEqual([ending]);
    expect(lines).toEqual(["journalCut", "journalSettled"]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("an end that is never taken is kept for the next process", async () => {
    const { endings, lines } = await settled(
      (seq, entries) => seq + entries.length,
      () => true,
    );
    expect(endings).toEqual([]);
    expect(lines).toEqual(["journalKept"]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it("of an attempt that is no longer ours: drops it and says so", async () => {
    const { endings, lines } = await settled(() => {
      throw new BackendError("STALE_LEASE", "stale");
    });
    expect(endings).toEqual([]);
    expect(lines).toEqual(["journalDropped"]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

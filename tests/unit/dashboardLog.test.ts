/** The log viewer's parts that need no browser: what terminals show, lines and turns, what is fetched when. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LogChunk, LogEntry } from "../../convex/protocol/log.js";
import { append, EMPTY, type Chunk, type Tail } from "../../convex/domain/logTail.js";
import { piecesOf, plain, settle } from "../../dashboard/features/job/log/ansi.js";
import { contrast, towardsContrast } from "../../dashboard/features/job/log/colour.js";
import { LogModel, NO_FOLDS } from "../../dashboard/features/job/log/model.js";
import { markedPieces } from "../../dashboard/features/job/log/pieces.js";
import { LogSource } from "../../dashboard/features/job/log/source.js";

describe("a terminal's text", () => {
  test.each([
    ["10%\r50%\r100%", "100%"],
    ["windows\r\nlines\r\n", "windows\nlines"],
    ["\u001b[2K\u001b[1Gdone", "done"],
    ["\u001b]8;;https://x.invalid\u0007link\u001b]8;;\u0007", "link"],
    ["\u001b]0;title\u001b\\x", "x"],
    ["\u001b(B\u001b[mplain\u0007", "plain"],
    ["\u009b31mred\u009b0m", "red"],
    ["\u001b", ""],
    ["a\tb", "a\tb"],
  ])("%j reads %j", (text, expected) => {
    expect(plain(settle(text))).toBe(expected);
  });

  test("whatever is written: no control character is left, and the pieces are the lines", () => {
    const parts = fc.constantFrom(
      "\u001b[",
      "\u001b]",
      "31m",
      "38;5;9m",
      "\r",
      "\n",
      "\u0007",
      "m",
    );
    const texts = fc
      .array(fc.oneof(parts, fc.string({ unit: "binary", maxLength: 4 })), { maxLength: 12 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(texts, (text) => {
        const settled = settle(text);
        const read = plain(settled);
        expect(read).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
        const lines = piecesOf(settled).map((pieces) => pieces.map((piece) => piece.text).join(""));
        expect(lines.join("\n")).toBe(read);
      }),
    );
  });

  test("any colour on any ground is moved until it can be read", () => {
    const channel = fc.integer({ min: 0, max: 255 });
    const colour = fc.tuple(channel, channel, channel);
    fc.assert(
      fc.property(colour, colour, (text, ground) => {
        expect(contrast(towardsContrast(text, ground), ground)).toBeGreaterThanOrEqual(4.5);
      }),
    );
  });

  test("what is looked for is marked, over the ends of colours, and nothing is lost", () => {
    const pieces = piecesOf(settle("so\u001b[31mme str\u001b[0maw, some straw"))[0] ?? [];
    const marked = markedPieces(pieces, "some straw, some straw", "SOME STRAW");
    expect(marked.map(({ text }) => text).join("")).toBe("some straw, some straw");
    const hits = marked.filter(({ isHit }) => isHit === true).map(({ text }) => text);
    expect(hits).toEqual(["so", "me str", "aw", "some straw"]);
  });
});

const entry = (kind: LogEntry["kind"], text: string, more: Partial<LogEntry> = {}): LogEntry => ({
  at: 0,
  kind,
  text,
  ...more,
});

describe("lines, turns and tools", () => {
  test("a turn is what the model does until tools have answered; answers find their tools", () => {
    const model = new LogModel();
    model.append([
      entry("marker", "cloned"),
      entry("text", "I look."),
      entry("tool", "Bash a", { call: "a" }),
      entry("tool", "Read b", { call: "b" }),
      entry("toolResult", "of b", { call: "b" }),
      entry("toolResult", "of a\nlast of a\n", { call: "a" }),
      entry("text", "Done."),
    ]);
    expect(model.lines.map(({ text }) => text)).toEqual([
      "cloned",
      "I look.",
      "Bash a",
      "Read b",
      "of b",
      "of a",
      "last of a",
      "Done.",
    ]);
    expect(model.lines.map(({ turn }) => turn)).toEqual([0, 1, 1, 1, 1, 1, 1, 2]);
    expect(model.turns.map(({ tools }) => tools)).toEqual([[], ["Bash", "Read"], []]);
    expect(model.tools.map(({ outputLines }) => outputLines)).toEqual([2, 1]);
    const shown = (rows: readonly number[]) => rows.filter((code) => code >= 0);
    expect(shown(model.rows({ ...NO_FOLDS, tools: new Set([0]) }))).toEqual([0, 1, 2, 3, 4, 7]);
    expect(shown(model.rows({ ...NO_FOLDS, turns: new Set([1]) }))).toEqual([0, 7]);
    expect(model.find("OF A")).toEqual([5, 6]);
  });

  test("a search that goes on while lines come finds what a new one would", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("ab", "b", "a\nab", "")), (texts) => {
        const model = new LogModel();
        for (const text of texts) {
          model.append([entry("stderr", text)]);
          model.find("a");
        }
        const expected = model.lines.flatMap(({ text }, at) => (text.includes("a") ? [at] : []));
        expect(model.find("a")).toEqual(expected);
      }),
    );
  });
});

/** A backend's log, and the answers it gives; the same rules as convex/model/logs.ts. */
class Log {
  #tail: Tail = EMPTY;
  readonly chunks: Chunk[] = [];
  grow(sizes: readonly number[]): void {
    const from = this.#tail.nextSeq;
    const entries = sizes.map((size, at) => entry("stderr", `${from + at} ${"x".repeat(size)}`));
    const { after, sealed } = append(this.#tail, from, entries);
    this.#tail = after;
    this.chunks.push(...sealed);
  }
  answer(after: number | undefined) {
    const { sealedChunks, tailSeq, tail } = this.#tail;
    const known = after === undefined ? 0 : Math.min(Math.max(0, after - tailSeq), tail.length);
    return { sealedChunks, tailSeq: tailSeq + known, tail: tail.slice(known) };
  }
  get texts(): string[] {
    return [...this.chunks.flatMap(({ entries }) => entries), ...this.#tail.tail].map(
      ({ text }) => text,
    );
  }
}

describe("what is fetched", () => {
  test("however the log grows and in whatever order answers come: all of it, each chunk at most once", async () => {
    const growth = fc.array(fc.array(fc.integer({ min: 0, max: 16_000 }), { maxLength: 12 }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(growth, fc.scheduler(), async (steps, scheduler) => {
        const log = new Log();
        const asked: number[] = [];
        const source = new LogSource((from) => {
          asked.push(from);
          const read: LogChunk[] = log.chunks.slice(from, from + 16);
          return scheduler.schedule(Promise.resolve(read));
        });
        for (const sizes of steps) {
          log.grow(sizes);
          source.receive(log.answer(source.after));
          if (asked.length % 2 === 1 && scheduler.count() > 0) await scheduler.waitNext(1);
        }
        source.receive(log.answer(source.after));
        await scheduler.waitIdle();
        const { model, isWhole } = source.state();
        expect(isWhole).toBe(true);
        expect(model.entries.map(({ text }) => text)).toEqual(log.texts);
        expect(new Set(asked).size).toBe(asked.length);
      }),
    );
  });

  test("a read that fails is told, and asked again when somebody wants that", async () => {
    const log = new Log();
    log.grow([16_000, 16_000, 16_000, 16_000]);
    let isAway = true;
    const source = new LogSource(() =>
      isAway ? Promise.reject(new Error("away")) : Promise.resolve(log.chunks),
    );
    source.receive(log.answer(undefined));
    await Promise.resolve();
    await Promise.resolve();
    expect(source.state().problem).toMatchObject({ message: "away" });
    expect(source.state().isWhole).toBe(false);
    isAway = false;
    source.retry();
    await Promise.resolve();
    await Promise.resolve();
    expect(source.state()).toMatchObject({ isWhole: true, problem: null });
  });
});

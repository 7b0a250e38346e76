import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor, REDACTED } from "../../../executor/redact.js";

const secret = "s3cret/To+ken=ABCDEFGHIJKLMNOP";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const shapes: [string, (text: string) => string][] = [
  ["raw", (text) => text],
  ["in a URL", encodeURIComponent],
  ["in JSON", (text) => JSON.stringify(`${text}"`)],
  ["in hex", (text) => Buffer.from(text).toString("hex")],
  ["in base64", base64],
  ["in base64 after one byte", (text) => base64(`:${text}`)],
  ["in base64 after two bytes", (text) => base64(`x:${text}`)],
  ["in base64 of a header", (text) => base64(`x-access-token:${text}`)],
  ["in base64 with an end", (text) => base64(`${text}:zz`)],
];
const known = [
  "ghp_" + "a".repeat(36),
  "github_pat_" + "B1_".repeat(20),
  "sk-ant-api03-" + "x-Y".repeat(20),
  "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJleGVjdXRvciJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
];

/** The middle of a shape: its ends may hold characters of the neighbours. */
const middle = (text: string): string => text.slice(4, -4);

describe("the redactor", () => {
  const redactor = createRedactor([secret]);

  it.each(shapes)("takes a known secret out %s", (_, shape) => {
    const shown = redactor.text(`before ${shape(secret)} after`);
    expect(shown).not.toContain(middle(shape(secret)));
    expect(shown).toContain(REDACTED);
    expect(shown).toMatch(/^before .* after$/);
  });

  it.each(known)("takes out %s, of which nobody told it", (token) => {
    expect(redactor.text(`token ${token}.`)).toBe(`token ${REDACTED}.`);
  });

  it("keeps the name of a header whose value it takes out", () => {
    expect(redactor.text("Authorization: Basic dXNlcjpwYXNzd29yZA==")).toBe(
      `Authorization: Basic ${REDACTED}`,
    );
  });

  it("leaves ordinary text alone, and secrets too short to be one", () => {
    const text = "the quick brown fox: edit src/a.ts";
    expect(createRedactor(["fox"]).text(text)).toBe(text);
  });

  it("finds a secret however a stream is cut", () => {
    const pieces = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 8 });
    const filler = fc.string({ maxLength: 600 });
    const shape = fc.constantFrom(...shapes.map(([, make]) => make(secret)), ...known);
    fc.assert(
      fc.property(fc.tuple(filler, filler), shape, pieces, ([before, after], hidden, cuts) => {
        const text = `${before} ${hidden} ${after}`;
        const stream = redactor.stream();
        const ends = [...cuts.filter((at) => at < text.length), text.length].sort((a, b) => a - b);
        let from = 0;
        let shown = "";
        for (const end of ends) {
          shown += stream.push(text.slice(from, end));
          from = end;
        }
        shown += stream.end();
        expect(shown).not.toContain(middle(hidden));
      }),
      { numRuns: 500 },
    );
  });

  it("32: finds a secret learned later, in every shape, cut at each offset", () => {
    const late = createRedactor([]);
    const streams = new Map<string, ReturnType<typeof late.stream>>();
    for (const [name] of shapes) streams.set(name, late.stream());
    const forget = late.learn([secret]);
    for (const [name, shape] of shapes) {
      const hidden = shape(secret);
      for (let offset = 0; offset <= hidden.length; offset += 1) {
        // Opened before the secret was known.
        const stream = streams.get(name) ?? late.stream();
        const cut = [`before ${hidden.slice(0, offset)}`, `${hidden.slice(offset)} after`];
        const shown = cut.map((piece) => stream.push(piece)).join("") + stream.end();
        expect(shown).not.toContain(middle(hidden));
      }
    }
    forget();
    expect(late.text(secret)).toBe(secret);
  });

  it.each(shapes)("32: knows bytes that hold a secret %s, cut at each offset", (_, shape) => {
    const bytes = Buffer.from(`\0\xff${shape(secret)}\0`, "latin1").toString("latin1");
    for (let offset = 0; offset <= bytes.length; offset += 1) {
      const holds = redactor.scan();
      const cut = [bytes.slice(0, offset), bytes.slice(offset)];
      expect(cut.map((piece) => holds(piece))).toContain(true);
    }
    expect(redactor.scan()("nothing of it")).toBe(false);
  });

  it("two who learned the same secret forget it apart", () => {
    const shared = createRedactor([]);
    const [first, second] = [shared.learn([secret]), shared.learn([secret])];
    first();
    first();
    expect(shared.text(secret)).toBe(REDACTED);
    second();
    expect(shared.text(secret)).toBe(secret);
  });

  it("loses nothing else of a stream", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-d \n]{0,400}$/), { maxLength: 12 }), (pieces) => {
        const stream = redactor.stream();
        const shown = pieces.map((piece) => stream.push(piece)).join("") + stream.end();
        expect(shown).toBe(pieces.join(""));
      }),
    );
  });
});

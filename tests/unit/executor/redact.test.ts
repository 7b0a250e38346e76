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
  ["in base64 for URLs", (text) => Buffer.from(text).toString("base64url")],
  ["in hex of capitals", (text) => Buffer.from(text).toString("hex").toUpperCase()],
  ["in JSON inside JSON", (text) => JSON.stringify(JSON.stringify(`${text}"`))],
  ["in JSON with escaped slashes", (text) => JSON.stringify(text).replaceAll("/", "\\/")],
  [
    "in a URL with small escapes",
    (text) => encodeURIComponent(text).replaceAll(/%../g, (escape) => escape.toLowerCase()),
  ],
  ["in base64 with line ends", (text) => base64(text).replaceAll(/.{19}/g, "$&\n")],
  [
    "in hex with line ends",
    (text) => Buffer.from(text).toString("hex").replaceAll(/.{50}/g, "$&\r\n"),
  ],
  ["with line ends in JSON", (text) => JSON.stringify(base64(text).replaceAll(/.{19}/g, "$&\n"))],
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

  it("32: comes to the same answer however a stream is cut", () => {
    const others = [
      "s3cret/To+ken=ABC",
      "ABCDEFGHIJKLMNOP-and-more",
      'back\\slash"quote',
      "naïve-ßecret",
    ];
    const many = createRedactor([secret, ...others]);
    const shape = fc.constantFrom(
      ...shapes.flatMap(([, make]) => [secret, ...others].map(make)),
      ...known,
      "Authorization: Bearer ",
      "ghp_" + "b".repeat(20),
    );
    const part = fc.tuple(shape, fc.nat(), fc.nat()).map(([text, a, b]) => {
      const [from, to] = [a % text.length, b % (text.length + 1)].sort((x, y) => x - y);
      return text.slice(from, to);
    });
    const filler = fc.stringMatching(/^[a-zA-Z0-9_. \\n\n-]{0,20}$/);
    const text = fc
      .array(fc.oneof(shape, part, filler), { minLength: 1, maxLength: 8 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        text,
        fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 30 }),
        (all, sizes) => {
          const stream = many.stream();
          let shown = "";
          let from = 0;
          for (const size of sizes) {
            shown += stream.push(all.slice(from, from + size));
            from += size;
          }
          shown += stream.push(all.slice(from)) + stream.end();
          expect(shown).toBe(many.text(all));
          for (const one of [secret, ...others]) expect(shown).not.toContain(one);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("takes a secret of several lines out of a diff, line by line", () => {
    const lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"];
    const pem = createRedactor([`-----BEGIN KEY-----\n${lines.join("\n")}\n-----END KEY-----\n`]);
    const diff = lines.map((line) => `+${line}\n`).join("");
    expect(pem.text(diff)).toBe(`+${REDACTED}\n+${REDACTED}\n`);
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

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LOG_ENTRY_CHARS_MAX } from "../../../convex/protocol/limits.js";
import { createLineSplitter } from "../../../executor/claude/lines.js";
import { cap, parseLine, toLogEntries } from "../../../executor/claude/stream.js";

const entriesOf = (event: object): string[] =>
  toLogEntries(parseLine(JSON.stringify(event)), 7).map(({ kind, text }) => `${kind}: ${text}`);
const entriesWhole = (event: object) => toLogEntries(parseLine(JSON.stringify(event)), 7);

describe("events of the CLI → log entries", () => {
  it.each([
    [
      "the start names the model",
      { type: "system", subtype: "init", session_id: "s", model: "claude-x" },
      ["marker: claude started, model claude-x"],
    ],
    [
      "words and tools are one entry each",
      {
        type: "assistant",
        message: {
          content: [
            { type: "text", text: "I look." },
            {
              type: "tool_use",
              name: "Bash",
              input: { command: "ls -l\n  src", description: "Look" },
            },
            { type: "thinking", thinking: "hm" },
          ],
        },
      },
      ["text: I look.", "tool: Bash ls -l src"],
    ],
    [
      "a tool result is its content, never tool_use_result",
      {
        type: "user",
        message: { content: [{ type: "tool_result", content: "a.txt", is_error: false }] },
        tool_use_result: { originalFile: "secret whole file" },
      },
      ["toolResult: a.txt"],
    ],
    [
      "a failed tool says so",
      {
        type: "user",
        message: {
          content: [
            {
              type: "tool_result",
              content: [{ type: "text", text: "no such file" }],
              is_error: true,
            },
          ],
        },
      },
      ["toolResult: error: no such file"],
    ],
    [
      "a repeated request",
      {
        type: "system",
        subtype: "api_retry",
        attempt: 1,
        retry_delay_ms: 511.6,
        error_status: 500,
        error: "server_error",
      },
      ["retry: request 1 failed (server_error, status 500), again in 512 ms"],
    ],
    [
      "a usage limit with its end",
      {
        type: "rate_limit_event",
        rate_limit_info: { status: "rejected", resetsAt: 0, rateLimitType: "five_hour" },
      },
      ["retry: usage limit five_hour: rejected, until 1970-01-01T00:00:00.000Z"],
    ],
    [
      "an allowed request is no news",
      { type: "rate_limit_event", rate_limit_info: { status: "allowed" } },
      [],
    ],
    [
      "a model that gave way",
      { type: "system", subtype: "model_fallback", original_model: "a", fallback_model: "b" },
      ["retry: model a gave way to b"],
    ],
    ["an event nobody knows", { type: "keep_alive" }, []],
  ])("%s", (_, event, expected) => {
    expect(entriesOf(event)).toEqual(expected);
  });

  it("a tool keeps its call and its whole input; its result names the call", () => {
    const input = { file_path: "a.txt", old_string: "x", new_string: "y".repeat(9_000) };
    const use = { type: "tool_use", id: "call-1", name: "Edit", input };
    const result = { type: "tool_result", tool_use_id: "call-1", content: "done" };
    const [tool] = entriesWhole({ type: "assistant", message: { content: [use] } });
    expect(tool).toMatchObject({ kind: "tool", text: "Edit a.txt", call: "call-1" });
    const kept = JSON.parse(tool?.input ?? "{}") as Record<string, string>;
    expect(kept).toMatchObject({ file_path: "a.txt", old_string: "x" });
    expect(kept["new_string"]).toContain("[cut: 9000 characters in all]");
    const answers = entriesWhole({ type: "user", message: { content: [result] } });
    expect(answers).toMatchObject([{ kind: "toolResult", text: "done", call: "call-1" }]);
  });

  it("an input that is too long even so is left out", () => {
    const many = Array.from({ length: 9 }, (_, i) => [`text${i}`, "x".repeat(3_000)] as const);
    const use = { type: "tool_use", id: "call-1", name: "Odd", input: Object.fromEntries(many) };
    const [tool] = entriesWhole({ type: "assistant", message: { content: [use] } });
    expect(tool?.input).toBeUndefined();
  });

  it("shows a line that is no event as it is", () => {
    expect(toLogEntries(parseLine("Warning: x"), 7)).toEqual([
      { at: 7, kind: "stderr", text: "Warning: x" },
    ]);
  });

  it("cuts long text and says how long it was", () => {
    const text = cap("x".repeat(LOG_ENTRY_CHARS_MAX + 1));
    expect(text).toHaveLength(LOG_ENTRY_CHARS_MAX);
    expect(text).toContain("[cut: 16385 characters in all]");
  });

  it("never throws, whatever the CLI writes", () => {
    const kinds = fc.constantFrom("system", "assistant", "user", "rate_limit_event", "result", "x");
    fc.assert(
      fc.property(
        kinds,
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        (type, more, value) => {
          const event = parseLine(
            JSON.stringify({
              ...more,
              type,
              message: value,
              rate_limit_info: value,
              modelUsage: value,
              errors: value,
            }),
          );
          expect(Array.isArray(toLogEntries(event, 0))).toBe(true);
          expect(parseLine(JSON.stringify(value)).type).toBeTypeOf("string");
        },
      ),
    );
  });
});

describe("the line splitter", () => {
  it("gives the same lines however the bytes are cut", () => {
    const line = fc
      .string({ unit: "grapheme", maxLength: 30 })
      .filter((s) => s !== "" && !s.includes("\n"));
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 9 }), (lines, size) => {
        const got: string[] = [];
        const splitter = createLineSplitter(1_000, (text) => got.push(text));
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(""));
        for (let at = 0; at < bytes.length; at += size)
          splitter.push(bytes.subarray(at, at + size));
        splitter.end();
        expect(got).toEqual(lines);
      }),
    );
  });

  it("hands over an unfinished last line", () => {
    const got: string[] = [];
    const splitter = createLineSplitter(10, (text) => got.push(text));
    splitter.push(Buffer.from("a\nb"));
    splitter.end();
    expect(got).toEqual(["a", "b"]);
  });

  it("drops a line over the bound, counts it and goes on", () => {
    const got: string[] = [];
    const splitter = createLineSplitter(4, (text) => got.push(text));
    splitter.push(Buffer.from("12345\nabcd\n12"));
    splitter.push(Buffer.from("345678\nxy\n"));
    splitter.end();
    expect(got).toEqual(["abcd", "xy"]);
    expect(splitter.dropped).toBe(2);
  });
});

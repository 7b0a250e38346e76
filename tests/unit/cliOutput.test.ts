import { describe, expect, test } from "vitest";
import { createOutput } from "../../cli/output.js";
import { formatEntry } from "../../cli/formatEntry.js";

function record(isTTY: boolean) {
  const texts = { out: "", err: "" };
  const stdout = { write: (text: string) => (texts.out += text) };
  const stderr = { isTTY, columns: 20, write: (text: string) => (texts.err += text) };
  return { texts, output: createOutput(stdout, stderr) };
}

describe("output", () => {
  test("data goes to stdout alone, talk to stderr alone", () => {
    const { texts, output } = record(false);
    output.say("talk");
    output.data("data");
    output.progress("step 1");
    expect(texts).toEqual({ out: "data\n", err: "talk\nstep 1\n" });
  });

  test("without a terminal a progress line appears once for each change, without control characters", () => {
    const { texts, output } = record(false);
    for (const step of ["one", "one", "two", "two"]) output.progress(step);
    output.endProgress();
    expect(texts.err).toBe("one\ntwo\n");
  });

  test("on a terminal the progress line is redrawn below the talk and fits the width", () => {
    const { texts, output } = record(true);
    output.progress("p".repeat(50));
    output.say("talk");
    const line = "p".repeat(19);
    expect(texts.err).toBe(`${line}\r\u001b[2Ktalk\n${line}`);
  });

  test("46: a job's text cannot steer the terminal", () => {
    const { texts, output } = record(false);
    output.say("a\u001b[2Jb\u0007\rc\td");
    output.say("\u001b]8;;https://evil.test\u0007link\u001b]8;;\u0007 \u202egnp.exe\u2066");
    expect(texts.err).toBe("a[2Jbc\td\n]8;;https://evil.testlink]8;; gnp.exe\n");
  });
});

describe("a log entry", () => {
  test("long text → its first lines and how many more there are", () => {
    const text = Array.from({ length: 40 }, (_, i) => `line ${String(i)}`).join("\n");
    const lines = formatEntry({ at: 0, kind: "toolResult", text }).split("\n");
    expect(lines).toHaveLength(13);
    expect(lines.at(-1)).toContain("28 more lines");
  });

  test("a tool call → behind a dollar sign", () => {
    expect(formatEntry({ at: 0, kind: "tool", text: "Bash ls" })).toBe("  $ Bash ls");
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isToolResult,
  moveTo,
  packLines,
  parseMirror,
  projectFolder,
  type TranscriptLine,
  unpackLines,
  untilInterruption,
} from "../../../executor/checkpointTranscript.js";
import { isRefName } from "../../../executor/cloneRefs.js";

const SESSION = "11111111-2222-4333-8444-555555555555";
const OWN = `${SESSION}.jsonl`;
const line = (entry: object, file = OWN): TranscriptLine => ({ file, text: JSON.stringify(entry) });
const prompt = line({ type: "user", message: { content: "Do it." } });
const answer = line({ type: "assistant", message: { content: [{ type: "text", text: "Done." }] } });
const call = line({ type: "assistant", message: { content: [{ type: "tool_use", id: "t" }] } });
const result = line({ type: "user", message: { content: [{ type: "tool_result" }] } });
const note = line({ type: "last-prompt" });

const mirror = (filePath: string, ...entries: object[]): string =>
  JSON.stringify({ type: "transcript_mirror", filePath, entries });

describe("a line of stdout", () => {
  test("that tells of the transcript → its lines, with the file below the project's folder", () => {
    const entry = { type: "user" };
    const told = mirror(`/any/config/projects/-job-repo/${OWN}`, entry);
    expect(parseMirror(told)).toEqual([{ file: OWN, text: JSON.stringify(entry) }]);
    const inner = `${SESSION}/subagents/agent-a1.jsonl`;
    expect(parseMirror(mirror(`/c/projects/-x/${inner}`, entry))?.[0]?.file).toBe(inner);
  });

  test.each([
    "/c/projects/-x/../../evil.jsonl",
    `/c/projects/-x/${SESSION}/../x.jsonl`,
    "/etc/passwd",
  ])("that names %s → nothing of it is kept", (file) => {
    expect(parseMirror(mirror(file, { type: "user" }))).toEqual([]);
  });

  test.each(['{"type":"assistant"}', "", "no JSON"])("%j is of something else", (text) => {
    expect(parseMirror(text)).toBeUndefined();
  });
});

test("a result of a tool is told from a prompt, and from what subagents get", () => {
  const inner = { ...result, file: `${SESSION}/subagents/agent-a.jsonl` };
  expect([prompt, answer, call, result, inner].map(isToolResult)).toEqual([
    ...[false, false, false, true, false],
  ]);
});

test("what is packed, also in parts that are put together, is unpacked the same", () => {
  const lines = fc.array(fc.jsonValue().map((value) => line({ value })));
  fc.assert(
    fc.property(lines, lines, (first, second) => {
      const packed = Buffer.concat([packLines(first), packLines(second)]);
      expect(unpackLines(packed)).toEqual([...first, ...second]);
    }),
  );
});

test("a packed line of a file that is no transcript → refused", () => {
  const evil = packLines([{ file: "../../../.ssh/authorized_keys", text: "{}" }]);
  expect(() => unpackLines(evil)).toThrow("none of a session");
});

describe("the transcript of a run that was cut off", () => {
  test.each<[string, TranscriptLine[], number]>([
    ["after a result", [prompt, call, result], 3],
    ["in a tool", [prompt, call, result, call], 4],
    ["after its last answer: it is asked for again", [prompt, call, result, answer, note], 3],
    ["before the first answer", [prompt], 1],
    ["after the only answer", [prompt, answer], 1],
  ])("%s", (_, lines, kept) => {
    expect(untilInterruption(lines)).toEqual(lines.slice(0, kept));
  });
});

test("in another place all paths are those of the new one, and nothing else changes", () => {
  const lines = [line({ cwd: "/old place/repo", text: "see /old place/repo/a and /older" })];
  expect(moveTo(lines, "/old place", "/new")).toEqual([
    line({ cwd: "/new/repo", text: "see /new/repo/a and /older" }),
  ]);
  expect(moveTo(lines, "/old place", "/old place")).toEqual(lines);
});

test("the folder of a project is named by where the CLI runs", () => {
  expect(projectFolder("/c", "/tmp/job-1/repo")).toBe("/c/projects/-tmp-job-1-repo");
});

test.each<[string, boolean]>([
  ["refs/heads/main", true],
  ["refs/heads/feature/one.two", true],
  ["refs/tags/v1.0", true],
  ["refs/heads/../../config", false],
  ["refs/heads/.hidden", false],
  ["refs/heads/a.lock", false],
  ["refs/remotes/x/y", false],
  ["HEAD", false],
  ["refs/heads/-c", false],
])("%s is a name of a branch or tag that is kept: %s", (name, isKept) => {
  expect(isRefName(name)).toBe(isKept);
});

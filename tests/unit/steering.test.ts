import { describe, expect, test } from "vitest";
import {
  answerMessage,
  checkApproval,
  checkText,
  clipCall,
  questionDeadline,
  withoutSecrets,
} from "../../convex/domain/steering.js";

const HOUR = 3_600_000;
/** Written down a second time: limits are part of the specification. */
const [LEAST_MS, MOST_MS, DAY_MS] = [1_000, 2_592_000_000, 86_400_000];
const messageOf = (checked: { ok: boolean; message?: string }) => checked.message ?? "";

describe("what a person says", () => {
  test("some text within the bound passes as it is", () => {
    for (const text of ["x", " x\n", "x".repeat(16_384)]) {
      expect(checkText(text)).toEqual({ ok: true, value: text });
    }
  });

  test.each([
    ["", /empty\. Say what/],
    [" \n\t", /empty\. Say what/],
    ["x".repeat(16_385), /has 16385 characters; at most 16384.*Put long material/],
    ["a\0b", /NUL character; remove/],
  ])("%j is refused", (text, why) => {
    expect(checkText(text).ok).toBe(false);
    expect(messageOf(checkText(text))).toMatch(why);
  });
});

describe("which calls wait for a person", () => {
  test("no option and no tools are no option", () => {
    expect(checkApproval(undefined)).toEqual({ ok: true, value: undefined });
    expect(checkApproval({ tools: [] })).toEqual({ ok: true, value: undefined });
  });

  test("tools, with what their calls look like, each once", () => {
    const tools = ["Bash", "Bash(git push*)", "mcp__db__*", "*", "_a-b", `B${"x".repeat(199)}`];
    const checked = checkApproval({ tools: [...tools, "Bash"], answerMs: HOUR });
    expect(checked).toEqual({ ok: true, value: { tools, answerMs: HOUR } });
  });

  test.each(["", "1a", "Bash(", "Bash()", "Bash((x)", "a b", "Bash(a\nb)", `B${"x".repeat(200)}`])(
    "%j is no tool",
    (tool) => {
      expect(checkApproval({ tools: ["Bash", tool] }).ok).toBe(false);
      expect(messageOf(checkApproval({ tools: [tool] }))).toContain("it must be a tool, or");
    },
  );

  test("at most twenty tools", () => {
    const tools = Array.from({ length: 20 }, (_, i) => `T${i}`);
    expect(checkApproval({ tools }).ok).toBe(true);
    expect(messageOf(checkApproval({ tools: [...tools, "X"] }))).toBe(
      "approval names 21 tools; at most 20.",
    );
  });

  test.each([LEAST_MS, MOST_MS])("a time for answers of %d ms passes", (answerMs) => {
    expect(checkApproval({ tools: ["Bash"], answerMs }).ok).toBe(true);
  });

  test.each([LEAST_MS - 1, MOST_MS + 1, LEAST_MS + 0.5, NaN])(
    "one of %d ms does not",
    (answerMs) => {
      const checked = checkApproval({ tools: ["Bash"], answerMs });
      expect(messageOf(checked)).toMatch(/^approval\.answerMs is .* whole number from/);
    },
  );
});

test("a question is refused after the job's time for answers, or a day", () => {
  expect(questionDeadline(1_000, { tools: ["Bash"], answerMs: HOUR })).toBe(1_000 + HOUR);
  expect(questionDeadline(1_000, { tools: ["Bash"] })).toBe(1_000 + DAY_MS);
  expect(questionDeadline(1_000, undefined)).toBe(1_000 + DAY_MS);
});

test("a call is cut to what is kept", () => {
  const long = "x".repeat(10_000);
  const { toolUseId, tool, input } = clipCall({ toolUseId: long, tool: long, input: long });
  expect([toolUseId.length, tool.length, input.length]).toEqual([200, 200, 8_000]);
});

const NOBODY =
  "Nobody allowed this call in time, so it is refused. Go on without it, or end with what is done.";
test.each([
  ["allowed", "Yes", "A person allowed this call. They said: Yes"],
  ["allowed", undefined, "A person allowed this call."],
  ["refused", "No", "A person refused this call. They said: No"],
  ["open", undefined, NOBODY],
  ["withdrawn", undefined, NOBODY],
  ["expired", undefined, NOBODY],
] as const)("%s, and %j: the model is told so", (state, text, said) => {
  expect(answerMessage(state, text)).toBe(said);
});

test("secrets that name themselves are not shown, all of them, and nothing else is hidden", () => {
  const made = (prefix: string) => `${prefix}${"A1".repeat(20)}`;
  const secrets = ["ghp_", "github_pat_", "sk-", "fen_", "fak_", "frt_"].map(made);
  const text = [...secrets, `AKIA${"A1".repeat(8)}`, made("ghp_")].join(" and ");
  expect(withoutSecrets(text)).toBe(Array(8).fill("[redacted]").join(" and "));
  expect(withoutSecrets("git push sk-short AKIAX")).toBe("git push sk-short AKIAX");
});

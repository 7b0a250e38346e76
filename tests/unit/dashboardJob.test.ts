/** The arithmetic and the words of the job page. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AttemptView, EventView, JobDetail } from "../../convex/protocol/view.js";
import { whyNot } from "../../dashboard/features/job/actions.js";
import { conversationOf } from "../../dashboard/features/job/activity/conversation.js";
import { editsOf } from "../../dashboard/features/job/activity/edits.js";
import { endOf } from "../../dashboard/features/job/lease.js";
import { ranMs, spansOf } from "../../dashboard/features/job/phases.js";
import { storyOf } from "../../dashboard/features/job/timeline.js";

// Only what is looked at: the rest of these documents is not read.
const attemptWith = (more: object) =>
  ({ attempt: 1, assignedAt: 200, phases: [], ...more }) as unknown as AttemptView;
const jobWith = (more: object) =>
  ({ submittedAt: 100, cancelRequested: false, ...more }) as unknown as JobDetail;

describe("where the time went", () => {
  test("each part ends where the next begins; the last one with the attempt", () => {
    const attempt = attemptWith({
      startedAt: 250,
      phases: [
        { phase: "cloning", at: 250 },
        { phase: "running", at: 400 },
      ],
      end: { at: 900 },
    });
    const spans = spansOf(jobWith({}), attempt, 5_000).map(({ name, ms }) => [name, ms]);
    expect(spans).toEqual([
      ["queued", 100],
      ["assigned", 50],
      ["cloning", 150],
      ["running", 500],
    ]);
    expect(ranMs(attempt, 5_000)).toBe(650);
  });

  test("whatever clocks say, nothing is negative", () => {
    const at = fc.integer({ min: 0, max: 1_000 });
    fc.assert(
      fc.property(fc.tuple(at, at, at, at), ([assignedAt, startedAt, running, now]) => {
        const phases = [{ phase: "running", at: running }];
        const attempt = attemptWith({ assignedAt, startedAt, phases });
        const spans = spansOf(jobWith({ submittedAt: 500 }), attempt, now);
        expect(spans.every(({ ms }) => ms >= 0)).toBe(true);
        expect(ranMs(attempt, now)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("the end of a lease by this browser's clock", () => {
  test.each([
    ["a lease that was there before ends when it says", 40_000, true, 40_000],
    ["a renewal lasts from when it was seen", 40_000, false, 60_000],
    ["a clock that runs behind is not believed", 90_000, true, 60_000],
    ["a clock that runs ahead is not believed", -90_000, true, 60_000],
  ])("%s", (...[, toldMs, isFirst, expected]) => {
    const now = 1_000_000;
    expect(endOf({ expiresAt: now + toldMs, leaseMs: 60_000 }, now, isFirst)).toBe(now + expected);
  });
});

describe("the story", () => {
  const event = (seq: number, more: object) =>
    ({
      seq,
      at: seq * 10,
      from: "x",
      actor: "user:ada",
      attempt: 1,
      token: 1,
      ...more,
    }) as unknown as EventView;

  test("events and the phases of the latest attempt in the order of time, with causes and who", () => {
    const events = [
      event(0, { cause: "submit", to: "pending" }),
      event(1, { cause: "start", to: "running", actor: "executor:box" }),
      event(3, { cause: "expire", to: "pending", reason: "leaseExpired", actor: "timer" }),
    ];
    const latest = attemptWith({ phases: [{ phase: "running", at: 20 }] });
    const story = storyOf(events, latest).map(({ title, cause, by }) => [title, cause, by]);
    expect(story).toEqual([
      ["Submitted", "", "ada"],
      ["Started, attempt 1", "", "box"],
      ["Cloned; Claude starts", undefined, ""],
      ["Reclaimed by the queue", "lease expired · back to the queue", "timer"],
    ]);
  });
});

describe("what one may not do says why", () => {
  test.each([
    ["cancel", { kind: "running" }, undefined],
    ["cancel", { kind: "succeeded" }, "The job has ended."],
    ["retry", { kind: "failed" }, undefined],
    ["retry", { kind: "running" }, "Only a job that failed or was canceled can be retried."],
    ["release", { kind: "waiting", reason: "approval" }, undefined],
    [
      "hold",
      { kind: "running" },
      "It is with an executor. Cancel it or send it back to the queue.",
    ],
  ] as const)("%s of a job that is %j", (action, state, expected) => {
    expect(whyNot(action, jobWith({ state }))).toBe(expected);
  });
});

describe("the conversation", () => {
  test("answers find their calls, pauses are thinking, notes come together", () => {
    const blocks = conversationOf([
      { at: 0, kind: "marker", text: "cloned" },
      { at: 1, kind: "marker", text: "claude started, model x" },
      { at: 5_001, kind: "text", text: "I look." },
      { at: 5_002, kind: "tool", text: "Read /w/job-abc1/repo/a.txt", call: "a", input: "{}" },
      { at: 5_003, kind: "tool", text: "Bash false", call: "b", input: "no json" },
      { at: 5_100, kind: "toolResult", text: "error: 1", call: "b" },
      { at: 5_200, kind: "toolResult", text: "of a", call: "a" },
    ]);
    expect(blocks.map(({ kind }) => kind)).toEqual(["notes", "thinking", "text", "tool", "tool"]);
    expect(blocks[1]).toMatchObject({ ms: 5_000 });
    const [read, bash] = blocks.flatMap((block) => (block.kind === "tool" ? [block.tool] : []));
    expect(read).toMatchObject({ name: "Read", summary: "a.txt", output: { text: "of a" } });
    expect(bash).toMatchObject({ input: null, output: { text: "1", isError: true } });
  });

  test("an edit is the lines that differ", () => {
    const input = { file_path: "a", old_string: "x\nold\ny", new_string: "x\nnew\nnewer\ny" };
    expect(editsOf("Edit", input)).toEqual([
      { path: "a", removed: ["old"], added: ["new", "newer"] },
    ]);
    expect(editsOf("Write", { file_path: "a", content: "one\ntwo\n" })).toEqual([
      { path: "a", removed: [], added: ["one", "two"] },
    ]);
    expect(editsOf("Bash", input)).toEqual([]);
  });
});

import { expect, test } from "vitest";
import { checkJob, type SeenJob } from "../../convex/domain/invariants.js";

const NOW = 1_000_000_000;
/** A job whose first attempt ended by asking a person. */
const asking: SeenJob = {
  ...{ id: "j", state: { kind: "waiting", reason: "answer", since: 1, until: NOW } },
  ...{ attempt: 1, token: 2, slot: undefined, isMarkedHeld: false, executor: null },
  ...{ unmet: 0, prerequisites: 0, isReady: false, deadlineAt: NOW, isCancelRequested: false },
  ...{ charged: 0, interruptions: 0, events: 5, hasPrompt: true, hasLaterEvent: false },
  ...{ attempts: [{ attempt: 1, token: 1, isLive: false }], lastEvent: { to: "asking" } },
  openQuestions: 1,
  openCommands: 1,
};
const canceled: SeenJob = {
  ...asking,
  ...{ state: { kind: "canceled", endedAt: 1 }, deadlineAt: undefined, openQuestions: 0 },
  openCommands: 0,
  lastEvent: { to: "canceled" },
};

test.each<[string, SeenJob, string[]]>([
  ["that asks", asking, []],
  ["that asked and was canceled", canceled, []],
  [
    "that waits for an answer to nothing",
    { ...asking, openQuestions: 0 },
    ["questionsOpen: It is asking and has 0 open questions."],
  ],
  [
    "that ended with a question open",
    { ...canceled, openQuestions: 1 },
    ["questionsOpen: It is canceled and has 1 open questions."],
  ],
  [
    "that ended with a command that nobody settled",
    { ...canceled, openCommands: 2 },
    ["commandsSettled: It is canceled and has 2 open commands."],
  ],
  [
    "that would wait for ever",
    { ...asking, deadlineAt: undefined },
    ["stateHasItsFields: It is waiting without a deadline."],
  ],
])("a job %s", (_, job, found) => {
  expect(checkJob(job, NOW).map(({ invariant, detail }) => `${invariant}: ${detail}`)).toEqual(
    found,
  );
});

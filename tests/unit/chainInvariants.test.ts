import { describe, expect, test } from "vitest";
import { checkMessage, checkSystem } from "../../convex/domain/invariants.js";
import { OUTBOX_AGE_MS_MAX } from "../../convex/protocol/limits.js";
import type { Violation } from "../../convex/protocol/selfAudit.js";

const NOW = 1_000_000_000;
/** What a deadline may be late before it counts. */
const LATE_MS = 180_000;
const said = (violations: readonly Violation[]) =>
  violations.map(({ invariant, id, detail }) => `${id} ${invariant}: ${detail}`);

type Row = { status: string; since: number };
const system = {
  dispatchers: [{ status: "needsJobs", since: 0 }] as Row[],
  timers: [{ nextAt: NOW as number | null }],
  ...{ hasPending: false, hasFreeSlot: true, firstDeadline: NOW },
};
const asleep = (status: string) => ({
  ...system,
  ...{ dispatchers: [{ status, since: 0 }], hasPending: true },
});

describe("the two chains", () => {
  test.each([
    ["at rest", system],
    ["with nothing yet", { ...system, dispatchers: [], timers: [], firstDeadline: Infinity }],
    ["full", { ...asleep("needsSlots"), hasFreeSlot: false }],
    ["that wait for a fit", asleep("needsMatch")],
    ["paused", asleep("paused")],
    [
      "whose pass is as late as it may be",
      { ...system, dispatchers: [{ status: "scheduled", since: NOW - LATE_MS }] },
    ],
    ["that slept for long", { ...system, dispatchers: [{ status: "needsJobs", since: 0 }] }],
    [
      "whose timer is as late as it may be",
      { ...system, timers: [{ nextAt: NOW - LATE_MS }], firstDeadline: NOW },
    ],
  ])("%s are well", (_, seen) => {
    expect(said(checkSystem(seen, NOW))).toEqual([]);
  });

  test.each([
    [
      { ...system, dispatchers: [...system.dispatchers, ...system.dispatchers] },
      ["dispatcher dispatcherAwake: There are 2 of it."],
    ],
    [
      { ...system, dispatchers: [{ status: "scheduled", since: NOW - LATE_MS - 1 }] },
      [`dispatcher dispatcherAwake: Its pass was due ${LATE_MS + 1} ms ago.`],
    ],
    [
      asleep("needsJobs"),
      ["dispatcher dispatcherAwake: It sleeps (needsJobs) while a job and a slot wait."],
    ],
    [
      asleep("needsSlots"),
      ["dispatcher dispatcherAwake: It sleeps (needsSlots) while a job and a slot wait."],
    ],
    [
      { ...asleep(""), dispatchers: [] },
      ["dispatcher dispatcherAwake: It sleeps (no row) while a job and a slot wait."],
    ],
    [
      { ...system, timers: [{ nextAt: NOW }, { nextAt: NOW }] },
      ["timer timerArmed: There are 2 of it."],
    ],
    [
      { ...system, timers: [{ nextAt: NOW + 1 }] },
      [`timer timerArmed: It fires at ${NOW + 1}, after the first deadline at ${NOW}.`],
    ],
    [
      { ...system, timers: [{ nextAt: null }] },
      [`timer timerArmed: It fires at Infinity, after the first deadline at ${NOW}.`],
    ],
    [
      { ...system, timers: [{ nextAt: NOW - LATE_MS - 1 }] },
      [`timer timerArmed: It was to fire ${LATE_MS + 1} ms ago.`],
    ],
  ])("case %#: it says what is wrong", (seen, expected) => {
    expect(said(checkSystem(seen, NOW))).toEqual(expected);
  });
});

test("a message that does not move is named, by its age or by the attempt that was due", () => {
  const at = NOW - OUTBOX_AGE_MS_MAX;
  expect(said(checkMessage({ id: "m", at, dueAt: NOW - LATE_MS }, NOW))).toEqual([]);
  expect(said(checkMessage({ id: "m", at: at - 1, dueAt: NOW }, NOW))).toEqual([
    `m outboxMoves: It was written ${OUTBOX_AGE_MS_MAX + 1} ms ago.`,
  ]);
  expect(said(checkMessage({ id: "m", at, dueAt: NOW - LATE_MS - 1 }, NOW))).toEqual([
    `m outboxMoves: Its attempt was due ${LATE_MS + 1} ms ago.`,
  ]);
});

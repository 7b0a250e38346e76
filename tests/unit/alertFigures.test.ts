/** What alerts say, word by word, and when. */
import { describe, expect, test } from "vitest";
import {
  checkSettings,
  evaluate,
  type Finding,
  type Live,
  RULES,
  SETTINGS_DEFAULT,
  type Snapshot,
  step,
} from "../../convex/domain/alerts.js";

import { type AlertSettings, RULE_NAMES } from "../../convex/protocol/alerts.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 1e12;
const one: Snapshot["executors"][number] = {
  ...{ id: "e1", name: "one", presence: "online", presenceSince: NOW },
  ...{ takesWork: true, unhealthy: null, pool: "" },
};
const quiet: Snapshot = {
  ...{ now: NOW, pending: 0, oldestMs: 0, hasFreeSlot: true, hasFit: true, lanes: [] },
  ...{ dispatcher: { status: "needsJobs", since: NOW }, executors: [one], assignedLately: 1 },
  ...{ recent: { ended: 0, failed: 0, reclaimed: 0 }, spentTodayUsd: 0, budgets: [] },
  ...{ rollUp: { rolledAt: NOW, isBehind: false }, audit: null, failedDeliveries: 0 },
  ...{ setAside: { count: 0, last: "" }, zombies: { count: 0, last: "" }, failingCredentials: [] },
};
const settings: AlertSettings = { ...SETTINGS_DEFAULT, spendDailyUsd: 10 };
const found = (change: Partial<Snapshot>) => evaluate({ ...quiet, ...change }, settings);
const said = (change: Partial<Snapshot>) =>
  found(change).map(({ key, state, title, detail }) => `${key} ${state}: ${title}. ${detail}`);

describe("alerts", () => {
  test("how grave each rule is, and how long it holds before it is told and after it is gone", () => {
    const minutes = Object.entries(RULES).map(([name, rule]) => [
      ...[name, rule.severity, rule.forMs / MINUTE, rule.clearMs / MINUTE],
    ]);
    expect(Object.fromEntries(minutes.map(([name, ...rest]) => [name, rest]))).toMatchObject({
      noExecutor: ["P1", 2, 1],
      queueStuck: ["P1", 2, 2],
      errorRate: ["P2", 0, 10],
      reclaims: ["P2", 0, 15],
      spend: ["P2", 0, 5],
      selfAudit: ["P2", 0, 0],
      zombie: ["P2", 0, 10],
      disk: ["P2", 2, 10],
      labelsMissing: ["P3", 5, 2],
      credentials: ["P3", 0, 1],
      executorUnhealthy: ["P3", 0, 1],
      executorLost: ["P3", 5, 2],
      slowQueue: ["P3", 5, 10],
      setAside: ["P3", 0, 10],
      spendNear: ["P4", 0, 5],
      rollUpBehind: ["P4", 5, 2],
      webhookFailing: ["P4", 0, 30],
    });
    expect(SETTINGS_DEFAULT).toMatchObject({
      ...{ spendDailyUsd: null, errorShare: 0.5, reclaims: 5, slowMs: 30 * MINUTE },
      ...{ diskShare: 0.1, muted: [] },
    });
  });

  const waits = { pending: 3, oldestMs: 6 * MINUTE };
  const none = { executors: [{ ...one, takesWork: false }] };
  test.each<[Partial<Snapshot>, string[]]>([
    [{}, []],
    [
      { ...waits, ...none, oldestMs: MINUTE },
      ["noExecutor bad: No executor takes work while jobs wait. 3 jobs wait, the first for 1 min."],
    ],
    [
      { ...waits, assignedLately: 0 },
      [
        "queueStuck bad: Jobs wait and none is assigned. 3 jobs wait, the first for 6 min. Slots are free; the dispatcher's status is needsJobs.",
      ],
    ],
    [{ ...waits, assignedLately: 0, oldestMs: 5 * MINUTE - 1 }, []],
    [{ ...waits, assignedLately: 1 }, []],
    [{ ...waits, assignedLately: 0, hasFit: false }, []],
    [
      {
        ...waits,
        hasFreeSlot: false,
        dispatcher: { status: "scheduled", since: NOW - MINUTE - 1 },
      },
      [
        "queueStuck bad: Jobs wait and none is assigned. 3 jobs wait, the first for 6 min. No slot is free; the dispatcher's status is scheduled.",
      ],
    ],
    [{ ...waits, dispatcher: { status: "scheduled", since: NOW - MINUTE } }, []],
    [{ ...waits, dispatcher: { status: "needsSlots", since: 0 } }, []],
    [
      { ...waits, dispatcher: null, assignedLately: 0 },
      [
        "queueStuck bad: Jobs wait and none is assigned. 3 jobs wait, the first for 6 min. Slots are free; the dispatcher's status is not there.",
      ],
    ],
    [{ ...waits, dispatcher: null }, []],
    [
      { ...waits, lanes: ["", "a\nb", "c", "d", "e"] },
      [
        "labelsMissing bad: Jobs ask for labels that no executor carries. Nobody online who takes work carries all of: a, b; c; d.",
      ],
    ],
    [{ ...waits, oldestMs: 15 * MINUTE - 1 }, []],
    [
      { ...waits, oldestMs: 15 * MINUTE },
      ["slowQueue unclear: Jobs wait long for a slot. 3 jobs wait, the first for 15 min."],
    ],
    [
      { ...waits, oldestMs: 30 * MINUTE },
      ["slowQueue bad: Jobs wait long for a slot. 3 jobs wait, the first for 30 min."],
    ],
    [{ ...waits, oldestMs: HOUR, dispatcher: { status: "paused", since: 0 } }, []],
    [
      { recent: { ended: 5, failed: 3, reclaimed: 0 } },
      ["errorRate bad: Many attempts fail. 3 of 5 attempts failed within a quarter of an hour."],
    ],
    [
      { recent: { ended: 4, failed: 4, reclaimed: 0 } },
      [
        "errorRate unclear: Many attempts fail. 4 of 4 attempts failed within a quarter of an hour.",
      ],
    ],
    [
      { recent: { ended: 4, failed: 1, reclaimed: 0 } },
      [
        "errorRate unclear: Many attempts fail. 1 of 4 attempts failed within a quarter of an hour.",
      ],
    ],
    [{ recent: { ended: 5, failed: 1, reclaimed: 0 } }, []],
    [
      { recent: { ended: 6, failed: 0, reclaimed: 3 } },
      [
        "reclaims unclear: Attempts are taken back from executors. 3 attempts were taken back within a quarter of an hour.",
      ],
    ],
    [
      { recent: { ended: 6, failed: 0, reclaimed: 5 } },
      [
        "reclaims bad: Attempts are taken back from executors. 5 attempts were taken back within a quarter of an hour.",
      ],
    ],
    [{ recent: { ended: 6, failed: 0, reclaimed: 2 } }, []],
    [
      { spentTodayUsd: 8 },
      ["spendNear bad: The day's budget is nearly spent. $8.00 of $10.00 were spent today (UTC)."],
    ],
    [{ spentTodayUsd: 7.99 }, []],
    [
      { spentTodayUsd: 10 },
      ["spend bad: The day's budget is spent. $10.00 of $10.00 were spent today (UTC)."],
    ],
    [
      { executors: [{ ...one, presence: "lost", presenceSince: NOW - 24 * HOUR }] },
      [
        "executorLost:e1 bad: Executor one is lost. Its lease ran out 1440 min ago, and it has not come back.",
      ],
    ],
    [{ executors: [{ ...one, presence: "lost", presenceSince: NOW - 24 * HOUR - 1 }] }, []],
    [
      { executors: [{ ...one, unhealthy: { reason: "cliAuth", since: 1 } }] },
      [
        "credentials:e1 bad: The credentials of executor one fail. Its attempts failed with cliAuth; it gets no work until it registers again or is resumed.",
      ],
    ],
    [
      { executors: [{ ...one, unhealthy: { reason: "diskFull", since: 1 } }] },
      [
        "executorUnhealthy:e1 bad: Executor one is unhealthy. Its attempts failed with diskFull; it gets no work until it registers again or is resumed.",
      ],
    ],
    [
      {
        executors: [
          {
            ...one,
            presence: "lost",
            presenceSince: 0,
            unhealthy: { reason: "cliAuth", since: 1 },
          },
        ],
      },
      [],
    ],
    [
      { executors: [{ ...one, disk: { freeBytes: 9e9, totalBytes: 1e11 } }] },
      [
        "disk:e1 bad: The disk of executor one is nearly full. 9 % of its disk are free (9.0 GB of 100.0 GB).",
      ],
    ],
    [
      { executors: [{ ...one, disk: { freeBytes: 1e10, totalBytes: 1e11 } }] },
      [
        "disk:e1 unclear: The disk of executor one is nearly full. 10 % of its disk are free (10.0 GB of 100.0 GB).",
      ],
    ],
    [{ executors: [{ ...one, disk: { freeBytes: 16e9, totalBytes: 1e11 } }] }, []],
    [{ executors: [{ ...one, disk: { freeBytes: 0, totalBytes: 0 } }] }, []],
    [
      {
        executors: [
          { ...one, presence: "lost", presenceSince: 0, disk: { freeBytes: 0, totalBytes: 1 } },
        ],
      },
      [],
    ],
    [
      { failingCredentials: [{ id: "c", label: "main", message: "401." }] },
      [
        "credentials:c bad: The credential main fails. The API refused it: 401. Nobody is given it until it is set anew or enabled.",
      ],
    ],
    [
      { audit: { violations: 2, first: "x" } },
      ["selfAudit bad: The self-audit found what must not be. 2 violations; the first: x"],
    ],
    [{ rollUp: null }, []],
    [{ rollUp: { rolledAt: NOW - 5 * MINUTE, isBehind: false } }, []],
    [
      { rollUp: { rolledAt: NOW - 5 * MINUTE - 1, isBehind: false } },
      ["rollUpBehind bad: Metrics are behind. The roll-up last ran 5 min ago."],
    ],
    [
      { rollUp: { rolledAt: NOW, isBehind: true } },
      [
        "rollUpBehind bad: Metrics are behind. The roll-up last ran 0 min ago and left events over.",
      ],
    ],
    [
      { zombies: { count: 1, last: "z" } },
      [
        "zombie bad: Two processes fight over the identity of one executor. 1 within an hour; the last: z",
      ],
    ],
    [
      { setAside: { count: 1, last: "j" } },
      ["setAside bad: Jobs or deadlines failed and were set aside. 1 within an hour; the last: j"],
    ],
    [
      { failedDeliveries: 1 },
      [
        "webhookFailing bad: Alerts do not get through to the webhook. 1 messages were given up within an hour.",
      ],
    ],
  ])("case %#", (change, expected) => {
    expect(said(change)).toEqual(expected);
  });

  const finding = (state: Finding["state"], severity: Finding["severity"] = "P3"): Finding => ({
    ...{ key: "slowQueue", rule: "slowQueue", severity, state, title: "t", detail: "d" },
  });
  const { key, rule, title, detail } = finding("bad");
  const pending: Live = { key, rule, title, detail, severity: "P3", status: "pending", since: NOW };
  const open: Live = { ...pending, status: "open", openedAt: NOW };
  const STEPS: [string, Live[], Finding[], number, unknown][] = [
    ["begins", [], [finding("bad")], NOW, [{ kind: "begin", alert: pending }]],
    ["what is unclear begins none", [], [finding("unclear")], NOW, []],
    [
      "waits for its time",
      [pending],
      [finding("bad")],
      NOW + 5 * MINUTE - 1,
      [{ kind: "keep", alert: pending }],
    ],
    [
      "opens and is told",
      [pending],
      [finding("bad")],
      NOW + 5 * MINUTE,
      [{ kind: "keep", alert: { ...open, openedAt: NOW + 5 * MINUTE }, tell: "opened" }],
    ],
    ["is forgotten before its time", [pending], [], NOW + 1, [{ kind: "forget", alert: pending }]],
    [
      "is forgotten where it is unclear",
      [pending],
      [finding("unclear")],
      NOW + 1,
      [{ kind: "forget", alert: pending }],
    ],
    ["goes on", [open], [finding("bad")], NOW + 1, [{ kind: "keep", alert: open }]],
    [
      "is told as worse",
      [open],
      [finding("bad", "P2")],
      NOW + 1,
      [{ kind: "keep", alert: { ...open, severity: "P2" }, tell: "escalated" }],
    ],
    [
      "clears from now on",
      [open],
      [],
      NOW + 9,
      [{ kind: "keep", alert: { ...open, clearSince: NOW + 9 } }],
    ],
    [
      "is resolved in the end",
      [{ ...open, clearSince: NOW }],
      [],
      NOW + 10 * MINUTE,
      [{ kind: "resolve", alert: { ...open, clearSince: NOW }, tell: "resolved" }],
    ],
    [
      "is not resolved too soon",
      [{ ...open, clearSince: NOW }],
      [],
      NOW + 10 * MINUTE - 1,
      [{ kind: "keep", alert: { ...open, clearSince: NOW } }],
    ],
    [
      "unclear again counts anew",
      [{ ...open, clearSince: NOW }],
      [finding("unclear")],
      NOW + 1,
      [{ kind: "keep", alert: open }],
    ],
  ];
  test.each(STEPS)("%s", (...[, live, findings, now, expected]) => {
    expect(step(live, findings, now)).toEqual(expected);
  });

  test("what lies on a bound", () => {
    const of = (change: Partial<Snapshot>, other: Partial<AlertSettings> = {}) =>
      evaluate({ ...quiet, ...change }, { ...settings, ...other }).map(
        ({ rule: name, state }) => `${name} ${state}`,
      );
    expect(of({ ...waits, assignedLately: 0, oldestMs: 5 * MINUTE })).toEqual(["queueStuck bad"]);
    const recent = { ended: 9, failed: 0, reclaimed: 2 };
    expect(of({ recent }, { reclaims: 4 })).toEqual(["reclaims unclear"]);
    expect(of({ recent: { ...recent, reclaimed: 0 } }, { errorShare: 0 })).toEqual([]);
    expect(of({ recent: { ended: 0, failed: 0, reclaimed: 0 } })).toEqual([]);
    const disk = (freeBytes: number, totalBytes: number) =>
      of({ executors: [{ ...one, disk: { freeBytes, totalBytes } }] });
    expect(disk(0, 1)).toEqual(["disk bad"]);
    expect(disk(0, 0)).toEqual([]);
    expect(
      of({ executors: [{ ...one, disk: { freeBytes: 3, totalBytes: 16 } }] }, { diskShare: 0.125 }),
    ).toEqual([]);
    const texts = said({ executors: [{ ...one, disk: { freeBytes: 5e9, totalBytes: 2e12 } }] });
    expect(texts[0]).toContain("0 % of its disk are free (5.0 GB of 2000.0 GB).");
  });

  test("settings have their bounds", () => {
    const isGood = (change: Partial<AlertSettings>) => checkSettings({ ...settings, ...change }).ok;
    const good: Partial<AlertSettings>[] = [
      {},
      { spendDailyUsd: null },
      { spendDailyUsd: 0.01 },
      { reclaims: 1 },
      { errorShare: 0.01 },
      { diskShare: 0.99 },
      ...[{ slowMs: MINUTE }, { muted: RULE_NAMES.slice() }],
    ];
    const bad: Partial<AlertSettings>[] = [
      ...[{ spendDailyUsd: 0 }, { spendDailyUsd: Infinity }, { errorShare: 0 }, { errorShare: 1 }],
      ...[
        { diskShare: 0 },
        { diskShare: 1 },
        { reclaims: 0 },
        { reclaims: 1.5 },
        { slowMs: 0 },
        { slowMs: NaN },
      ],
    ];
    expect(good.map(isGood)).toEqual(good.map(() => true));
    expect(bad.map(isGood)).toEqual(bad.map(() => false));
  });
});

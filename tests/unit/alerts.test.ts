import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Change,
  checkSettings,
  evaluate,
  type Finding,
  type Live,
  RULES,
  SETTINGS_DEFAULT,
  type Snapshot,
  step,
} from "../../convex/domain/alerts.js";
import { bodyOf, checkWebhookUrl, delayAfter } from "../../convex/domain/delivery.js";
import { RULE_NAMES } from "../../convex/protocol/alerts.js";
import { DELIVERY_ATTEMPTS_MAX, OUTBOX_AGE_MS_MAX } from "../../convex/protocol/limits.js";

const MINUTE = 60_000;
const NOW = 1e12;
const well: Snapshot = {
  now: NOW,
  pending: 0,
  oldestMs: 0,
  hasFreeSlot: true,
  hasFit: true,
  lanes: [""],
  dispatcher: { status: "needsJobs", since: NOW },
  executors: [
    {
      ...{ id: "e1", name: "one", presence: "online", presenceSince: NOW },
      ...{ takesWork: true, unhealthy: null, pool: "gpu" },
    },
  ],
  recent: { ended: 10, failed: 1, reclaimed: 0 },
  assignedLately: 1,
  budgets: [],
  spentTodayUsd: 1,
  rollUp: { rolledAt: NOW, isBehind: false },
  audit: { violations: 0, first: "" },
  setAside: { count: 0, last: "" },
  zombies: { count: 0, last: "" },
  failedDeliveries: 0,
  failingCredentials: [],
};
const withExecutor = (change: Partial<Snapshot["executors"][number]>): Snapshot => ({
  ...well,
  executors: well.executors.map((executor) => ({ ...executor, ...change })),
});
const settings = { ...SETTINGS_DEFAULT, spendDailyUsd: 10 };
const keys = (snapshot: Snapshot) =>
  evaluate(snapshot, settings).map(({ key, state }) => (state === "bad" ? key : `${key}?`));
const budget = (spentUsd: number, id = "a") => ({
  ...{ id, name: "everybody (day)", spentUsd, limitUsd: 7, waiting: 2 },
});
const disk = (share: number) => ({ disk: { freeBytes: share * 1e12, totalBytes: 1e12 } });

describe("the rules of alerts", () => {
  test.each<[string, Snapshot, string[]]>([
    ["all is well", well, []],
    [
      "jobs wait, nobody takes work",
      { ...withExecutor({ takesWork: false }), pending: 1 },
      ["noExecutor"],
    ],
    ["nobody takes work, no job waits", withExecutor({ takesWork: false }), []],
    [
      "slots are free beside jobs",
      { ...well, pending: 1, oldestMs: 6 * MINUTE, assignedLately: 0 },
      ["queueStuck"],
    ],
    [
      "slots are free, and none fits a job: it waits for a named reason",
      { ...well, pending: 1, oldestMs: 6 * MINUTE, assignedLately: 0, hasFit: false },
      [],
    ],
    [
      "jobs want labels that nobody carries",
      { ...well, pending: 1, hasFit: false, lanes: ["gpu", "gpu\nmac"] },
      ["labelsMissing"],
    ],
    [
      "jobs want labels, and who carries them takes no work: said once, by the graver rule",
      { ...withExecutor({ takesWork: false }), pending: 1, lanes: ["gpu", "mac"] },
      ["noExecutor"],
    ],
    [
      "the pass does not come",
      { ...well, pending: 1, dispatcher: { status: "scheduled", since: NOW - 2 * MINUTE } },
      ["queueStuck"],
    ],
    [
      "jobs wait because of a pause",
      {
        ...well,
        pending: 1,
        oldestMs: 60 * MINUTE,
        assignedLately: 0,
        dispatcher: { status: "paused", since: 0 },
      },
      [],
    ],
    [
      "jobs wait because of a limit",
      {
        ...well,
        pending: 1,
        oldestMs: 6 * MINUTE,
        assignedLately: 0,
        dispatcher: { status: "needsRoom", since: 0 },
      },
      [],
    ],
    ["jobs wait for half an hour", { ...well, pending: 1, oldestMs: 30 * MINUTE }, ["slowQueue"]],
    [
      "jobs wait for twenty minutes",
      { ...well, pending: 1, oldestMs: 20 * MINUTE },
      ["slowQueue?"],
    ],
    [
      "half of the attempts fail",
      { ...well, recent: { ended: 10, failed: 5, reclaimed: 0 } },
      ["errorRate"],
    ],
    [
      "a third of them fails",
      { ...well, recent: { ended: 10, failed: 3, reclaimed: 0 } },
      ["errorRate?"],
    ],
    [
      "all of too few fail",
      { ...well, recent: { ended: 4, failed: 4, reclaimed: 0 } },
      ["errorRate?"],
    ],
    [
      "five are reclaimed",
      { ...well, recent: { ended: 50, failed: 0, reclaimed: 5 } },
      ["reclaims"],
    ],
    ["the budget is spent", { ...well, spentTodayUsd: 10 }, ["spend"]],
    ["the budget is nearly spent", { ...well, spentTodayUsd: 8 }, ["spendNear"]],
    ["a budget is spent", { ...well, budgets: [budget(4), budget(7, "b")] }, ["spend:b"]],
    ["a budget is nearly spent", { ...well, budgets: [budget(6)] }, ["spendNear:a"]],
    [
      "credentials fail",
      withExecutor({ unhealthy: { reason: "cliAuth", since: 1 } }),
      ["credentials:e1"],
    ],
    [
      "no CLI",
      withExecutor({ unhealthy: { reason: "cliMissing", since: 1 } }),
      ["executorUnhealthy:e1"],
    ],
    [
      "an executor is lost",
      withExecutor({ presence: "lost", presenceSince: NOW - MINUTE }),
      ["executorLost:e1"],
    ],
    ["one was lost last week", withExecutor({ presence: "lost", presenceSince: NOW - 7e8 }), []],
    ["a disk is full", withExecutor(disk(0.05)), ["disk:e1"]],
    ["a disk is nearly full", withExecutor(disk(0.12)), ["disk:e1?"]],
    ["a disk has room", withExecutor(disk(0.5)), []],
    ["the audit is red", { ...well, audit: { violations: 1, first: "x" } }, ["selfAudit"]],
    ["there was no audit yet", { ...well, audit: null }, []],
    [
      "metrics are old",
      { ...well, rollUp: { rolledAt: NOW - 6 * MINUTE, isBehind: false } },
      ["rollUpBehind"],
    ],
    [
      "processes fight over one key",
      { ...well, zombies: { count: 1, last: "box: two" } },
      ["zombie"],
    ],
    ["a job was set aside", { ...well, setAside: { count: 1, last: "j" } }, ["setAside"]],
    ["messages were given up", { ...well, failedDeliveries: 2 }, ["webhookFailing"]],
  ])("%s", (_what, snapshot, expected) => {
    expect(keys(snapshot)).toEqual(expected);
  });

  test("without a budget nothing is said of spending; a muted rule says nothing", () => {
    expect(evaluate({ ...well, spentTodayUsd: 1e6 }, SETTINGS_DEFAULT)).toEqual([]);
    const muted = { ...SETTINGS_DEFAULT, muted: ["selfAudit" as const] };
    expect(evaluate({ ...well, audit: { violations: 1, first: "x" } }, muted)).toEqual([]);
  });
});

const finding = (state: "bad" | "unclear", change: Partial<Finding> = {}): Finding => ({
  ...{ key: "errorRate", rule: "errorRate", severity: "P2", state, title: "t", detail: "d" },
  ...change,
});

function alertOf(change: Change | undefined): Live {
  if (change === undefined) throw new Error("nothing changed");
  return change.alert;
}

describe("the life of an alert", () => {
  test("its condition must hold for as long as its rule says; then it opens and is told once", () => {
    const lost = finding("bad", { key: "noExecutor", rule: "noExecutor", severity: "P1" });
    const [begun] = step([], [lost], 0);
    expect(begun).toMatchObject({ kind: "begin", alert: { status: "pending" } });
    const alert = alertOf(begun);
    expect(step([alert], [lost], 2 * MINUTE - 1)[0]).not.toHaveProperty("tell");
    const [opened] = step([alert], [lost], 2 * MINUTE);
    expect(opened).toMatchObject({ kind: "keep", tell: "opened", alert: { status: "open" } });
    expect(step([alertOf(opened)], [lost], 3 * MINUTE)[0]).not.toHaveProperty("tell");
    expect(step([alert], [], MINUTE)).toEqual([{ kind: "forget", alert }]);
  });

  test("it resolves only after its condition was gone for long enough; what is unclear starts that anew", () => {
    const alert = alertOf(step([], [finding("bad")], 0)[0]);
    expect(alert.status).toBe("open");
    const clearing = alertOf(step([alert], [], MINUTE)[0]);
    expect(clearing.clearSince).toBe(MINUTE);
    const again = alertOf(step([clearing], [finding("unclear")], 5 * MINUTE)[0]);
    expect(again.clearSince).toBeUndefined();
    expect(step([clearing], [], 11 * MINUTE)[0]).toMatchObject({
      kind: "resolve",
      tell: "resolved",
    });
    expect(step([again], [], 11 * MINUTE)[0]).toMatchObject({ kind: "keep" });
  });

  test("a graver severity is told, a milder one is not", () => {
    const alert = alertOf(step([], [finding("bad")], 0)[0]);
    expect(step([alert], [finding("bad", { severity: "P1" })], 1)[0]).toMatchObject({
      tell: "escalated",
    });
    expect(step([alert], [finding("bad", { severity: "P3" })], 1)[0]).not.toHaveProperty("tell");
  });

  test("whatever conditions come and go: one live alert a key, opened and resolved in turns", () => {
    const sight = fc.record({
      ms: fc.nat(20 * MINUTE),
      seen: fc.subarray([...RULE_NAMES]),
      unclear: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(sight, { maxLength: 40 }), (sights) => {
        let now = 0;
        let live: Live[] = [];
        const told = new Map<string, string[]>();
        for (const { ms, seen, unclear } of sights) {
          now += ms;
          const findings = seen.map((name) =>
            finding(unclear ? "unclear" : "bad", {
              ...{ key: name, rule: name, severity: RULES[name].severity },
            }),
          );
          const changes = step(live, findings, now);
          const changed = changes.map((change) => change.alert.key);
          expect(new Set(changed).size).toBe(changed.length);
          for (const change of changes) {
            if (change.kind === "forget" || change.tell === undefined) continue;
            const { key } = change.alert;
            told.set(key, [...(told.get(key) ?? []), change.tell]);
          }
          live = changes
            .filter((change) => change.kind === "begin" || change.kind === "keep")
            .map((change) => change.alert);
        }
        for (const messages of told.values()) {
          for (const [i, message] of messages.entries()) {
            expect(message).toBe(i % 2 === 0 ? "opened" : "resolved");
          }
        }
      }),
    );
  });
});

describe("settings", () => {
  test.each([
    { spendDailyUsd: 0 },
    { spendDailyUsd: NaN },
    { errorShare: 0 },
    { errorShare: 1 },
    { diskShare: NaN },
    { reclaims: 0.5 },
    { slowMs: 1 },
    { muted: Array.from({ length: 20 }, () => "spend" as const) },
  ])("%j is refused", (change) => {
    expect(checkSettings({ ...SETTINGS_DEFAULT, ...change }).ok).toBe(false);
  });

  test("the defaults are good", () => {
    expect(checkSettings(SETTINGS_DEFAULT).ok).toBe(true);
  });
});

describe("deliveries", () => {
  test.each([
    ["https://hooks.example.com/x", true],
    ["http://127.0.0.1:8080/x", true],
    ["http://localhost/x", true],
    ["http://[::1]/x", true],
    ["http://hooks.example.com/x", false],
    ["http://127.0.0.1.example.com/", false],
    ["https://user:secret@example.com/", false],
    ["file:///etc/passwd", false],
    ["", false],
  ])("%s may be posted to: %s", (url, isGood) => {
    expect(checkWebhookUrl(url).ok).toBe(isGood);
  });

  test("delays grow, end, and in sum stay below the age at which a message is stuck", () => {
    const delays = Array.from({ length: DELIVERY_ATTEMPTS_MAX }, (_, i) => delayAfter(i + 1));
    expect(delays.at(-1)).toBeNull();
    const waits = delays.slice(0, -1).map((delay) => delay ?? NaN);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.reduce((a, b) => a + b, 0)).toBeLessThan(OUTBOX_AGE_MS_MAX / 2);
  });

  test("a message says severity, title, detail and what to do, for people and programs", () => {
    const told = {
      ...{ key: "spend", rule: "spend", severity: "P2" as const, since: 1 },
      ...{ title: "The budget is spent", detail: "$1.", runbook: "docs/runbook.md#x" },
    };
    expect(JSON.parse(bodyOf("opened", told, 5))).toEqual({
      text: "[P2] Alert: The budget is spent. $1. See docs/runbook.md#x",
      kind: "opened",
      at: 5,
      alert: told,
    });
  });
});

test("each rule names a section of the runbook, and each such section says its rule", () => {
  const runbook = readFileSync(new URL("../../docs/runbook.md", import.meta.url), "utf8");
  const sections = new Map(
    runbook
      .split(/^## /m)
      .slice(1)
      .map((section) => {
        const heading = section.slice(0, section.indexOf("\n"));
        const anchor = heading.toLowerCase().replace(/[^a-z -]/g, "");
        return [anchor.replaceAll(" ", "-"), section] as const;
      }),
  );
  for (const name of RULE_NAMES) {
    expect(sections.get(RULES[name].runbook)).toContain(`${RULES[name].severity} \`${name}\``);
  }
  expect(sections.size).toBe(RULE_NAMES.length);
});

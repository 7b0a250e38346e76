/** What people and executors type: each bound at its last good value and its first bad one. */
import { describe, expect, test } from "vitest";
import { checkPassword, checkUsername, normalizeUsername } from "../../convex/domain/account.js";
import { readAssertion } from "../../convex/domain/assertion.js";
import { checkFilter, matches } from "../../convex/domain/bulk.js";
import { type Checked, quote } from "../../convex/domain/checked.js";
import { checkGate, checkLimit, checkNote } from "../../convex/domain/controls.js";
import { checkWebhookUrl, delayAfter, signedText } from "../../convex/domain/delivery.js";
import {
  checkName as checkExecutorName,
  checkRegistration,
  holderOf,
  isPublicJwk,
  isSameHolder,
  readableDisk,
} from "../../convex/domain/executor.js";
import { checkLabels } from "../../convex/domain/labels.js";
import { append, checkAppend, EMPTY } from "../../convex/domain/logTail.js";
import { parseRef, parseRepository } from "../../convex/domain/repository.js";
import {
  checkInstant,
  isToRun,
  MISSED_MS,
  nextAfter,
  checkCadence,
} from "../../convex/domain/schedule.js";
import {
  checkConcurrencyKey,
  checkIdempotencyKey,
  checkLimits,
  checkPriority,
  checkPrompt,
  checkRunAt,
  checkWindow,
  titleOf,
} from "../../convex/domain/submission.js";
import { checkName, parametersOf, render } from "../../convex/domain/template.js";
import * as Limits from "../../convex/protocol/limits.js";

const isGood = (checked: Checked<unknown>): boolean => checked.ok;
const why = (checked: Checked<unknown>): string => (checked.ok ? "" : checked.message);
const x = (length: number) => "x".repeat(length);
const NOW = 1e12;
const HOSTS = { hosts: ["github.com"], local: true };

type Bound<T> = [name: string, check: (value: T) => Checked<unknown>, min: number, max: number];
const named = <T>([name, check, min, max]: Bound<T>) => ({ name, check, min, max });

const TEXTS: Bound<string>[] = [
  ["a prompt", checkPrompt, 1, Limits.PROMPT_CHARS_MAX],
  ["a template", parametersOf, 1, Limits.PROMPT_CHARS_MAX],
  ["a name of a template", checkName, 1, Limits.NAME_CHARS_MAX],
  ["a note", checkNote, 1, Limits.NOTE_CHARS_MAX],
  ["an idempotency key", checkIdempotencyKey, 1, Limits.IDEMPOTENCY_KEY_CHARS_MAX],
  ["a concurrency key", checkConcurrencyKey, 1, Limits.CONCURRENCY_KEY_CHARS_MAX],
  ["a model", (model) => checkLimits({ model }), 1, Limits.MODEL_CHARS_MAX],
  ["a name of an executor", checkExecutorName, 1, Limits.EXECUTOR_NAME_CHARS_MAX],
  ["a user name", checkUsername, 2, Limits.USERNAME_CHARS_MAX],
  ["a password", checkPassword, Limits.PASSWORD_CHARS_MIN, Limits.PASSWORD_CHARS_MAX],
  ["a ref", parseRef, 1, Limits.REF_CHARS_MAX],
  ["a name in a repository", (name) => parseRepository(`octo/${name}`, HOSTS), 1, 100],
  [
    "a local path",
    (path) => parseRepository(`/${path}`, HOSTS),
    1,
    Limits.REPOSITORY_CHARS_MAX - 1,
  ],
  ["a label", (label) => checkLabels([label]), 1, Limits.LABEL_CHARS_MAX],
  ["a text to look for", (text) => checkFilter({ text }), 0, Limits.SEARCH_CHARS_MAX],
];
test.each(TEXTS.map(named))("$name has its bounds", ({ check, min, max }) => {
  for (const length of [min, max]) expect(isGood(check(x(length)))).toBe(true);
  if (min > 0) expect(isGood(check(x(min - 1)))).toBe(false);
  expect(isGood(check(x(max + 1)))).toBe(false);
});

const NUMBERS: Bound<number>[] = [
  ["maxTurns", (maxTurns) => checkLimits({ maxTurns }), 1, Limits.MAX_TURNS_MAX],
  [
    "timeoutMs",
    (timeoutMs) => checkLimits({ timeoutMs }),
    Limits.TIMEOUT_MS_MIN,
    Limits.TIMEOUT_MS_MAX,
  ],
  ["attemptsMax", (attemptsMax) => checkLimits({ attemptsMax }), 1, Limits.ATTEMPTS_MAX],
  ["priority", checkPriority, 0, Limits.PRIORITY_MAX],
  ["a window", checkWindow, 1, Limits.IDEMPOTENCY_WINDOW_MS_MAX],
  ["runAt", (at) => checkRunAt(at, NOW), 0, NOW + Limits.RUN_AT_MS_MAX],
  ["a limit", (limit) => checkLimit("running", limit, [3, 9]), 3, 9],
  ["an instant", checkInstant, 0, 16_725_225_599_999],
  [
    "an interval",
    (everyMs) => checkCadence({ kind: "interval", everyMs, anchorAt: 0 }, NOW),
    Limits.INTERVAL_MS_MIN,
    Limits.INTERVAL_MS_MAX,
  ],
];
test.each(NUMBERS.map(named))("$name is whole and has its bounds", ({ check, min, max }) => {
  for (const value of [min, max]) expect(isGood(check(value))).toBe(true);
  for (const value of [min - 1, max + 1, min + 0.5, NaN]) expect(isGood(check(value))).toBe(false);
});

describe("submissions", () => {
  test("a budget is above nothing and has a bound", () => {
    const budget = (maxBudgetUsd: number) => checkLimits({ maxBudgetUsd });
    for (const usd of [0.01, Limits.MAX_BUDGET_USD_MAX]) expect(isGood(budget(usd))).toBe(true);
    for (const usd of [0, -1, NaN, Limits.MAX_BUDGET_USD_MAX + 1]) {
      expect(isGood(budget(usd))).toBe(false);
    }
  });
  test("a title is the first line that says something, cut with a mark", () => {
    expect(titleOf("\n\n  Mend it  \nmore")).toBe("Mend it");
    expect(titleOf(" \n ")).toBe("");
    expect(titleOf(x(Limits.TITLE_CHARS_MAX))).toBe(x(Limits.TITLE_CHARS_MAX));
    expect(titleOf(x(Limits.TITLE_CHARS_MAX + 1))).toBe(`${x(Limits.TITLE_CHARS_MAX - 1)}…`);
  });
  test("labels: as many as there may be", () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `l${i}`);
    expect(isGood(checkLabels(many(Limits.LABELS_MAX)))).toBe(true);
    expect(isGood(checkLabels(many(Limits.LABELS_MAX + 1)))).toBe(false);
  });
});

describe("names and notes", () => {
  test.each([" ", "a\u0001b", "a\nb", "a\u007f"])("%j is no name and no note", (text) => {
    expect(isGood(checkName(text))).toBe(false);
    expect(isGood(checkNote(text))).toBe(false);
  });
  test("what is around them goes", () => {
    expect(checkName("  nightly ")).toEqual({ ok: true, value: "nightly" });
    expect(checkNote("  why ")).toEqual({ ok: true, value: "why" });
  });
  test("gates", () => {
    const longest = `key:${x(Limits.CONCURRENCY_KEY_CHARS_MAX + 6)}`;
    for (const gate of ["key:a", "submitter:user:ada", longest])
      expect(isGood(checkGate(gate))).toBe(true);
    for (const gate of ["key:", "keys:a", "key:a b", "submitter:", `${longest}x`]) {
      expect(isGood(checkGate(gate))).toBe(false);
    }
  });
  test("a quotation is printable, cut at 80 characters with a mark", () => {
    expect(quote("a\nb")).toBe('"a?b"');
    expect(quote(x(80))).toBe(`"${x(80)}"`);
    expect(quote(x(81))).toBe(`"${x(80)}…"`);
  });
  test("user names: lower case, without signs at the start; passwords without NUL", () => {
    expect(checkUsername(" Ada ")).toEqual({ ok: true, value: "ada" });
    expect(isGood(checkUsername("-ada"))).toBe(false);
    expect(normalizeUsername(x(999))).toHaveLength(4 * Limits.USERNAME_CHARS_MAX);
    expect(isGood(checkPassword(`${x(Limits.PASSWORD_CHARS_MIN)}\0`))).toBe(false);
  });
  test("templates: as many parameters as there may be; none to name", () => {
    const text = (count: number) => Array.from({ length: count }, (_, i) => `{{p${i}}}`).join(" ");
    expect(isGood(parametersOf(text(Limits.TEMPLATE_PARAMETERS_MAX)))).toBe(true);
    expect(isGood(parametersOf(text(Limits.TEMPLATE_PARAMETERS_MAX + 1)))).toBe(false);
    expect(why(render("x", { a: "1" }))).toContain("It has: none.");
    expect(why(render("{{b}}", { a: "1", b: "2" }))).toContain("It has: b.");
  });
});

describe("filters", () => {
  test("a time range is finite and not empty", () => {
    for (const good of [{ from: 1 }, { to: 1 }, { from: 0, to: 1 }]) {
      expect(isGood(checkFilter(good))).toBe(true);
    }
    for (const bad of [
      { from: 1, to: 1 },
      { from: 2, to: 1 },
      { from: NaN },
      { to: Infinity },
      {},
    ]) {
      expect(isGood(checkFilter(bad))).toBe(false);
    }
  });
  test("a text is looked for in id, title, repository and ref, whatever its case", () => {
    const repository = {
      kind: "remote",
      host: "github.com",
      owner: "octo",
      name: "Hello",
    } as const;
    const job = {
      ...{ _id: "ID1", title: "Mend It", state: { kind: "pending" }, lane: "gpu" },
      ...{ spec: { repository, ref: "Main", limits: {} }, submittedBy: "user:ada" },
    };
    for (const text of ["id1", "mend", "octo/hello", "main"])
      expect(matches({ text }, job)).toBe(true);
    expect(matches({ text: "nothing" }, job)).toBe(false);
    expect(isGood(checkFilter({ from: 0 }))).toBe(true);
    const { title, ...untitled } = job;
    expect(matches({ text: title }, untitled)).toBe(false);
  });
});

describe("executors", () => {
  const registration = {
    slots: 1,
    leaseMs: 60_000,
    version: "1",
    cliVersion: "1",
    labels: ["b", "a"],
  };
  test("what one says of itself", () => {
    expect(checkRegistration(registration)).toEqual({
      ok: true,
      value: { ...registration, labels: ["a", "b"] },
    });
    const long = x(Limits.VERSION_CHARS_MAX);
    for (const good of [{ slots: Limits.SLOTS_MAX }, { version: long }, { cliVersion: long }]) {
      expect(isGood(checkRegistration({ ...registration, ...good }))).toBe(true);
    }
    for (const [bad, reason] of [
      [{ slots: 0 }, "slots is 0"],
      [{ slots: 1.5 }, "slots is 1.5"],
      [{ slots: Limits.SLOTS_MAX + 1 }, "slots is"],
      [{ leaseMs: 1 }, "leaseMs is 1"],
      [{ version: `${long}x` }, "A version is longer"],
      [{ cliVersion: `${long}x` }, "A version is longer"],
      [{ labels: ["a b"] }, "The label"],
    ] as const) {
      expect(
        why(
          checkRegistration({
            ...registration,
            ...bad,
            labels: [...(("labels" in bad ? bad.labels : []) as string[])],
          }),
        ),
      ).toContain(reason);
    }
  });
  test("keys and disks", () => {
    const key = (chars: string) => isPublicJwk({ kty: "OKP", crv: "Ed25519", x: chars });
    expect([key(x(43)), key(x(42)), key(x(44)), key(`${x(42)}+`)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    const disk = (freeBytes: number, totalBytes: number) =>
      readableDisk({ freeBytes, totalBytes }) !== undefined;
    expect([disk(0, 1), disk(1, 1), disk(2, 1), disk(-1, 1), disk(0, 0)]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect([disk(1, Infinity), disk(NaN, 1), readableDisk(undefined)]).toEqual([
      false,
      false,
      undefined,
    ]);
  });
  test("a lease repeats its executor, and any difference shows", () => {
    const row = { boot: "b", epoch: 1, leaseMs: 2, draining: false };
    const holder = { boot: "b", epoch: 1, leaseMs: 2, draining: false, isRotationDue: false };
    expect(holderOf(row)).toEqual(holder);
    expect(holderOf({ ...row, rotationRequestedAt: 0 }).isRotationDue).toBe(true);
    expect(isSameHolder(holder, holderOf(row))).toBe(true);
    for (const other of [
      { boot: "c" },
      { epoch: 2 },
      { leaseMs: 3 },
      { draining: true },
      { isRotationDue: true },
    ]) {
      expect(isSameHolder(holder, { ...holder, ...other })).toBe(false);
    }
  });
  test("an assertion is of this executor, for now, for a short time", () => {
    const skew = Limits.CLOCK_SKEW_MS;
    const claims = {
      ...{ iss: "e", sub: "e", aud: "a", jti: x(16), boot: "b", bootAt: 1 },
      ...{ iat: NOW / 1_000, exp: NOW / 1_000 + 1 },
    };
    const read = (change: Record<string, unknown>) =>
      readAssertion({ ...claims, ...change }, { executorId: "e", audience: "a", now: NOW }) !==
      null;
    const seconds = (ms: number) => (NOW + ms) / 1_000;
    const good = [
      ...[{}, { jti: x(64) }, { boot: x(64) }, { bootAt: 0 }, { bootAt: NOW + skew }],
      { iat: seconds(skew), exp: seconds(skew + 1_000) },
      { iat: seconds(-skew - 1_000), exp: seconds(-skew + 1) },
      { exp: seconds(Limits.ASSERTION_MS_MAX) },
    ];
    const bad = [
      ...[{ iss: "f" }, { sub: "f" }, { aud: "b" }, { jti: x(15) }, { jti: x(65) }, { jti: 1 }],
      ...[
        { boot: "" },
        { boot: x(65) },
        { bootAt: -1 },
        { bootAt: NOW + skew + 1 },
        { bootAt: NaN },
      ],
      ...[{ iat: "1" }, { exp: "1" }, { bootAt: "1" }, { iat: undefined }, { exp: NOW / 1_000 }],
      ...[{ iat: String(NOW / 1_000) }, { exp: String(NOW / 1_000 + 1) }],
      { iat: seconds(skew + 1), exp: seconds(skew + 1_000) },
      { iat: seconds(-skew - 1_000), exp: seconds(-skew) },
      { exp: seconds(Limits.ASSERTION_MS_MAX + 1) },
    ];
    expect(good.map(read)).toEqual(good.map(() => true));
    expect(bad.map(read)).toEqual(bad.map(() => false));
  });
});

describe("schedules", () => {
  test("a missed occurrence is one five minutes late, and runs where it is to be made up for", () => {
    expect(MISSED_MS).toBe(300_000);
    expect([isToRun("skip", MISSED_MS - 1), isToRun("skip", MISSED_MS)]).toEqual([true, false]);
    expect(isToRun("runOnce", MISSED_MS)).toBe(true);
    expect(isGood(checkInstant(5))).toBe(true);
    const cron = { kind: "cron", expression: "0 0 * * *", timeZone: "No/Where" } as const;
    expect(nextAfter(cron, NOW)).toBeNull();
    expect(nextAfter({ ...cron, expression: "x", timeZone: "UTC" }, NOW)).toBeNull();
  });
});

describe("logs", () => {
  const entry = (text: string) => ({ at: 1, kind: "text" as const, text });
  const overhead = Limits.LOG_ENTRY_OVERHEAD_CHARS;
  test("an append has its bounds", () => {
    const of = (seq: number, texts: string[]) =>
      isGood(checkAppend({ seq, entries: texts.map(entry) }));
    const longest = x(Limits.LOG_ENTRY_CHARS_MAX);
    expect([of(0, [longest]), of(0, [`${longest}x`]), of(-1, []), of(0.5, [])]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    const many = (count: number) => Array.from({ length: count }, () => "");
    expect([
      of(0, many(Limits.LOG_ENTRIES_PER_APPEND_MAX)),
      of(0, many(Limits.LOG_ENTRIES_PER_APPEND_MAX + 1)),
    ]).toEqual([true, false]);
    const whole = Math.floor(Limits.LOG_APPEND_CHARS_MAX / longest.length);
    const rest = Limits.LOG_APPEND_CHARS_MAX - whole * longest.length;
    const texts = [...Array.from({ length: whole }, () => longest), x(rest)];
    expect([of(0, texts), of(0, [...texts, "x"])]).toEqual([true, false]);
  });
  test("a tail holds what fits, then is sealed, and goes on after it", () => {
    const half = x(Limits.LOG_TAIL_CHARS_MAX / 2 - overhead);
    expect(EMPTY).toEqual({ nextSeq: 0, sealedChunks: 0, tailSeq: 0, tail: [], dropped: 0 });
    const two = append(EMPTY, 0, [entry(half), entry(half)]);
    expect(two.sealed).toEqual([]);
    const three = append(two.after, 2, [entry("")]);
    expect(three.sealed).toEqual([{ index: 0, firstSeq: 0, entries: two.after.tail }]);
    expect(three.after).toMatchObject({
      nextSeq: 3,
      sealedChunks: 1,
      tailSeq: 2,
      tail: [entry("")],
    });
    const rest = x(Limits.LOG_TAIL_CHARS_MAX - 2 * overhead);
    const four = append(three.after, 3, [entry(rest), entry("")]);
    expect(four.sealed).toEqual([{ index: 1, firstSeq: 2, entries: [entry(""), entry(rest)] }]);
    expect(four.after).toMatchObject({ nextSeq: 5, sealedChunks: 2, tailSeq: 4 });
    const full = append({ ...EMPTY, tail: [entry("")] }, 0, []).after;
    const exact = append({ ...full, nextSeq: 1 }, 1, [entry(rest)]);
    expect(exact.sealed).toEqual([]);
    const later = append(three.after, 3, [
      entry(x(Limits.LOG_TAIL_CHARS_MAX - overhead)),
      entry(""),
    ]);
    expect(later.sealed.map(({ firstSeq }) => firstSeq)).toEqual([2, 3]);
    const big = append(EMPTY, 0, [entry(x(Limits.LOG_TAIL_CHARS_MAX + 1))]);
    expect(big.sealed).toEqual([]);
  });
});

describe("messages to a webhook", () => {
  test("where they may go", () => {
    const isAllowed = (url: string) => isGood(checkWebhookUrl(url));
    for (const url of [
      "https://a.test/x",
      "http://127.0.0.1/",
      "http://localhost:1/",
      "http://[::1]/",
    ]) {
      expect(isAllowed(url)).toBe(true);
    }
    for (const url of [
      "",
      "http://a.test/",
      "ftp://localhost/",
      "https://u@a.test/",
      "https://:p@a.test/",
    ]) {
      expect(isAllowed(url)).toBe(false);
    }
  });
  test("when they are tried again, and what is signed", () => {
    expect([1, 2, 3, 4, 5].map(delayAfter)).toEqual([10_000, 30_000, 90_000, 270_000, 810_000]);
    expect(delayAfter(Limits.DELIVERY_ATTEMPTS_MAX)).toBeNull();
    expect(delayAfter(Limits.DELIVERY_ATTEMPTS_MAX - 1)).toBeLessThanOrEqual(1_800_000);
    expect(signedText(7, "b")).toBe("7.b");
  });
});

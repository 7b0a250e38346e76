import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPassword, checkUsername, normalizeUsername } from "../../convex/domain/account.js";
import { readAssertion } from "../../convex/domain/assertion.js";
import { checkName, checkRegistration, isPublicJwk } from "../../convex/domain/executor.js";
import { append, checkAppend, EMPTY, type Tail } from "../../convex/domain/logTail.js";
import { clipOutcome, clipReport } from "../../convex/domain/report.js";
import {
  checkIdempotencyKey,
  checkLimits,
  checkOutputSchema,
  checkPriority,
  checkPrompt,
} from "../../convex/domain/submission.js";
import * as L from "../../convex/protocol/limits.js";

const refusedWith = (why: string) => ({
  ok: false,
  message: expect.stringContaining(why) as string,
});

describe("a submission", () => {
  test.each(["", " \n", "a\0b", "x".repeat(L.PROMPT_CHARS_MAX + 1)])(
    "a bad prompt is refused",
    (p) => {
      expect(checkPrompt(p).ok).toBe(false);
    },
  );

  test("a prompt of the greatest length is taken", () => {
    expect(checkPrompt("x".repeat(L.PROMPT_CHARS_MAX)).ok).toBe(true);
  });

  test.each([
    [{ maxTurns: 0 }, "maxTurns is 0"],
    [{ maxTurns: 1.5 }, "maxTurns is 1.5"],
    [{ maxTurns: L.MAX_TURNS_MAX + 1 }, "maxTurns"],
    [{ timeoutMs: 999 }, "timeoutMs is 999"],
    [{ timeoutMs: L.TIMEOUT_MS_MAX + 1 }, "timeoutMs"],
    [{ attemptsMax: 0 }, "attemptsMax is 0"],
    [{ attemptsMax: 11 }, "attemptsMax is 11"],
    [{ maxBudgetUsd: 0 }, "maxBudgetUsd is 0"],
    [{ maxBudgetUsd: NaN }, "maxBudgetUsd is NaN"],
    [{ maxBudgetUsd: Infinity }, "maxBudgetUsd is Infinity"],
    [{ model: "" }, "model is"],
    [{ model: "--help" }, "model is"],
    [{ model: "x".repeat(101) }, "model is"],
  ])("limits %j are refused", (limits, why) => {
    expect(checkLimits(limits)).toMatchObject(refusedWith(why));
  });

  test("limits within their bounds are taken as they are", () => {
    const limits = {
      model: "claude-sonnet-4-5",
      maxTurns: 1,
      maxBudgetUsd: 0.01,
      timeoutMs: 1_000,
    };
    expect(checkLimits(limits)).toEqual({ ok: true, value: limits });
    expect(checkLimits({})).toEqual({ ok: true, value: {} });
  });

  test.each([-1, 10, 0.5, NaN])("priority %d is refused", (priority) => {
    expect(checkPriority(priority).ok).toBe(false);
  });

  test("priority left out is the default", () => {
    expect(checkPriority(undefined)).toEqual({ ok: true, value: L.PRIORITY_DEFAULT });
    expect(checkPriority(0)).toEqual({ ok: true, value: 0 });
  });

  test("an idempotency key has 1 to 200 characters", () => {
    expect(checkIdempotencyKey("").ok).toBe(false);
    expect(checkIdempotencyKey("x".repeat(201)).ok).toBe(false);
    expect(checkIdempotencyKey("x".repeat(200)).ok).toBe(true);
    expect(checkIdempotencyKey(undefined)).toEqual({ ok: true, value: undefined });
  });
});

describe("a log", () => {
  const entry = (text: string) => ({ at: 0, kind: "text" as const, text });
  const texts = fc.array(fc.array(fc.string({ maxLength: 9_000 }), { maxLength: 6 }), {
    maxLength: 12,
  });

  test("chunks and tail together are what was sent, dense and in order, each within its bound", () => {
    fc.assert(
      fc.property(texts, (batches) => {
        let tail: Tail = EMPTY;
        const kept: string[] = [];
        for (const batch of batches) {
          const { after, sealed } = append(tail, tail.nextSeq, batch.map(entry));
          for (const chunk of sealed) {
            expect(chunk.firstSeq).toBe(kept.length);
            kept.push(...chunk.entries.map((e) => e.text));
          }
          tail = after;
          expect(tail.tailSeq).toBe(kept.length);
        }
        const all = batches.flat();
        expect([...kept, ...tail.tail.map((e) => e.text)]).toEqual(all);
        expect(tail.nextSeq).toBe(all.length);
        const chars = tail.tail.reduce(
          (sum, e) => sum + e.text.length + L.LOG_ENTRY_OVERHEAD_CHARS,
          0,
        );
        expect(chars).toBeLessThanOrEqual(L.LOG_TAIL_CHARS_MAX);
      }),
      { numRuns: 50 },
    );
  });

  test("entries kept already are skipped, a gap adds nothing", () => {
    const { after } = append(EMPTY, 0, [entry("a"), entry("b")]);
    const again = append(after, 1, [entry("b"), entry("c")]).after;
    expect(again.tail.map((e) => e.text)).toEqual(["a", "b", "c"]);
    expect(append(again, 5, [entry("x")])).toEqual({ after: again, sealed: [] });
  });

  test("beyond the bound of an attempt entries are counted, not kept", () => {
    const full = { ...EMPTY, nextSeq: L.LOG_ENTRIES_PER_ATTEMPT_MAX - 1 };
    const { after } = append(full, full.nextSeq, [entry("last"), entry("x"), entry("y")]);
    expect(after.tail.map((e) => e.text)).toEqual(["last"]);
    expect(after.dropped).toBe(2);
  });

  test.each([
    [{ seq: -1, entries: [] }, "seq is -1"],
    [{ seq: 0.5, entries: [] }, "seq is 0.5"],
    [{ seq: 0, entries: Array.from({ length: 501 }, () => entry("")) }, "501 entries"],
    [{ seq: 0, entries: [entry("x".repeat(16_385))] }, "An entry is longer"],
    [{ seq: 0, entries: Array.from({ length: 17 }, () => entry("x".repeat(16_384))) }, "at once"],
  ])("an append out of bounds is refused (%#)", (batch, why) => {
    expect(checkAppend(batch)).toMatchObject(refusedWith(why));
  });
});

describe("an executor", () => {
  const good = { slots: 2, leaseMs: 30_000, version: "1", cliVersion: "2", labels: ["gpu"] };
  test.each([
    [{ slots: 0 }, "slots is 0"],
    [{ slots: 33 }, "slots is 33"],
    [{ slots: 1.5 }, "slots is 1.5"],
    [{ leaseMs: 1 }, "leaseMs is 1"],
    [{ version: "x".repeat(101) }, "A version"],
    [{ labels: ["x".repeat(65)] }, "The label"],
    [{ labels: Array.from({ length: 17 }, () => "x") }, "labels"],
  ])("a registration with %j is refused", (part, why) => {
    expect(checkRegistration({ ...good, ...part })).toMatchObject(refusedWith(why));
  });

  test("a registration within bounds is taken", () => {
    expect(checkRegistration(good)).toEqual({ ok: true, value: good });
  });

  test.each(["", "-x", "a b", "a\nb", "x".repeat(65)])("the name %j is refused", (name) => {
    expect(checkName(name).ok).toBe(false);
  });

  test("a public key is 32 bytes", () => {
    const jwk = (x: string) => ({ kty: "OKP" as const, crv: "Ed25519" as const, x });
    expect(isPublicJwk(jwk("A".repeat(43)))).toBe(true);
    expect(isPublicJwk(jwk("A".repeat(42)))).toBe(false);
    expect(isPublicJwk(jwk("A".repeat(42) + "="))).toBe(false);
  });
});

describe("an assertion", () => {
  const now = 1_000_000_000;
  const good = {
    iss: "e1",
    sub: "e1",
    aud: "fondation/executors/token",
    iat: now / 1000,
    exp: now / 1000 + 60,
    jti: "0123456789abcdef",
    boot: "b1",
    bootAt: now - 5_000,
  };
  const read = (part: object) =>
    readAssertion(
      { ...good, ...part },
      { executorId: "e1", audience: "fondation/executors/token", now },
    );

  test("a good one is read", () => {
    expect(read({})).toEqual({
      jti: good.jti,
      boot: "b1",
      bootAt: good.bootAt,
      expiresAt: now + 60_000,
    });
  });

  test.each([
    { iss: "e2" },
    { sub: "e2" },
    { aud: "fondation" },
    { aud: ["fondation/executors/token"] },
    { exp: good.iat + 61 },
    { iat: good.iat - 120, exp: good.iat - 60 },
    { iat: good.iat + 6, exp: good.iat + 60 },
    { exp: good.iat },
    { iat: "now" },
    { exp: undefined },
    { jti: "short" },
    { jti: "x".repeat(65) },
    { boot: "" },
    { boot: 1 },
    { bootAt: now + 60_000 },
    { bootAt: -1 },
    { bootAt: NaN },
    { bootAt: "1" },
  ])("one with %j is not", (part) => {
    expect(read(part)).toBeNull();
  });
});

describe("an account", () => {
  test("a user name is folded to one form", () => {
    expect(normalizeUsername(" Alice ")).toBe("alice");
    expect(checkUsername("Alice")).toEqual({ ok: true, value: "alice" });
  });

  test.each(["", "a", "-a", "a b", "a\nb", "x".repeat(33)])(
    "the user name %j is refused",
    (name) => {
      expect(checkUsername(name).ok).toBe(false);
    },
  );

  test.each(["", "x".repeat(11), "x".repeat(257), "0123456789a\0"])(
    "a bad password is refused",
    (p) => {
      expect(checkPassword(p).ok).toBe(false);
    },
  );

  test("a password of 12 characters is taken", () => {
    expect(checkPassword("x".repeat(12)).ok).toBe(true);
  });
});

test.each([
  ["no JSON", "{", "not the JSON of an object"],
  ["an array", "[]", "not the JSON of an object"],
  ["true", "true", "not the JSON of an object"],
  ["too long", `{"a":"${"x".repeat(5_000)}"}`, "at most 4096"],
])("an output schema that is %s is refused", (_, schema, why) => {
  expect(checkOutputSchema(schema)).toMatchObject(refusedWith(why));
});

test("an output schema that is an object is taken as it is", () => {
  const schema = '{"type": "object"}';
  expect(checkOutputSchema(schema)).toEqual({ ok: true, value: schema });
});

test("a report is cut to what a document holds, and says so", () => {
  const changes = {
    files: 1,
    insertions: 1,
    deletions: 0,
    patch: "x".repeat(200_000),
    patchTruncated: false,
  };
  const tokens = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 };
  const report = { costUsd: 0, tokens, turns: 0, permissionDenials: 0 };
  const tooLong = "y".repeat(200_000);
  const texts = { result: tooLong, structuredOutput: tooLong, deferred: tooLong };
  const denied = Array.from({ length: 100 }, () => "z".repeat(9_000));
  const clipped = clipReport({ ...report, ...texts, denied, changes });
  expect(clipped.structuredOutput).toHaveLength(L.RESULT_CHARS_MAX);
  expect(clipped.deferred).toHaveLength(L.CALL_CHARS_MAX);
  expect(clipped.denied).toEqual(
    Array.from({ length: L.DENIALS_SHOWN_MAX }, () => "z".repeat(L.CALL_CHARS_MAX)),
  );
  expect(clipped.result).toHaveLength(L.RESULT_CHARS_MAX);
  expect(clipped.changes).toMatchObject({ patchTruncated: true, files: 1 });
  expect(clipped.changes?.patch).toHaveLength(L.PATCH_CHARS_MAX);
  expect(clipReport(report)).toEqual(report);
  const long = { kind: "failed", reason: "internal", message: "z".repeat(9_000) } as const;
  expect(clipOutcome(long)).toMatchObject({ message: "z".repeat(L.MESSAGE_CHARS_MAX) });
});

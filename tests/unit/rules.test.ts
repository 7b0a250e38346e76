import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkFilter, matches } from "../../convex/domain/bulk.js";
import { checkGate, checkLimit, checkNote } from "../../convex/domain/controls.js";
import { estimate } from "../../convex/domain/estimate.js";
import {
  checkConcurrencyKey,
  checkRunAt,
  checkWindow,
  defaultKey,
} from "../../convex/domain/submission.js";
import { parametersOf, render } from "../../convex/domain/template.js";
import { admit, gateReason } from "../../convex/domain/waiting.js";

describe("admission", () => {
  const gate = { name: "key:k", reason: "concurrency" as const };

  test("the first rule in the order time, dependencies, limits", () => {
    expect(admit({ runAt: 11, unmet: 1, gate }, 10)).toMatchObject({
      reason: "schedule",
      until: 11,
    });
    expect(admit({ runAt: 10, unmet: 1, gate }, 10)).toMatchObject({ reason: "dependency" });
    expect(admit({ runAt: undefined, unmet: 0, gate }, 10)).toMatchObject({ gate: "key:k" });
    expect(admit({ runAt: undefined, unmet: 0, gate: null }, 10)).toEqual({ kind: "pending" });
  });

  test.each([
    [0, 1, null],
    [1, 1, "concurrency"],
    [2, 1, "concurrency"],
    [0, 0, "paused"],
  ])("%i running of %i → %s", (running, limit, expected) => {
    expect(gateReason(running, limit)).toBe(expected);
  });
});

describe("a submission's rules", () => {
  test("jobs of a branch take turns, jobs on a commit need not", () => {
    const repository = { kind: "remote", host: "github.com", owner: "a", name: "b" } as const;
    expect(defaultKey({ repository, ref: "main", limits: {} })).toBe("github.com/a/b@main");
    expect(defaultKey({ repository, ref: "a".repeat(40), limits: {} })).toBeUndefined();
  });

  test("bounds", () => {
    expect(checkConcurrencyKey("a b").ok).toBe(false);
    expect(checkConcurrencyKey("").ok).toBe(false);
    expect(checkConcurrencyKey("deploy:prod")).toEqual({ ok: true, value: "deploy:prod" });
    expect(checkRunAt(1.5, 0).ok).toBe(false);
    expect(checkRunAt(1e15, 0).ok).toBe(false);
    expect(checkWindow(0).ok).toBe(false);
    expect(checkWindow(undefined)).toEqual({ ok: true, value: 86_400_000 });
    expect(checkLimit("x", 0, [1, 2]).ok).toBe(false);
    expect(checkNote(" ").ok).toBe(false);
    expect(checkGate("key:a@b").ok).toBe(true);
    expect(checkGate("user:a").ok).toBe(false);
  });
});

describe("a template", () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,5}$/);

  test("its parameters are replaced by their values, whatever these hold", () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 5 }), fc.string(), (names, v) => {
        const text = names.map((n) => `<{{ ${n} }}>`).join("");
        expect(parametersOf(text)).toEqual({ ok: true, value: names });
        const values = Object.fromEntries(names.map((n) => [n, v]));
        expect(render(text, values)).toEqual({
          ok: true,
          value: names.map(() => `<${v}>`).join(""),
        });
      }),
    );
  });

  test("a value that looks like a parameter stays as it is", () => {
    expect(render("{{a}}", { a: "{{b}} $& $1" })).toEqual({ ok: true, value: "{{b}} $& $1" });
  });

  test.each([
    ["{{a}} {{b}}", { a: "1" }, "value for b"],
    ["{{a}}", { a: "1", c: "2" }, 'no parameter "c"'],
    ["{{toString}}", {}, "value for toString"],
  ])("%s with %j is refused", (text, values, why) => {
    expect(render(text, values)).toMatchObject({
      ok: false,
      message: expect.stringContaining(why) as string,
    });
  });

  test.each(["", "{{a b}}", "{{}}", "{{9}}"])("%j is no template", (text) => {
    expect(parametersOf(text).ok).toBe(false);
  });
});

describe("a bulk filter", () => {
  const job = {
    _id: "j1",
    title: "Mend the Roof",
    state: { kind: "failed" },
    spec: { repository: { kind: "local", path: "/r" }, ref: "HEAD", limits: {} } as const,
    lane: "gpu",
    submittedBy: "user:a",
  };

  test.each([
    [{ state: "failed" }, true],
    [{ state: "failed", label: "cpu" }, false],
    [{ repository: "/r", submittedBy: "user:a", label: "gpu" }, true],
    [{ repository: "/other" }, false],
    [{ submittedBy: "user:b" }, false],
    [{ from: 0 }, true],
    [{ text: "roof" }, true],
    [{ text: "J1" }, true],
    [{ text: "door" }, false],
  ])("%j → %s", (filter, expected) => {
    expect(matches(filter, job)).toBe(expected);
  });

  test.each([{}, { state: "asleep" }, { from: 2, to: 2 }, { text: "x".repeat(101) }])(
    "%j is refused",
    (filter) => {
      expect(checkFilter(filter).ok).toBe(false);
    },
  );
});

describe("an estimate", () => {
  const guess = { durationsMs: [10, 20, 30], room: 2, ahead: 3, isAheadMore: false };

  test("rounds of the usual time; nothing where nothing is known", () => {
    expect(estimate(guess).waitMs).toBe(40);
    expect(estimate({ ...guess, durationsMs: [10, 20] }).waitMs).toBeNull();
    expect(estimate({ ...guess, room: 0 }).waitMs).toBeNull();
    expect(estimate({ ...guess, isAheadMore: true }).waitMs).toBeNull();
  });
});

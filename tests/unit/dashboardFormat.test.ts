/** Times as people read them: never negative, whatever the clocks of two machines say. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatDuration,
  formatElapsed,
  formatExact,
  formatRelative,
  formatRepositoryKey,
  formatShare,
  typedRepository,
} from "../../dashboard/lib/format.js";

const NOW = Date.UTC(2026, 2, 29, 0, 59, 58);
const SECOND = 1_000;
const HOUR = 3_600_000;

describe("check 19: times", () => {
  test.each([
    [NOW - 2 * SECOND, "just now"],
    [NOW + 2 * SECOND, "just now"],
    [NOW - 59 * SECOND, "59s ago"],
    [NOW - 3 * HOUR, "3h ago"],
    [NOW + 49 * HOUR, "in 2d"],
  ])("%i → %s", (at, words) => {
    expect(formatRelative(at, NOW)).toBe(words);
  });

  test.each([
    [-5, "0 ms"],
    [840, "840 ms"],
    [12_499, "12.4 s"],
    [187_000, "3m 07s"],
    [2 * HOUR + 14 * 60_000, "2h 14m"],
    [76 * HOUR, "3d 4h"],
  ])("%i ms → %s", (ms, words) => {
    expect(formatDuration(ms)).toBe(words);
  });

  test("nothing is negative, and a length of time is the same over a change of clocks", () => {
    const time = fc.integer({ min: 0, max: NOW * 2 });
    fc.assert(
      fc.property(time, time, (from, to) => {
        expect(formatDuration(to - from)).not.toContain("-");
        expect(formatElapsed(to - from)).not.toContain("-");
        const shift = 7 * 24 * HOUR;
        expect(formatDuration(to + shift - (from + shift))).toBe(formatDuration(to - from));
      }),
    );
  });

  test("the exact one names its zone", () => {
    expect(formatExact(NOW)).toMatch(/2026.*(UTC|GMT|[A-Z]{3,5})/);
  });
});

test("what is not quite all is never 100%, and what is something is never 0%", () => {
  expect([formatShare(0.999), formatShare(0.001), formatShare(0), formatShare(1)]).toEqual([
    ...["99%", "1%", "0%", "100%"],
  ]);
});

test("a repository is named short, and typed so that the backend reads it", () => {
  expect(formatRepositoryKey("github.com/octo/hello")).toBe("octo/hello");
  expect(formatRepositoryKey("git.example/octo/hello")).toBe("git.example/octo/hello");
  expect(formatRepositoryKey("/srv/git/hello")).toBe("hello");
  const remote = { kind: "remote", host: "git.example", owner: "octo", name: "hello" } as const;
  expect(typedRepository(remote)).toBe("https://git.example/octo/hello");
});

/** What executors upload and people keep: each bound at its last good value and its first bad one. */
import { describe, expect, test } from "vitest";
import { checkArtifact, checkPatterns } from "../../convex/domain/artifact.js";
import { bytesOf, checkCheckpoint, type Kept } from "../../convex/domain/checkpoint.js";
import { isSameDigest } from "../../convex/domain/digest.js";
import {
  checkKey,
  checkValue,
  forClone,
  lastFourOf,
  ownerOf,
  textOf,
} from "../../convex/domain/secret.js";
import {
  addCounts,
  checkDays,
  cutoff,
  DAYS_DEFAULT,
  kindAfter,
} from "../../convex/domain/retention.js";
import type { Checked } from "../../convex/domain/checked.js";
import type { Artifact } from "../../convex/protocol/artifact.js";
import type { Checkpoint } from "../../convex/protocol/checkpoint.js";
import * as Limits from "../../convex/protocol/limits.js";
import { AGED_KINDS, RETENTION_KINDS } from "../../convex/protocol/retention.js";

const isGood = (checked: Checked<unknown>): boolean => checked.ok;
const why = (checked: Checked<unknown>): string => (checked.ok ? "" : checked.message);

describe("an artifact", () => {
  // Of a stored file only its size matters here.
  const artifact = (fields: Partial<Artifact>) =>
    ({ name: "out.txt", kind: "file", bytes: 1, ...fields }) as Artifact;
  const kept = (count: number, bytes = 0) =>
    Array.from({ length: count }, (_, i) => artifact({ name: `kept-${i}`, bytes }));

  test.each([
    "out.txt",
    "a/b/c.txt",
    ".github/x",
    "..a",
    "x".repeat(Limits.ARTIFACT_NAME_CHARS_MAX),
  ])("named %s is kept", (name) => {
    expect(checkArtifact(artifact({ name }), [])).toEqual({ ok: true, value: artifact({ name }) });
  });
  test.each([
    "",
    "/a",
    "a//b",
    "a/",
    "a/../b",
    "./a",
    "a/.git/b",
    ".GIT",
    "a\\b",
    "a\nb",
    "a\u007f",
  ])("named %j is refused", (name) => {
    expect(why(checkArtifact(artifact({ name }), []))).toContain("no path in a tree");
  });
  test("its name, its size, all of them and their number are bounded", () => {
    const { ARTIFACT_BYTES_MAX: bytes, ARTIFACTS_BYTES_MAX: all, ARTIFACTS_MAX: count } = Limits;
    const long = "x".repeat(Limits.ARTIFACT_NAME_CHARS_MAX + 1);
    expect(isGood(checkArtifact(artifact({ name: long }), []))).toBe(false);
    for (const good of [0, bytes])
      expect(isGood(checkArtifact(artifact({ bytes: good }), []))).toBe(true);
    for (const bad of [-1, 0.5, NaN, bytes + 1]) {
      expect(why(checkArtifact(artifact({ bytes: bad }), []))).toContain(`at most ${bytes} bytes`);
    }
    expect(isGood(checkArtifact(artifact({}), kept(count - 1)))).toBe(true);
    expect(why(checkArtifact(artifact({}), kept(count)))).toContain(`${count} at most`);
    expect(isGood(checkArtifact(artifact({ bytes: 4 }), kept(2, (all - 4) / 2)))).toBe(true);
    expect(why(checkArtifact(artifact({ bytes: 5 }), kept(2, (all - 4) / 2)))).toContain(
      `${all} bytes`,
    );
  });
  test("the same name of the same kind comes once", () => {
    expect(why(checkArtifact(artifact({}), [artifact({})]))).toContain("another content");
    const other = artifact({ kind: "other" as Artifact["kind"] });
    expect(isGood(checkArtifact(artifact({}), [other]))).toBe(true);
    expect(isGood(checkArtifact(artifact({ name: "b" }), [artifact({})]))).toBe(true);
  });
  test("patterns: paths, each once, bounded in number and length", () => {
    expect(checkPatterns(["*.txt", "a/**", "*.txt"])).toEqual({
      ok: true,
      value: ["*.txt", "a/**"],
    });
    const long = "x".repeat(Limits.ARTIFACT_PATTERN_CHARS_MAX);
    expect(isGood(checkPatterns([long]))).toBe(true);
    expect(why(checkPatterns([`${long}x`]))).toContain("no path in the tree");
    expect(why(checkPatterns(["ok", "../x"]))).toContain('"../x"');
    const many = (count: number) => Array.from({ length: count }, (_, i) => `p${i}`);
    expect(isGood(checkPatterns(many(Limits.ARTIFACT_PATTERNS_MAX)))).toBe(true);
    expect(isGood(checkPatterns(many(Limits.ARTIFACT_PATTERNS_MAX + 1)))).toBe(false);
  });
});

describe("a checkpoint", () => {
  const part = (bytes: number) => ({ storageId: "s", sha256: "a".repeat(64), bytes });
  const parts = (count: number, bytes = 1) => Array.from({ length: count }, () => part(bytes));
  const first = {
    ...{ seq: 0, turns: 0, ms: 1, sessionId: "0".repeat(36), cwd: "/w", commit: "a".repeat(40) },
    transcript: { mode: "replace", parts: parts(1) },
    tree: parts(1),
    // Ids of stored files are opaque to the rules.
  } as unknown as Checkpoint;
  const kept: Kept = { attempt: 1, seq: 3, uploadedBytes: 10, transcriptParts: 2 };
  const check = (change: Partial<Record<keyof Checkpoint, unknown>>, before: Kept | null = kept) =>
    checkCheckpoint({ ...first, ...change } as Checkpoint, 1, before);

  test("a whole one is taken as it is", () => {
    expect(check({}, null)).toEqual({ ok: true, value: first });
    expect(isGood(check({ commit: "0".repeat(64), cwd: `/${"x".repeat(4_095)}` }))).toBe(true);
  });
  test.each<[Partial<Record<keyof Checkpoint, unknown>>, string]>([
    [{ seq: -1 }, "seq and turns are whole numbers."],
    [{ seq: 0.5 }, "seq and turns are whole numbers."],
    [{ turns: -1 }, "seq and turns are whole numbers."],
    [{ turns: NaN }, "seq and turns are whole numbers."],
    [{ commit: "a".repeat(41) }, "commit is no commit."],
    [{ commit: "A".repeat(40) }, "commit is no commit."],
    [{ sessionId: "x".repeat(36) }, "sessionId is no session."],
    [{ sessionId: "0".repeat(35) }, "sessionId is no session."],
    [{ cwd: "w" }, "cwd is no absolute path."],
    [{ cwd: `/${"x".repeat(4_096)}` }, "cwd is no absolute path."],
  ])("%j is refused", (change, reason) => {
    expect(why(check(change))).toBe(reason);
  });
  test("the first brings all; a later one may add, or leave its tree out", () => {
    const append = { mode: "append", parts: parts(1) };
    expect(why(check({ tree: null }, null))).toBe(
      "A first checkpoint brings its whole transcript and its tree.",
    );
    expect(why(check({ transcript: append }, null))).toBe(
      "A first checkpoint brings its whole transcript and its tree.",
    );
    expect(isGood(check({ tree: null, transcript: append }))).toBe(true);
  });
  test("parts are counted with those that are kept where they are added, and alone where they replace", () => {
    const most = Limits.CHECKPOINT_TRANSCRIPT_PARTS_MAX;
    const appended = (count: number) =>
      check({ transcript: { mode: "append", parts: parts(count) } });
    expect(isGood(appended(most - 2))).toBe(true);
    expect(why(appended(most - 1))).toContain(`at most ${most} parts`);
    expect(isGood(check({ transcript: { mode: "replace", parts: parts(most) } }))).toBe(true);
    expect(isGood(check({ transcript: { mode: "replace", parts: parts(most + 1) } }))).toBe(false);
    expect(isGood(check({ tree: parts(Limits.CHECKPOINT_TREE_PARTS_MAX) }))).toBe(true);
    expect(why(check({ tree: parts(Limits.CHECKPOINT_TREE_PARTS_MAX + 1) }))).toContain(
      "A tree has",
    );
  });
  test("bytes of a part, and of all that this attempt has uploaded", () => {
    const { CHECKPOINT_CHUNK_BYTES: chunk, CHECKPOINT_BYTES_PER_ATTEMPT_MAX: all } = Limits;
    for (const bytes of [0, chunk]) expect(isGood(check({ tree: [part(bytes)] }))).toBe(true);
    for (const bytes of [-1, 0.5, chunk + 1]) {
      expect(why(check({ tree: [part(bytes)] }))).toContain(`at most ${chunk} bytes`);
    }
    // The transcript's part has a byte and the tree's has one.
    expect(isGood(check({}, { ...kept, uploadedBytes: all - 2 }))).toBe(true);
    expect(why(check({}, { ...kept, uploadedBytes: all - 1 }))).toContain(`at most ${all} bytes`);
    expect(isGood(check({}, { ...kept, attempt: 2, uploadedBytes: all }))).toBe(true);
    expect(bytesOf(parts(3, 5))).toBe(15);
  });
});

test("a digest is the same in hex of either case and in base64, and nothing else is one", () => {
  const hex = "00ff10203040506070809fabcdef0123456789abcdef0123456789abcdef0123";
  const base64 = Buffer.from(hex, "hex").toString("base64");
  expect(isSameDigest(hex.toUpperCase(), hex)).toBe(true);
  expect(isSameDigest(base64, hex)).toBe(true);
  expect(isSameDigest(base64.replaceAll("=", ""), hex)).toBe(true);
  expect(isSameDigest(base64, hex.replace("00", "01"))).toBe(false);
  expect(isSameDigest(hex, hex.toUpperCase())).toBe(false);
  expect(isSameDigest("", "")).toBe(false);
  const plus = Buffer.alloc(32, 0xfb);
  expect(isSameDigest(plus.toString("base64"), plus.toString("hex"))).toBe(true);
});

describe("a secret", () => {
  const allowed = { hosts: ["github.com", "git.test"], local: true };
  const repository = { kind: "remote", host: "github.com", owner: "Octo", name: "Hello" } as const;

  test("its value: printable, without spaces, bounded; only its end is shown", () => {
    const { SECRET_CHARS_MIN: min, SECRET_CHARS_MAX: max } = Limits;
    for (const length of [min, max]) expect(isGood(checkValue("x".repeat(length)))).toBe(true);
    expect(why(checkValue("x".repeat(min - 1)))).toContain(`has ${min - 1} characters`);
    expect(isGood(checkValue("x".repeat(max + 1)))).toBe(false);
    for (const bad of [" ", "\n", "\u007f", "é"]) {
      expect(why(checkValue(`${"x".repeat(min)}${bad}`))).toContain("copy it anew");
    }
    expect(lastFourOf("abcdefgh")).toBe("efgh");
  });
  test("its name by its kind", () => {
    const named = (kind: Parameters<typeof checkKey>[0], typed: string) => {
      const checked = checkKey(kind, typed, allowed);
      return checked.ok ? textOf(checked.value) : checked.message;
    };
    expect(named("repositoryToken", "Octo/Hello")).toBe("repositoryToken:github.com/octo/hello");
    expect(named("repositoryToken", "/local/path")).not.toContain("repositoryToken:");
    expect(named("userToken", "Ada@GitHub.com")).toBe("userToken:ada@github.com");
    expect(named("userToken", "ada@other.test")).toContain("is not <user name>@<host>");
    expect(named("userToken", "ada@github.com@x")).toContain("is not <user name>@<host>");
    expect(named("userToken", "ada")).toContain("is not <user name>@<host>");
    expect(named("userToken", "@github.com")).toContain("A user name is");
    expect(named("webhook", "hook-1")).toBe("webhook:hook-1");
    expect(named("claude", "main")).toBe("claude:main");
    expect(named("claude", "-main")).toContain("is not 1 to");
  });
  test("of whom it is, and which serve a clone, in order", () => {
    expect(ownerOf({ kind: "userToken", name: "ada@github.com" })).toBe("ada");
    expect(ownerOf({ kind: "claude", name: "ada@github.com" })).toBeNull();
    const own = { kind: "repositoryToken", name: "github.com/octo/hello" };
    expect(forClone(repository, "user:ada")).toEqual([
      own,
      { kind: "userToken", name: "ada@github.com" },
    ]);
    expect(forClone(repository, "operator")).toEqual([own]);
    expect(forClone({ kind: "local", path: "/x" }, "user:ada")).toEqual([]);
  });
});

describe("days that data is kept", () => {
  const least = { ...DAYS_DEFAULT, ...{ logs: 1, jobs: 1, batches: 1, operations: 1, minutes: 1 } };
  const min = {
    ...least,
    ...{ hours: 8, days: 91, audit: 30, alerts: 1, deliveries: 1, executors: 1 },
  };

  test("the defaults, as the operators' manual has them", () => {
    expect(DAYS_DEFAULT).toEqual({
      ...{ logs: 30, jobs: 90, batches: 90, operations: 90, minutes: 7, hours: 90, days: 1_825 },
      ...{ audit: 365, alerts: 90, deliveries: 30, executors: 90 },
    });
    expect(isGood(checkDays(DAYS_DEFAULT))).toBe(true);
  });
  test.each([...AGED_KINDS])("%s: from its least to ten years, whole", (kind) => {
    expect(isGood(checkDays(min))).toBe(true);
    expect(why(checkDays({ ...min, [kind]: min[kind] - 1 }))).toContain(`${kind} is`);
    const most = { ...min, jobs: 3_650 };
    expect(isGood(checkDays({ ...most, [kind]: 3_650 }))).toBe(true);
    expect(why(checkDays({ ...most, [kind]: 3_651 }))).toContain(`${kind} is 3651`);
    expect(isGood(checkDays({ ...most, [kind]: 100.5 }))).toBe(false);
  });
  test("logs go with their job", () => {
    expect(isGood(checkDays({ ...DAYS_DEFAULT, logs: 90, jobs: 90 }))).toBe(true);
    expect(why(checkDays({ ...DAYS_DEFAULT, logs: 91, jobs: 90 }))).toContain("logs (91)");
  });
  test("what goes by when, in which order, and how it is added up", () => {
    expect(cutoff(DAYS_DEFAULT, "logs", 1e12)).toBe(1e12 - 30 * 86_400_000);
    expect(cutoff(DAYS_DEFAULT, "expired", 1e12)).toBe(1e12);
    const order = [RETENTION_KINDS[0], ...RETENTION_KINDS.map(kindAfter)];
    expect(order).toEqual([...RETENTION_KINDS, null]);
    expect(addCounts({ a: 1, b: 2 }, { b: 3, c: 4 })).toEqual({ a: 1, b: 5, c: 4 });
  });
});

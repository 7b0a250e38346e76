import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCommit, parseRef, parseRepository } from "../../convex/domain/repository.js";

const allowed = { hosts: ["github.com", "git.example.org"], local: false };
const local = { ...allowed, local: true };

describe("a repository is read", () => {
  test.each([
    ["octo/hello", "github.com", "octo", "hello"],
    [" octo/hello.js ", "github.com", "octo", "hello.js"],
    ["octo/hello.git", "github.com", "octo", "hello"],
    ["https://github.com/octo/hello", "github.com", "octo", "hello"],
    ["https://GitHub.com/octo/hello.git/", "github.com", "octo", "hello"],
    ["https://git.example.org/a/b_c-d", "git.example.org", "a", "b_c-d"],
  ])("%s", (typed, ...[host, owner, name]) => {
    expect(parseRepository(typed, allowed)).toEqual({
      ok: true,
      value: { kind: "remote", host, owner, name },
    });
  });

  test.each([
    ["/srv/repos/hello", "/srv/repos/hello"],
    ["/srv//repos/hello/", "/srv/repos/hello"],
    ["/home/me/my project", "/home/me/my project"],
  ])("%s, where local paths are allowed", (typed, path) => {
    expect(parseRepository(typed, local)).toEqual({ ok: true, value: { kind: "local", path } });
  });
});

describe("a repository is refused, with one sentence that says why", () => {
  test.each([
    ["", "is empty"],
    ["   ", "is empty"],
    ["hello", "is not of the form owner/repo"],
    ["a/b/c", "is not of the form owner/repo"],
    ["--upload-pack=touch x/y", "space, control or non-ASCII"],
    ["--upload-pack=x/y", 'has the part "--upload-pack=x"'],
    ["-u/x", 'has the part "-u"'],
    ["octo/-x", 'has the part "-x"'],
    ["octo/.git", 'has the part ""'],
    ["../x", 'has the part ".."'],
    ["octo/..", 'has the part ".."'],
    ["octo/a..b", 'has the part "a..b"'],
    ["octo/hello.", 'has the part "hello."'],
    ["octo/$(id)", "has the part"],
    ["octo/a;id", "has the part"],
    ["octo/a\nb", "space, control or non-ASCII"],
    ["octo/a\0b", "space, control or non-ASCII"],
    ["octo/hellо", "space, control or non-ASCII"],
    ["ext::sh -c id", "space, control or non-ASCII"],
    ["ext::sh/x", "has the part"],
    ["file:///etc/x", "is not an https URL"],
    ["ssh://-oProxyCommand=x/y", "is not an https URL"],
    ["http://github.com/octo/hello", "is not an https URL"],
    ["git@github.com:octo/hello", "has the part"],
    ["https://me:secret@github.com/octo/hello", "must not carry a user name"],
    ["https://evil.example/octo/hello", "is not allowed here"],
    ["https://github.com.evil.example/octo/hello", "is not allowed here"],
    ["https://github.com:8080/octo/hello", "is not allowed here"],
    ["https://github.com/octo", "is not of the form owner/repo"],
    ["https://github.com/octo/hello?x=1", "has the part"],
    ["https://github.com/octo/hello#x", "has the part"],
    ["https://github.com/octo/%2e%2e", "has the part"],
    [`octo/${"a".repeat(101)}`, "has the part"],
    ["a".repeat(401), "401 characters"],
    ["/srv/repo", "takes no local paths"],
  ])("%j: %s", (typed, why) => {
    const parsed = parseRepository(typed, allowed);
    expect(parsed.ok).toBe(false);
    expect(parsed).toMatchObject({ message: expect.stringContaining(why) as string });
  });

  test.each([
    ["/srv/../etc", "'..'"],
    ["/srv/a\nb", "control character"],
    ["/", "no repository"],
    ["//", "no repository"],
  ])("the path %j: %s", (typed, why) => {
    const parsed = parseRepository(typed, local);
    expect(parsed).toMatchObject({ ok: false, message: expect.stringContaining(why) as string });
  });

  test("a credential in the URL is not repeated in the message", () => {
    const parsed = parseRepository("https://me:secret@github.com/octo/hello", allowed);
    expect(JSON.stringify(parsed)).not.toContain("secret");
  });
});

test("38: what is read never has a part that could be an option, a path step or a second line", () => {
  const hostile = fc.stringMatching(/^[-a-z./:@$\n~^ ]{0,30}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string(), hostile), (typed) => {
      const parsed = parseRepository(typed, allowed);
      if (!parsed.ok) {
        expect(parsed.message).not.toMatch(/[^\x20-\x7e…]/);
        return;
      }
      if (parsed.value.kind !== "remote") throw new Error("a local path was let in");
      for (const part of [parsed.value.owner, parsed.value.name]) {
        expect(part).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
        expect(part).not.toContain("..");
      }
    }),
  );
});

describe("38: a ref", () => {
  const sha = "0123456789abcdef0123456789abcdef01234567";
  test.each([
    undefined,
    "HEAD",
    "main",
    "feature/a-b_c.1",
    "v1.0.0",
    "refs/heads/main",
    sha,
    "a@b",
  ])("%s is read", (typed) => {
    expect(parseRef(typed)).toEqual({ ok: true, value: typed ?? "HEAD" });
  });

  test.each([
    ["", "is empty"],
    ["-main", "starts with '-'"],
    ["--upload-pack=x", "starts with '-'"],
    ["/main", "empty part"],
    ["main/", "empty part"],
    ["a//b", "empty part"],
    [".hidden", "starts with '.'"],
    ["a/.b", "starts with '.'"],
    ["a.lock", "'.lock'"],
    ["a.lock/b", "'.lock'"],
    ["main.", "ends with '.'"],
    ["a..b", "'..'"],
    ["@{-1}", "'@{'"],
    ["main@{1}", "'@{'"],
    ["@", "bare '@'"],
    ["main~1", "has one of"],
    ["main^", "has one of"],
    ["a:b", "has one of"],
    ["a?b", "has one of"],
    ["a*b", "has one of"],
    ["a[b", "has one of"],
    ["a\\b", "has one of"],
    ["a b", "space, control"],
    ["a\0b", "space, control"],
    ["a\nb", "space, control"],
    ["mаin", "non-ASCII"],
    ["$(id)", "shells"],
    ["a;id", "shells"],
    ["a".repeat(300), "300 characters"],
  ])("%j is refused: %s", (typed, why) => {
    const parsed = parseRef(typed);
    expect(parsed).toMatchObject({ ok: false, message: expect.stringContaining(why) as string });
  });

  test.each([
    [sha, true],
    ["a".repeat(64), true],
    ["0123abc", false],
    [sha.toUpperCase(), false],
  ])("%s is a full commit: %s", (ref, is) => {
    expect(isCommit(ref)).toBe(is);
  });
});

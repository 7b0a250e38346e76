/** Clones by a mirror, from a real git host on loopback: what is new is fetched, and nothing else decides. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../../executor/clock.js";
import { cloneRepository } from "../../../executor/git.js";
import { openRepositoryCache, type RepositoryCache } from "../../../executor/repositoryCache.js";
import { type GitServer, startGitServer } from "../../support/gitServer.js";
import { aFolder, aRepository, git } from "./fixtures.js";

const TOKEN = "github_pat_11AAAAAAA0aBcDeFgHiJkL_mNoPqRsTuVwXyZ";
const MIB = 1024 * 1024;
let folder = { root: "", remove: (): Promise<void> => Promise.resolve() };
let server: GitServer;
let cache: RepositoryCache;
let clones = 0;
const at = (...parts: string[]): string => path.join(folder.root, ...parts);

beforeEach(async () => {
  folder = await aFolder();
  await aRepository(folder.root, {
    "a.txt": "a\n",
    "large.bin": randomBytes(MIB).toString("latin1"),
  });
  await mkdir(at("served", "octo"), { recursive: true });
  for (const name of ["hello", "other"]) {
    git(
      folder.root,
      "clone",
      "--quiet",
      "--bare",
      at("origin"),
      at("served", "octo", `${name}.git`),
    );
  }
  server = await startGitServer({
    folder: at("served"),
    grants: { [TOKEN]: { repository: "octo/hello.git" }, other: { repository: "octo/other.git" } },
  });
  cache = openRepositoryCache(at("cache"), 100 * MIB);
});
afterEach(async () => {
  await server.close();
  await folder.remove();
});

async function clone(more: { secret?: string; ref?: string; name?: string } = {}) {
  const { secret = TOKEN, ref = "main", name = "hello" } = more;
  const into = at(`clone-${String((clones += 1))}`);
  const result = await cloneRepository(
    { repository: { kind: "remote", host: server.host, owner: "octo", name }, ref },
    {
      rules: {
        ...{ searchPath: "/usr/bin:/bin", hosts: [server.host], localFolders: [], cache },
        loopbackHttp: true,
      },
      ...{ folder: into, home: folder.root, marker: {}, clock: systemClock },
      signal: new AbortController().signal,
      credential: { username: "x-access-token", secret },
    },
  );
  return { into, result };
}

/** One more commit at the host. */
async function push(text: string): Promise<string> {
  await appendFile(at("origin", "a.txt"), text);
  git(at("origin"), "commit", "--quiet", "--all", "--message=more");
  git(at("origin"), "push", "--quiet", at("served", "octo", "hello.git"), "main");
  return git(at("origin"), "rev-parse", "HEAD");
}

async function mirrorOf(): Promise<string> {
  const [only] = await readdir(at("cache"));
  return at("cache", only ?? "none");
}
async function packs(): Promise<{ file: string; bytes: number; at: number }[]> {
  const pack = path.join(await mirrorOf(), "objects", "pack");
  const files = (await readdir(pack)).filter((name) => name.endsWith(".pack"));
  const all = files.map(async (name) => {
    const file = path.join(pack, name);
    const { size, mtimeMs } = await stat(file);
    return { file, bytes: size, at: mtimeMs };
  });
  return (await Promise.all(all)).sort((a, b) => b.bytes - a.bytes);
}

it("a second clone fetches what is new alone, and is a whole copy of its own", async () => {
  await clone();
  const head = await push("b\n");
  const { into, result } = await clone();
  expect(result).toEqual({ ok: true, commit: head });
  expect(await readFile(path.join(into, "a.txt"), "utf8")).toBe("a\nb\n");
  const [first, second, ...more] = await packs();
  expect(more).toEqual([]);
  expect(first?.bytes).toBeGreaterThan(MIB);
  expect(second?.bytes).toBeLessThan(10_000);
  // Nothing of the mirror is shared with the clone, by file or by name.
  expect(existsSync(path.join(into, ".git", "objects", "info", "alternates"))).toBe(false);
  const [own] = (await readdir(path.join(into, ".git", "objects", "pack"))).filter((name) =>
    name.endsWith(".pack"),
  );
  expect((await stat(path.join(into, ".git", "objects", "pack", own ?? ""))).nlink).toBe(1);
  expect(await readFile(path.join(into, ".git", "config"), "utf8")).not.toContain("cache");
  expect(git(into, "fsck", "--full")).toBe("");
});

it("asks the host each time: a token that is no longer good gets nothing of the mirror", async () => {
  const head = (await clone()).result;
  expect(head.ok).toBe(true);
  const { result } = await clone({ secret: "github_pat_revoked" });
  expect(result).toMatchObject({ ok: false, failure: { reason: "cloneDenied" } });
  expect(await clone({ ref: "none" })).toMatchObject({
    result: { ok: false, failure: { reason: "refNotFound" } },
  });
});

it("a run that changes the mirror itself gets nothing into the next clone, and runs nothing", async () => {
  await clone();
  const mirror = await mirrorOf();
  const trap = at("trap.sh");
  await writeFile(trap, `#!/bin/sh\ntouch ${at("pwned")}\n`);
  await chmod(trap, 0o755);
  const settings = `[core]\n\thooksPath = ${at()}\n\tfsmonitor = ${trap}\n\tsshCommand = ${trap}\n\talternateRefsCommand = ${trap}\n[credential]\n\thelper = ${trap}\n[uploadpack]\n\tpackObjectsHook = ${trap}\n[url "${at("evil")}"]\n\tinsteadOf = http://\n`;
  await appendFile(path.join(mirror, "config"), settings);
  await mkdir(path.join(mirror, "hooks"));
  for (const hook of ["reference-transaction", "post-update", "pre-auto-gc"]) {
    await writeFile(path.join(mirror, "hooks", hook), `#!/bin/sh\ntouch ${at("pwned")}\n`);
    await chmod(path.join(mirror, "hooks", hook), 0o755);
  }
  await mkdir(path.join(mirror, "objects", "info"), { recursive: true });
  await writeFile(path.join(mirror, "objects", "info", "alternates"), `${at("evil", "objects")}\n`);
  await writeFile(path.join(mirror, "commondir"), `${at("evil")}\n`);
  const head = await push("after\n");
  const first = await clone();
  expect(first.result).toEqual({ ok: true, commit: head });
  expect(git(first.into, "status", "--porcelain")).toBe("");

  // Other bytes under the names of good objects.
  for (const { file } of await packs()) {
    await chmod(file, 0o600);
    const bytes = await readFile(file);
    bytes.fill(7, 20, bytes.length - 40);
    await writeFile(file, bytes);
  }
  const second = await clone();
  expect(second.result).toEqual({ ok: true, commit: head });
  expect(await readFile(path.join(second.into, "a.txt"), "utf8")).toBe("a\nafter\n");
  expect(git(second.into, "fsck", "--full")).toBe("");
  expect(existsSync(at("pwned"))).toBe(false);
});

it("many at once, and each gets its own", async () => {
  const all = await Promise.all([clone(), clone(), clone({ ref: "v1" }), clone()]);
  expect(all.map(({ result }) => result.ok)).toEqual([true, true, true, true]);
  expect(all.map(({ into }) => existsSync(path.join(into, "a.txt")))).toEqual([
    true,
    true,
    false,
    true,
  ]);
});

it("what was used longest ago goes when there is no room for all", async () => {
  cache = openRepositoryCache(at("cache"), 1.5 * MIB);
  await clone();
  const before = await mirrorOf();
  await clone({ name: "other", secret: "other" });
  expect(await readdir(at("cache"))).toHaveLength(1);
  expect(await mirrorOf()).not.toBe(before);
  cache = openRepositoryCache(at("cache"), 0);
  const { result } = await clone();
  expect(result.ok).toBe(true);
  expect(await readdir(at("cache"))).toEqual([]);
});

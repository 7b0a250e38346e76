import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import {
  appendFile,
  chmod,
  mkdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../../convex/protocol/job.js";
import {
  collectChanges,
  gitIn,
  type GitTools,
  takeBaseline,
  wholePatch,
} from "../../../executor/changes.js";
import { packTree, prepareTree } from "../../../executor/checkpointTree.js";
import { systemClock } from "../../../executor/clock.js";
import { cloneRepository } from "../../../executor/git.js";
import { provideJail } from "../../../executor/jail/jail.js";
import { aFolder, aRepository, git } from "./fixtures.js";

const SEARCH_PATH = "/usr/bin:/bin";
let folder = { root: "", remove: (): Promise<void> => Promise.resolve() };
const at = (...parts: string[]): string => path.join(folder.root, ...parts);

beforeEach(async () => {
  folder = await aFolder();
});
afterEach(() => folder.remove());

function clone(
  repository: Repository,
  ref = "HEAD",
  more: { localFolders?: string[]; signal?: AbortSignal } = {},
) {
  return cloneRepository(
    { repository, ref },
    {
      rules: {
        searchPath: SEARCH_PATH,
        hosts: ["github.com"],
        localFolders: more.localFolders ?? [folder.root],
      },
      folder: at("repo"),
      home: folder.root,
      marker: {},
      clock: systemClock,
      signal: more.signal ?? new AbortController().signal,
    },
  );
}
const local = (where: string): Repository => ({ kind: "local", path: where });

describe("cloning", () => {
  it("checks out the one commit of a branch, detached, without settings of the origin", async () => {
    const origin = await aRepository(folder.root, { "a.txt": "a\n" });
    expect(await clone(local(origin.path), "main")).toEqual({ ok: true, commit: origin.head });
    expect(await readFile(at("repo", "README.md"), "utf8")).toBe("hello\n");
    expect(git(at("repo"), "rev-list", "--count", "HEAD")).toBe("1");
    expect(existsSync(at("repo", ".git", "hooks"))).toBe(false);
  });

  it.each(["v1", "first"] as const)("takes a tag or a commit (%s)", async (name) => {
    const origin = await aRepository(folder.root, {});
    const ref = name === "first" ? origin.first : name;
    expect(await clone(local(origin.path), ref)).toEqual({ ok: true, commit: origin.first });
  });

  it("clones a bare repository", async () => {
    const origin = await aRepository(folder.root, {});
    git(folder.root, "clone", "--quiet", "--bare", origin.path, at("bare.git"));
    expect(await clone(local(at("bare.git")))).toEqual({ ok: true, commit: origin.head });
  });

  it.each([
    ["a missing folder", { where: () => at("missing"), ref: "HEAD", reason: "repositoryNotFound" }],
    [
      "a folder that is no repository",
      { where: () => at("plain"), ref: "HEAD", reason: "repositoryNotFound" },
    ],
    ["a missing branch", { where: () => at("origin"), ref: "nope", reason: "refNotFound" }],
    ["a missing commit", { where: () => at("origin"), ref: "1".repeat(40), reason: "refNotFound" }],
    [
      "an option in place of a ref",
      { where: () => at("origin"), ref: "--upload-pack=touch pwned", reason: "refNotFound" },
    ],
    [
      "a refspec in place of a ref",
      { where: () => at("origin"), ref: "main:main", reason: "refNotFound" },
    ],
    [
      "a path outside the allowed folders",
      { where: () => "/", ref: "HEAD", reason: "cloneDenied" },
    ],
    [
      "a link that leads out of them",
      { where: () => at("link"), ref: "HEAD", reason: "cloneDenied" },
    ],
  ])("%s → failure", async (_, { where, ref, reason }) => {
    await aRepository(folder.root, {});
    await mkdir(at("plain"));
    await symlink("/", at("link"));
    expect(await clone(local(where()), ref)).toMatchObject({ ok: false, failure: { reason } });
    expect(existsSync("pwned")).toBe(false);
  });

  it("clones no local path where none is allowed", async () => {
    const origin = await aRepository(folder.root, {});
    expect(await clone(local(origin.path), "HEAD", { localFolders: [] })).toMatchObject({
      failure: {
        reason: "cloneDenied",
        message: expect.stringContaining("LOCAL_REPOSITORIES") as string,
      },
    });
  });

  it("asks no host that is not allowed", async () => {
    const repository: Repository = { kind: "remote", host: "127.0.0.1:9", owner: "a", name: "b" };
    expect(await clone(repository)).toMatchObject({ failure: { reason: "cloneDenied" } });
  });

  it("ends at once when it was stopped", async () => {
    const origin = await aRepository(folder.root, {});
    const result = await clone(local(origin.path), "HEAD", { signal: AbortSignal.abort() });
    expect(result.ok).toBe(false);
  });
});

describe("collecting changes", () => {
  const tools = (): GitTools => ({
    searchPath: SEARCH_PATH,
    home: folder.root,
    marker: {},
    clock: systemClock,
    signal: new AbortController().signal,
  });
  async function prepared(files: Record<string, string> = {}, over: GitTools = tools()) {
    const origin = await aRepository(folder.root, { "old.txt": "old\n", ...files });
    const cloned = await clone(local(origin.path));
    if (!cloned.ok) throw new Error(cloned.failure.message);
    const baseline = { gitFolder: at("baseline.git"), repo: at("repo"), commit: cloned.commit };
    await takeBaseline(baseline, over);
    return baseline;
  }

  it("is nothing when nothing was done", async () => {
    expect(await collectChanges(await prepared(), tools())).toEqual({
      files: 0,
      insertions: 0,
      deletions: 0,
      patch: "",
      patchTruncated: false,
      byFile: [],
    });
  });

  it("sees edited, new, removed and committed files as one difference", async () => {
    const baseline = await prepared();
    await appendFile(at("repo", "README.md"), "more\n");
    await writeFile(at("repo", "new file.txt"), "one\ntwo\n");
    await rm(at("repo", "old.txt"));
    await writeFile(at("repo", "committed.txt"), "c\n");
    git(at("repo"), "add", "committed.txt");
    git(at("repo"), "commit", "--quiet", "--message=by the model");
    const changes = await collectChanges(baseline, tools());
    expect(changes).toMatchObject({ files: 4, insertions: 4, deletions: 1, patchTruncated: false });
    expect(changes.patch).toContain("+more");
    expect(changes.patch).toContain("+++ b/new file.txt");
  });

  it("gives a patch that makes the same tree of the commit", async () => {
    const baseline = await prepared();
    await writeFile(at("repo", "README.md"), "changed\n");
    await writeFile(at("repo", "new.txt"), "new\n");
    const { patch } = await collectChanges(baseline, tools());
    await writeFile(at("changes.patch"), patch);
    git(at("origin"), "apply", at("changes.patch"));
    expect(await readFile(at("origin", "README.md"), "utf8")).toBe("changed\n");
    expect(await readFile(at("origin", "new.txt"), "utf8")).toBe("new\n");
  });

  it("keeps a whole patch that makes the same tree, files that are no text included", async () => {
    const baseline = await prepared();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await writeFile(at("repo", "bin"), bytes);
    await writeFile(at("repo", "latin.txt"), Buffer.from("caf\xe9\n", "latin1"));
    await rm(at("repo", "old.txt"));
    await symlink("README.md", at("repo", "link"));
    await writeFile(at("repo", "huge"), Buffer.alloc(5 * 1024 * 1024));
    const changes = await collectChanges(baseline, tools());
    const redact = (text: string): string => text;
    const patch = await wholePatch(baseline, tools(), { changes, redact });
    expect(patch.toString("latin1")).toMatch(/\n# left out, too large: "huge"\n$/);
    expect(changes.byFile).toEqual([
      { path: "bin", status: "added", insertions: 0, deletions: 0, binary: true },
      { path: "huge", status: "added", insertions: 0, deletions: 0, omitted: true },
      { path: "latin.txt", status: "added", insertions: 1, deletions: 0 },
      { path: "link", status: "added", insertions: 1, deletions: 0 },
      { path: "old.txt", status: "removed", insertions: 0, deletions: 1 },
    ]);
    await writeFile(at("changes.patch"), patch);
    git(at("origin"), "apply", "--index", at("changes.patch"));
    expect(await readFile(at("origin", "bin"))).toEqual(bytes);
    expect((await readFile(at("origin", "latin.txt"))).toString("latin1")).toBe("caf\xe9\n");
    expect(await readlink(at("origin", "link"))).toBe("README.md");
    expect(existsSync(at("origin", "old.txt"))).toBe(false);
  });

  it("39: runs nothing that the run wrote into the clone's settings, hooks or attributes", async () => {
    const baseline = await prepared();
    const trap = at("trap.sh");
    await writeFile(trap, `#!/bin/sh\ntouch ${at("pwned")}\ncat\n`);
    await chmod(trap, 0o755);
    const settings = [
      ["diff.external", trap],
      ["core.fsmonitor", trap],
      ["core.hooksPath", at("repo", "hooks")],
      ["filter.evil.clean", trap],
      ["filter.evil.process", trap],
      ["diff.evil.textconv", trap],
      ["diff.evil.command", trap],
    ] as const;
    for (const [key, value] of settings) git(at("repo"), "config", key, value);
    await writeFile(at("repo", ".gitattributes"), "* filter=evil diff=evil\n");
    await mkdir(at("repo", "hooks"));
    await writeFile(at("repo", "hooks", "post-index-change"), `#!/bin/sh\ntouch ${at("pwned")}\n`);
    await chmod(at("repo", "hooks", "post-index-change"), 0o755);
    await writeFile(at("repo", "README.md"), "changed\n");
    await mkdir(at("repo", "inner"));
    git(at("repo", "inner"), "init", "--quiet");
    git(at("repo", "inner"), "config", "core.fsmonitor", trap);
    await writeFile(at("repo", "inner", "x"), "x\n");
    const changes = await collectChanges(baseline, tools());
    expect(changes.patch).toContain("+changed");
    expect(existsSync(at("pwned"))).toBe(false);
    // The trap is one: git with the clone's own settings falls into it.
    git(at("repo"), "status", "--porcelain");
    expect(existsSync(at("pwned"))).toBe(true);
  });

  it("at jail, has git see nothing but the clone, whatever names the run puts in its way", async () => {
    const { jailed, baseline } = await preparedInJail();
    await writeFile(at("key"), "of the machine\n");
    await symlink(at("key"), at("repo", "out"));
    await writeFile(at("repo", "README.md"), "changed\n");
    git(at("repo"), "commit", "--all", "--quiet", "--message=by the model");
    const head = git(at("repo"), "rev-parse", "HEAD");
    // As the run leaves it: another user's, closed to all others.
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", "58999:58999", at("repo")]);
    await chmod(at("repo"), 0o700);
    // A run that swaps files for links at the right moment has git read through them, as this does.
    const read = ["hash-object", "--no-filters", "--", "out"];
    expect((await gitIn(baseline, tools())(read)).code).toBe(0);
    expect((await gitIn(baseline, jailed)(read)).stderr).toContain("No such file");
    expect((await collectChanges(baseline, jailed)).byFile).toMatchObject([
      { path: "README.md", status: "changed" },
      { path: "out", status: "added" },
    ]);
    const tree = await packTree(baseline, jailed, undefined);
    expect(tree?.header.refs.head).toBe(head);
  });

  async function preparedInJail() {
    const jail = await provideJail("jail", {
      ...{ searchPath: SEARCH_PATH, clock: systemClock, uid: process.getuid?.(), readable: [] },
    });
    const folders = { repo: at("repo"), gitFolder: at("baseline.git") };
    const jailed: GitTools = { ...tools(), confine: (call) => jail.aroundGit(call, folders) };
    const baseline = await prepared({}, jailed);
    await prepareTree(baseline);
    return { jailed, baseline };
  }

  it("shows text that attributes of the run would have hidden", async () => {
    const baseline = await prepared();
    await writeFile(at("repo", ".gitattributes"), "*.md -diff\n");
    await writeFile(at("repo", "README.md"), "backdoor\n");
    expect((await collectChanges(baseline, tools())).patch).toContain("+backdoor");
  });

  it("cuts a patch that is too long, and counts a file that is too large", async () => {
    const baseline = await prepared();
    await writeFile(at("repo", "long.txt"), "0123456789\n".repeat(20_000));
    await writeFile(at("repo", "huge.bin"), Buffer.alloc(5 * 1024 * 1024, 1));
    const changes = await collectChanges(baseline, tools());
    expect(changes).toMatchObject({ files: 2, insertions: 20_000, patchTruncated: true });
    expect(changes.patch.length).toBe(100_000);
  });

  it("fails, rather than guesses, when the run removed the clone's objects", async () => {
    const baseline = await prepared();
    await rm(at("repo", ".git"), { recursive: true });
    await writeFile(at("repo", "README.md"), "changed\n");
    await expect(collectChanges(baseline, tools())).rejects.toThrow("git");
  });
});

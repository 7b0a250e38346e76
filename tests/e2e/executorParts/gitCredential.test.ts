/** Clones of private repositories by an issued token, from a real git host on loopback. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../executor/clock.js";
import { cloneRepository, type GitCredential } from "../../../executor/git.js";
import { type GitServer, type GitServerOptions, startGitServer } from "../../support/gitServer.js";
import { commandLines } from "../../support/processes.js";
import { runCommand } from "../../../executor/runCommand.js";
import { aFolder, aRepository, git } from "./fixtures.js";

const SEARCH_PATH = "/usr/bin:/bin";
const TOKEN = "github_pat_11AAAAAAA0aBcDeFgHiJkL_mNoPqRsTuVwXyZ";
const READ = { repository: "octo/hello.git" };
let folder = { root: "", remove: (): Promise<void> => Promise.resolve() };
const at = (...parts: string[]): string => path.join(folder.root, ...parts);
const open: GitServer[] = [];

beforeEach(async () => {
  folder = await aFolder();
});
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  await folder.remove();
});

/** A host with the private repository octo/hello. */
async function aHost(options: Partial<GitServerOptions> = {}) {
  const origin = await aRepository(folder.root, { "a.txt": "a\n" });
  git(folder.root, "clone", "--quiet", "--bare", origin.path, at("served", "octo", "hello.git"));
  const server = await startGitServer({
    folder: at("served"),
    grants: { [TOKEN]: READ },
    ...options,
  });
  open.push(server);
  return { server, head: origin.head };
}

function clone(host: string, secret?: string, { loopbackHttp = true, ref = "main" } = {}) {
  const credential: GitCredential | undefined =
    secret === undefined ? undefined : { username: "x-access-token", secret };
  return cloneRepository(
    { repository: { kind: "remote", host, owner: "octo", name: "hello" }, ref },
    {
      rules: { searchPath: SEARCH_PATH, hosts: [host], localFolders: [], loopbackHttp },
      folder: at("repo"),
      home: folder.root,
      marker: {},
      clock: systemClock,
      signal: new AbortController().signal,
      credential,
    },
  );
}

/** The token in the forms in which it would be found. */
const forms = [TOKEN, Buffer.from(`x-access-token:${TOKEN}`).toString("base64")];
const tells = (text: string): boolean => forms.some((form) => text.includes(form));

/** Files below a folder that hold the token. */
async function filesThatTell(below: string): Promise<string[]> {
  const entries = await readdir(below, { recursive: true, withFileTypes: true });
  const files = entries.filter((e) => e.isFile()).map((e) => path.join(e.parentPath, e.name));
  const contents = await Promise.all(files.map((file) => readFile(file, "latin1")));
  expect(files.length).toBeGreaterThan(0);
  return files.filter((_, index) => tells(contents[index] ?? ""));
}

describe("a private repository", () => {
  it("is cloned with its token", async () => {
    const { server, head } = await aHost();
    expect(await clone(server.host, TOKEN)).toEqual({ ok: true, commit: head });
    expect(await readFile(at("repo", "a.txt"), "utf8")).toBe("a\n");
  });

  it.each([
    ["no token", undefined],
    ["a wrong token", "github_pat_wrong_wrong_wrong"],
    ["31: an expired token", "ghp_expiredexpiredexpired"],
    ["a token of another repository", "ghp_otherotherotherother"],
  ])("with %s → cloneDenied, and the message tells no token", async (_, secret) => {
    const { server } = await aHost({
      grants: {
        [TOKEN]: READ,
        ghp_expiredexpiredexpired: { ...READ, isExpired: true },
        ghp_otherotherotherother: { repository: "octo/other.git" },
      },
    });
    const result = await clone(server.host, secret);
    expect(result).toMatchObject({ ok: false, failure: { reason: "cloneDenied" } });
    if (secret !== undefined) {
      expect(JSON.stringify(result)).not.toContain(secret);
      const basic = Buffer.from(`x-access-token:${secret}`).toString("base64");
      expect(JSON.stringify(result)).not.toContain(basic);
      expect(JSON.stringify(result)).toContain("has expired");
    }
  });

  it("31: a token that reads cannot push", async () => {
    const { server } = await aHost({
      grants: { [TOKEN]: READ, writes: { ...READ, write: true } },
    });
    await clone(server.host, TOKEN);
    const push = (token: string) => {
      const basic = Buffer.from(`x-access-token:${token}`).toString("base64");
      const url = `http://${server.host}/octo/hello.git`;
      const header = `http.extraHeader=Authorization: Basic ${basic}`;
      const args = ["-c", header, "push", "--quiet", url, "HEAD:refs/heads/new"];
      const env = { PATH: SEARCH_PATH, HOME: folder.root, GIT_TERMINAL_PROMPT: "0" };
      const command = { file: "git", args, cwd: at("repo"), env };
      return runCommand(
        { ...command, timeoutMs: 60_000, stdoutMax: 1_000 },
        { clock: systemClock },
      );
    };
    const refused = await push(TOKEN);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("403");
    expect((await push("writes")).code).toBe(0);
  });
});

describe("30: the token is in no command line, no file and no message", () => {
  it("during and after a clone", async () => {
    const seen: string[] = [];
    const { server } = await aHost({ onRequest: () => seen.push(...commandLines()) });
    await clone(server.host, TOKEN);
    expect(seen.filter((line) => line.includes("remote-http")).length).toBeGreaterThan(0);
    expect(seen.filter(tells)).toEqual([]);
    expect(await filesThatTell(at("repo"))).toEqual([]);
    expect(await readFile(at("repo", ".git", "config"), "utf8")).not.toMatch(/extraHeader|url/i);
  });

  it("after a clone that failed", async () => {
    const { server } = await aHost();
    const result = await clone(server.host, TOKEN, { ref: "nope" });
    expect(result).toMatchObject({ ok: false, failure: { reason: "refNotFound" } });
    expect(tells(JSON.stringify(result))).toBe(false);
    expect(await filesThatTell(at("repo"))).toEqual([]);
  });
});

describe("31: a host that redirects", () => {
  it("sends nobody anywhere: the other host sees no request, and no credential", async () => {
    const attacker = await startGitServer({ folder: at("empty"), grants: {} });
    open.push(attacker);
    const { server } = await aHost({ redirectTo: `http://${attacker.host}` });
    expect(await clone(server.host, TOKEN)).toMatchObject({
      ok: false,
      failure: { reason: "cloneFailed" },
    });
    expect(server.requests.length).toBeGreaterThan(0);
    expect(attacker.requests).toEqual([]);
  });
});

it("a loopback host is spoken to by https unless plain http was asked for", async () => {
  const { server } = await aHost();
  const result = await clone(server.host, TOKEN, { loopbackHttp: false });
  expect(result).toMatchObject({ ok: false, failure: { reason: "cloneFailed" } });
  expect(server.requests).toEqual([]);
});

it("plain http is for loopback alone: another host is asked by https", async () => {
  // RFC 2606: resolves nowhere, so that the scheme shows in what git says.
  const result = await clone("git.invalid", TOKEN);
  expect(JSON.stringify(result)).toContain("https://git.invalid/");
});

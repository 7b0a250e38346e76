import { realpath, rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { FailureReason, Repository } from "../convex/protocol/job.js";
import type { Clock } from "./clock.js";
import type { RepositoryCache } from "./repositoryCache.js";
import { type CommandResult, runCommand } from "./runCommand.js";

/** Git, always by argument arrays and in an environment that nothing of the machine reaches. */
export type GitRules = Readonly<{
  searchPath: string;
  /** Hosts from which remote repositories may be cloned. */
  hosts: readonly string[];
  /** Folders below which a job may name a repository by path. */
  localFolders: readonly string[];
  /** Mirrors of remote repositories; without it each clone is fetched whole. */
  cache?: RepositoryCache;
  /** For development and tests: hosts on this machine's loopback are spoken to by plain http. */
  loopbackHttp?: boolean;
}>;

/** What one fetch authenticates with; it reaches one git process, by its environment. */
export type GitCredential = Readonly<{ username: string; secret: string }>;

export type GitFailure = {
  reason: Extract<
    FailureReason,
    "repositoryNotFound" | "refNotFound" | "cloneDenied" | "cloneFailed" | "diskFull"
  >;
  message: string;
};
export type CloneResult = { ok: true; commit: string } | { ok: false; failure: GitFailure };

/** One fetch of one commit; larger than this and the host or the line is to blame. */
const CLONE_MS_MAX = 15 * 60_000;
const GIT_STDOUT_CHARS_MAX = 64 * 1024;
const FAILURE_CHARS_MAX = 500;

/** Settings that hold for every git call, whatever the repository says (git-config(1)). */
const SETTINGS = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.attributesFile": "/dev/null",
  "http.followRedirects": "false",
  "submodule.recurse": "false",
  "fetch.recurseSubmodules": "false",
  "transfer.fsckObjects": "true",
  "protocol.version": "2",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "advice.detachedHead": "false",
} as const;

/** The whole environment of a git call; `protocols` is the list of transports it may use. */
export function gitEnvironment(options: {
  searchPath: string;
  home: string;
  protocols: "https" | "http" | "file" | "none";
  extra?: Readonly<Record<string, string>>;
  /** Settings besides those that always hold. */
  settings?: Readonly<Record<string, string>>;
}): Record<string, string> {
  const settings = Object.entries({ ...SETTINGS, ...options.settings });
  const env: Record<string, string> = {
    PATH: options.searchPath,
    HOME: options.home,
    LANG: "C",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    SSH_ASKPASS: "/bin/false",
    GIT_ALLOW_PROTOCOL: options.protocols,
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_CONFIG_COUNT: String(settings.length),
    ...options.extra,
  };
  for (const [index, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

/** Fetches one commit of `repository` into `folder` (made by this call) and checks it out detached. */
export async function cloneRepository(
  /** With a commit, that one is checked out, whatever the ref names by now. */
  source: { repository: Repository; ref: string; commit?: string },
  options: {
    rules: GitRules;
    folder: string;
    home: string;
    /** Marks the processes for the sweep. */
    marker: Readonly<Record<string, string>>;
    clock: Clock;
    signal: AbortSignal;
    /** For a remote repository; without it the clone is anonymous. */
    credential?: GitCredential | undefined;
  },
): Promise<CloneResult> {
  const located = await locate(source.repository, options.rules);
  if (!located.ok) return located;
  if (!isFetchableRef(source.ref)) {
    return failed("refNotFound", `"${source.ref}" is not a name git accepts for a ref.`);
  }
  const wanted = source.commit ?? source.ref;
  const environment = {
    searchPath: options.rules.searchPath,
    home: options.home,
    protocols: located.protocol,
    extra: options.marker,
  };
  const plain = gitEnvironment(environment);
  const settings = authorization(located, options.credential);
  const authorized = gitEnvironment({ ...environment, settings });
  const local = gitEnvironment({ ...environment, protocols: "file" });
  const deadline = options.clock.monotonic() + CLONE_MS_MAX;
  const git = ({ cwd, args, env }: Step): Promise<CommandResult> =>
    runCommand(
      {
        file: "git",
        args,
        cwd,
        env: env ?? plain,
        timeoutMs: Math.max(1, deadline - options.clock.monotonic()),
        stdoutMax: GIT_STDOUT_CHARS_MAX,
      },
      options,
    );
  const call: Call = { ...options, git, wanted, url: located.url, authorized, local };
  const { cache } = options.rules;
  if (cache === undefined || located.protocol === "file") return cloneWhole(call);
  // A cache that cannot be used costs time, not the clone.
  const mirrored = await cache
    .use(located.url, (mirror) => cloneByMirror(call, mirror))
    .catch(() => null);
  if (mirrored !== null) return mirrored;
  await rm(options.folder, { recursive: true, force: true });
  return cloneWhole(call);
}

type Git = (step: Step) => Promise<CommandResult>;
type Call = {
  git: Git;
  url: string;
  wanted: string;
  folder: string;
  /** For the one step that talks to the host. */
  authorized: Record<string, string>;
  /** For the one that reads a mirror. */
  local: Record<string, string>;
  credential?: GitCredential | undefined;
};

const FETCH = ["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"];
const CHECKOUT = ["checkout", "--quiet", "--detach", "--no-recurse-submodules", "FETCH_HEAD"];
const commitOf = (name: string): string[] => [
  "rev-parse",
  "--verify",
  "--end-of-options",
  `${name}^{commit}`,
];

const initStep = (folder: string): Step => ({
  cwd: path.dirname(folder),
  args: ["init", "--quiet", "--template=", "--", folder],
});

function cloneWhole(call: Call): Promise<CloneResult> {
  const { folder, url, wanted, authorized } = call;
  const fetch = [...FETCH, "--end-of-options", url, wanted];
  return inOrder(call, [
    initStep(folder),
    { cwd: folder, args: fetch, env: authorized },
    { cwd: folder, args: CHECKOUT },
    { cwd: folder, args: commitOf("HEAD") },
  ]);
}

/** Null when the mirror does not hold what the host says it should: then the clone is made without it. */
async function cloneByMirror(call: Call, mirror: string): Promise<CloneResult | null> {
  const { folder, url, wanted, authorized, local } = call;
  const fetched = await inOrder(call, [
    { cwd: mirror, args: [...FETCH, "--end-of-options", url, wanted], env: authorized },
    { cwd: mirror, args: commitOf("FETCH_HEAD") },
  ]);
  // What the host refuses it refuses without a mirror too; anything else may be the mirror's fault.
  if (!fetched.ok) return fetched.failure.reason === "cloneFailed" ? null : fetched;
  const { commit } = fetched;
  const ref = `refs/kept/${commit}`;
  const copied = await inOrder(call, [
    { cwd: mirror, args: ["update-ref", ref, commit] },
    initStep(folder),
    { cwd: folder, args: [...FETCH, "--", pathToFileURL(mirror).href, ref], env: local },
    { cwd: folder, args: CHECKOUT },
    { cwd: folder, args: commitOf("HEAD") },
  ]);
  if (copied.ok && copied.commit === commit) return copied;
  return !copied.ok && copied.failure.reason === "diskFull" ? copied : null;
}

/** Runs steps until one fails; the answer of the last is the commit. */
async function inOrder(call: Call, steps: readonly Step[]): Promise<CloneResult> {
  let output = "";
  for (const step of steps) {
    const result = await call.git(step);
    if (result.ending !== "exited" || result.code !== 0) {
      const failure = classifyGitFailure(result, call.wanted);
      return { ok: false, failure: explainDenial(failure, call.credential) };
    }
    output = result.stdout.trim();
  }
  return { ok: true, commit: output };
}

type Step = { cwd: string; args: string[]; env?: Record<string, string> };

/**
 * The header goes by the environment, where neither `ps` nor a file shows it, and is bound to the one
 * repository: git sends it to no other URL, and SETTINGS let it follow no redirect.
 */
function authorization(
  located: { url: string; protocol: string },
  credential: GitCredential | undefined,
): Record<string, string> {
  if (credential === undefined || located.protocol === "file") return {};
  const { username, secret } = credential;
  const basic = Buffer.from(`${username}:${secret}`).toString("base64");
  return { [`http.${located.url}.extraHeader`]: `Authorization: Basic ${basic}` };
}

function explainDenial(failure: GitFailure, credential: GitCredential | undefined): GitFailure {
  if (failure.reason !== "cloneDenied" || credential === undefined) return failure;
  const lead = "The token that is kept for this repository is not good for it, or has expired.";
  return { ...failure, message: `${lead} ${failure.message}` };
}

/** Why a git call failed, from how it ended and what it wrote with LANG=C. Pure. */
export function classifyGitFailure(result: CommandResult, ref: string): GitFailure {
  const said = result.stderr.trim().slice(-FAILURE_CHARS_MAX);
  switch (result.ending) {
    case "missing":
      return { reason: "cloneFailed", message: "git is not installed on the executor." };
    case "timedOut":
      return { reason: "cloneFailed", message: `git took longer than ${CLONE_MS_MAX} ms.` };
    case "aborted":
    case "killed":
      return { reason: "cloneFailed", message: `git was ended from outside. ${said}`.trim() };
    case "exited":
      break;
  }
  const row = SAYINGS.find(({ pattern }) => pattern.test(result.stderr));
  const reason = row?.reason ?? "cloneFailed";
  const lead = row?.lead(ref) ?? `git ended with exit code ${result.code ?? "unknown"}.`;
  return { reason, message: `${lead} git says: ${said}` };
}

/** First match wins: a full disk shows as a failed write of anything. */
const SAYINGS: { pattern: RegExp; reason: GitFailure["reason"]; lead: (ref: string) => string }[] =
  [
    {
      pattern: /No space left on device|Disk quota exceeded|unable to write file/i,
      reason: "diskFull",
      lead: () => "The executor's disk is full.",
    },
    {
      pattern: /couldn't find remote ref|not our ref|unadvertised object|invalid refspec/i,
      reason: "refNotFound",
      lead: (ref) => `The repository has no branch, tag or commit "${ref}".`,
    },
    {
      pattern: /could not read (?:Username|Password)|terminal prompts disabled/i,
      reason: "cloneDenied",
      lead: () => "The repository does not exist, or is private and this executor has no access.",
    },
    {
      pattern:
        /Authentication failed|returned error: 40[13]|Permission denied|dubious ownership|access denied/i,
      reason: "cloneDenied",
      lead: () => "The repository may not be read by this executor.",
    },
    {
      pattern: /repository .*not found|does not appear to be a git repository|returned error: 404/i,
      reason: "repositoryNotFound",
      lead: () => "There is no such repository.",
    },
  ];

const LOOPBACK = /^(?:127\.0\.0\.1|localhost)(?::\d{1,5})?$/;

type Located =
  | { ok: true; url: string; protocol: "https" | "http" | "file" }
  | { ok: false; failure: GitFailure };

/** The URL to fetch from, made here from checked parts; never one that somebody typed. */
async function locate(repository: Repository, rules: GitRules): Promise<Located> {
  if (repository.kind === "local") return locateLocal(repository.path, rules.localFolders);
  const { host, owner, name } = repository;
  if (!rules.hosts.includes(host)) {
    return failed("cloneDenied", `"${host}" is not one of this executor's GIT_HOSTS.`);
  }
  const isPlain = [owner, name].every((part) => /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(part));
  if (!isPlain) return failed("repositoryNotFound", `"${owner}/${name}" is not a repository name.`);
  const isPlainHttp = rules.loopbackHttp === true && LOOPBACK.test(host);
  const protocol = isPlainHttp ? "http" : "https";
  return { ok: true, url: `${protocol}://${host}/${owner}/${name}.git`, protocol };
}

async function locateLocal(given: string, folders: readonly string[]): Promise<Located> {
  if (folders.length === 0) {
    return failed("cloneDenied", "This executor clones no local paths; see LOCAL_REPOSITORIES.");
  }
  const [real, ...roots] = await Promise.all([given, ...folders].map(realPathOf));
  if (real === undefined) return failed("repositoryNotFound", `There is no folder "${given}".`);
  // Compared after links are resolved: a link inside an allowed folder opens nothing outside it.
  const isInside = roots.some(
    (root) => root !== undefined && (real === root || real.startsWith(path.join(root, path.sep))),
  );
  if (!isInside) {
    return failed("cloneDenied", `"${given}" is outside this executor's LOCAL_REPOSITORIES.`);
  }
  return { ok: true, url: pathToFileURL(real).href, protocol: "file" };
}

/** A single name, not a refspec or a pattern; git itself judges the rest. */
function isFetchableRef(ref: string): boolean {
  return /^[^-+^\s:~?*[\\][^\s:~^?*[\\]*$/.test(ref) && !ref.includes("..");
}

async function realPathOf(given: string): Promise<string | undefined> {
  return realpath(given).catch((error: unknown) => {
    const isAbsent = ["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].some(
      (code) => error instanceof Error && "code" in error && error.code === code,
    );
    if (isAbsent) return undefined;
    throw error;
  });
}

function failed(reason: GitFailure["reason"], message: string): { ok: false; failure: GitFailure } {
  return { ok: false, failure: { reason, message } };
}

/** Checks what was typed before anything is started: one sentence for each mistake. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import {
  PROMPT_CHARS_MAX,
  REF_CHARS_MAX,
  REPOSITORY_CHARS_MAX,
} from "../../convex/protocol/limits.js";
import { usageError } from "../errors.js";

/** A repository as it goes into a job, and what executor and backend must allow for it. */
export type RepositoryInput =
  { kind: "local"; text: string } | { kind: "remote"; text: string; host: string };

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

/** `owner/repo`, an https URL, or a path of a git repository on this machine. */
export function readRepository(typed: string, cwd: string): RepositoryInput {
  if (typed.length > REPOSITORY_CHARS_MAX || typed.trim() === "") {
    throw usageError(`--repo must have 1 to ${String(REPOSITORY_CHARS_MAX)} characters.`);
  }
  if (/^(\/|\.{1,2}(\/|$))/.test(typed)) return readLocal(path.resolve(cwd, typed));
  if (/^https:\/\//i.test(typed)) return readUrl(typed);
  const parts = typed.split("/");
  if (parts.length === 2 && parts.every((part) => NAME.test(part))) {
    return { kind: "remote", text: typed, host: "github.com" };
  }
  throw usageError(
    `--repo ${shown(typed)} is no repository; use owner/repo, an https:// URL, or a path that begins with / or ./`,
  );
}

function readLocal(folder: string): RepositoryInput {
  if (folder.includes(":")) {
    throw usageError(
      `--repo ${shown(folder)} has a colon in its path, which the demo cannot allow.`,
    );
  }
  if (!existsSync(folder)) throw usageError(`--repo ${shown(folder)} does not exist.`);
  const answer = spawnSync("git", ["-C", folder, "rev-parse", "--verify", "--quiet", "HEAD"], {
    encoding: "utf8",
  });
  if (answer.error !== undefined) {
    throw usageError("git was not found; install it (Debian: apt install git) and try again.");
  }
  if (answer.status !== 0) {
    throw usageError(
      `--repo ${shown(folder)} is no git repository with a commit; name another one with --repo.`,
    );
  }
  return { kind: "local", text: folder };
}

function readUrl(typed: string): RepositoryInput {
  const url = URL.canParse(typed) ? new URL(typed) : null;
  const parts =
    url?.pathname
      .replace(/\.git$/, "")
      .split("/")
      .slice(1) ?? [];
  const isPlain = url?.username === "" && url.password === "" && !url.search && !url.hash;
  if (url === null || !isPlain || parts.length !== 2 || !parts.every((part) => NAME.test(part))) {
    throw usageError(
      `--repo ${shown(typed)} is not of the form https://host/owner/repo (without login, query or fragment).`,
    );
  }
  return { kind: "remote", text: typed, host: url.host };
}

/** A branch, a tag or a commit. */
export function readRef(typed: string): string {
  const isPlain = /^[^\s~^:?*[\\\u0000-\u001f\u007f]+$/.test(typed) && !typed.startsWith("-");
  const isBad = typed.includes("..") || typed.includes("@{") || /^\/|\/$|\.$|\.lock$/.test(typed);
  if (typed === "" || typed.length > REF_CHARS_MAX || !isPlain || isBad) {
    throw usageError(`--ref ${shown(typed)} is no name of a branch, tag or commit.`);
  }
  return typed;
}

/**
 * What Claude shall do; "-" reads it from stdin, for a prompt longer than the system lets an argument
 * be (128 KiB on Linux). Reading stops soon after the text is too long.
 */
export async function readPrompt(
  typed: string,
  stdin: AsyncIterable<string | Buffer>,
): Promise<string> {
  if (typed !== "-") return checkPrompt(typed);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk);
    chunks.push(piece);
    bytes += piece.length;
    // A character is at most four bytes: more than this is too long whatever it says.
    if (bytes > 4 * PROMPT_CHARS_MAX) break;
  }
  return checkPrompt(Buffer.concat(chunks).toString("utf8"));
}

function checkPrompt(typed: string): string {
  if (typed.trim() === "") throw usageError("--prompt is empty; say what Claude shall do.");
  if (typed.length > PROMPT_CHARS_MAX) {
    throw usageError(
      `--prompt has ${String(typed.length)} characters; at most ${String(PROMPT_CHARS_MAX)} are possible.`,
    );
  }
  return typed;
}

/** The data folder; it may be missing, but what is there must be a folder. */
export function readDataFolder(typed: string, cwd: string): string {
  const folder = path.resolve(cwd, typed);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (typed === "" || (found !== undefined && !found.isDirectory())) {
    throw usageError(
      `--data ${shown(typed)} is not a folder; name a folder, it is made when missing.`,
    );
  }
  return folder;
}

/** A TCP port; 0 takes a free one. */
export function readPort(typed: string): number {
  const port = /^\d{1,5}$/.test(typed) ? Number(typed) : Number.NaN;
  if (!(port <= 65_535)) {
    throw usageError(`--port ${shown(typed)} is no port; use a number from 0 to 65535.`);
  }
  return port;
}

/** Characters of a mistyped value that are shown again. */
const SHOWN_CHARS_MAX = 80;

function shown(typed: string): string {
  return JSON.stringify(
    typed.length > SHOWN_CHARS_MAX ? `${typed.slice(0, SHOWN_CHARS_MAX)}…` : typed,
  );
}

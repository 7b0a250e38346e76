import { REF_CHARS_MAX, REPOSITORY_CHARS_MAX } from "../protocol/limits.js";
import type { Repository } from "../protocol/job.js";
import { type Checked, passed, quote, refused } from "./checked.js";

/** What the deployment allows. */
export type Allowed = { hosts: readonly string[]; local: boolean };

/** One part of owner/name: nothing that a URL, a shell, git or a file system could read otherwise. */
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PART_CHARS_MAX = 100;
const FORMS = "Give owner/repo, or an https URL like https://github.com/owner/repo";

/**
 * Reads a repository as a person types it: `owner/repo` (on the first allowed host), an https URL on
 * an allowed host, or an absolute path where the deployment allows local repositories.
 */
export function parseRepository(typed: string, allowed: Allowed): Checked<Repository> {
  const text = typed.trim();
  if (text === "") return refused(`The repository is empty. ${FORMS}.`);
  if (text.length > REPOSITORY_CHARS_MAX) {
    return refused(
      `The repository has ${text.length} characters; at most ${REPOSITORY_CHARS_MAX} are allowed.`,
    );
  }
  if (text.startsWith("/")) return parsePath(text, allowed);
  if (/[^\x21-\x7e]/.test(text)) {
    return refused(
      `The repository ${quote(text)} has a space, control or non-ASCII character. ${FORMS}.`,
    );
  }
  if (text.includes("://")) return parseUrl(text, allowed);
  const host = allowed.hosts[0];
  if (host === undefined) return refused("This deployment allows no repository host.");
  return parseParts({ text, host, rest: text });
}

function parseUrl(text: string, allowed: Allowed): Checked<Repository> {
  const match = /^https:\/\/([^/]+)\/(.*)$/i.exec(text);
  if (match === null) {
    return refused(`The repository ${quote(text)} is not an https URL. ${FORMS}.`);
  }
  const host = (match[1] ?? "").toLowerCase();
  if (host.includes("@")) {
    return refused("A repository URL must not carry a user name, password or token. Leave it out.");
  }
  if (!allowed.hosts.includes(host)) {
    const hosts = allowed.hosts.join(", ");
    return refused(
      `The host ${quote(host)} is not allowed here. Allowed: ${hosts} (REPOSITORY_HOSTS).`,
    );
  }
  return parseParts({ text, host, rest: (match[2] ?? "").replace(/\/$/, "") });
}

function parseParts(typed: { text: string; host: string; rest: string }): Checked<Repository> {
  const [owner, last, ...more] = typed.rest.split("/");
  const name = last?.replace(/\.git$/i, "");
  if (owner === undefined || name === undefined || more.length > 0) {
    return refused(`The repository ${quote(typed.text)} is not of the form owner/repo. ${FORMS}.`);
  }
  for (const part of [owner, name]) {
    if (
      !PART.test(part) ||
      part.length > PART_CHARS_MAX ||
      part.includes("..") ||
      part.endsWith(".")
    ) {
      return refused(
        `The repository ${quote(typed.text)} has the part ${quote(part)}. A part starts with a letter or digit, ` +
          "goes on with letters, digits, '.', '_' and '-', and has no '..' in it.",
      );
    }
  }
  return passed({ kind: "remote", host: typed.host, owner, name });
}

function parsePath(text: string, allowed: Allowed): Checked<Repository> {
  if (!allowed.local) {
    return refused(
      "This deployment takes no local paths (ALLOW_LOCAL_REPOSITORIES is not 1). " + `${FORMS}.`,
    );
  }
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    return refused(`The path ${quote(text)} has a control character.`);
  }
  if (text.split("/").includes("..")) {
    return refused(`The path ${quote(text)} has a '..' in it. Give the path it stands for.`);
  }
  const path = text.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");
  return path === "/"
    ? refused("The root folder is no repository.")
    : passed({ kind: "local", path });
}

/** What must not be in a ref, and how a message names it: git's check-ref-format, and what is only ours. */
const REF_RULES: readonly [RegExp, string][] = [
  [/^-/, "starts with '-'"],
  [/^\/|\/$|\/\//, "has an empty part between slashes"],
  [/(^|\/)\./, "has a part that starts with '.'"],
  [/\.lock(\/|$)/, "has a part that ends with '.lock'"],
  [/\.$/, "ends with '.'"],
  [/\.\./, "has '..' in it"],
  [/@\{/, "has '@{' in it"],
  [/^@$/, "is a bare '@'"],
  [/[~^:?*[\\]/, "has one of ~ ^ : ? * [ \\ in it"],
  [/[^\x21-\x7e]/, "has a space, control or non-ASCII character"],
  // Legal for git, but of use only to who hopes for a shell.
  [/[;&|<>$`'"(){}!]/, "has a character that shells interpret"],
];

/** Reads a ref: branch, tag, full commit or HEAD; nothing typed is HEAD, the default branch. */
export function parseRef(typed: string | undefined): Checked<string> {
  const ref = (typed ?? "HEAD").trim();
  if (ref === "")
    return refused("The ref is empty. Give a branch, a tag or a full commit, or leave it out.");
  if (ref.length > REF_CHARS_MAX) {
    return refused(`The ref has ${ref.length} characters; at most ${REF_CHARS_MAX} are allowed.`);
  }
  for (const [rule, why] of REF_RULES) {
    if (rule.test(ref))
      return refused(`The ref ${quote(ref)} ${why}. Give a branch, a tag or a full commit.`);
  }
  return passed(ref);
}

/** Whether a ref is a full commit id, SHA-1 or SHA-256. */
export function isCommit(ref: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
}

/** A repository as one text, as lists and filters show it. */
export function nameOf(repository: Repository): string {
  return repository.kind === "local"
    ? repository.path
    : `${repository.host}/${repository.owner}/${repository.name}`;
}

import type { Repository } from "../protocol/job.js";
import { SECRET_CHARS_MAX, SECRET_CHARS_MIN } from "../protocol/limits.js";
import type { SecretKind } from "../protocol/secret.js";
import { checkUsername } from "./account.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { checkName } from "./executor.js";
import { type Allowed, parseRepository } from "./repository.js";

/** Names a secret: at most one is kept for each. */
export type SecretKey = { kind: SecretKind; name: string };

const SHOWN_CHARS = 4;

/** A secret in one word, as audit rows name it and its box is bound to it. */
export function textOf({ kind, name }: SecretKey): string {
  return `${kind}:${name}`;
}

/** Checks a secret's value. What it is never shows in the message. */
export function checkValue(value: string): Checked<string> {
  if (value.length < SECRET_CHARS_MIN || value.length > SECRET_CHARS_MAX) {
    return refused(
      `The secret has ${value.length} characters; it must have ${SECRET_CHARS_MIN} to ${SECRET_CHARS_MAX}.`,
    );
  }
  // It goes into headers and variables: one line, nothing that could end a header.
  if (/[^\x21-\x7e]/.test(value)) {
    return refused("The secret has a space, control or non-ASCII character: copy it anew.");
  }
  return passed(value);
}

/** All that is ever shown of a secret. */
export function lastFourOf(value: string): string {
  return value.slice(-SHOWN_CHARS);
}

/** Reads the name of a secret as a person types it; `allowed` says which hosts there are. */
export function checkKey(kind: SecretKind, typed: string, allowed: Allowed): Checked<SecretKey> {
  const named = readName(kind, typed, allowed);
  return named.ok ? passed({ kind, name: named.value }) : named;
}

function readName(kind: SecretKind, typed: string, allowed: Allowed): Checked<string> {
  switch (kind) {
    case "repositoryToken": {
      const repository = parseRepository(typed, { ...allowed, local: false });
      return repository.ok ? passed(repositoryName(repository.value)) : repository;
    }
    case "userToken":
      return readUserName(typed, allowed);
    case "webhook":
    case "claude":
      return checkName(typed);
  }
}

function readUserName(typed: string, allowed: Allowed): Checked<string> {
  const [user, host, ...rest] = typed.split("@");
  const username = checkUsername(user ?? "");
  if (!username.ok) return username;
  const hostName = host?.toLowerCase() ?? "";
  if (rest.length > 0 || !allowed.hosts.includes(hostName)) {
    return refused(
      `The name ${quote(typed)} is not <user name>@<host> with a host of ${allowed.hosts.join(", ")}.`,
    );
  }
  return passed(userTokenName(username.value, hostName));
}

const userTokenName = (username: string, host: string) => `${username}@${host}`;

/** Hosts do not tell names apart by their case. A local repository needs no token. */
function repositoryName(repository: Repository): string {
  if (repository.kind === "local") return repository.path;
  return `${repository.host}/${repository.owner}/${repository.name}`.toLowerCase();
}

/** The user whose token a name is of. */
export function ownerOf({ kind, name }: SecretKey): string | null {
  return kind === "userToken" ? (name.split("@")[0] ?? null) : null;
}

/** Which secrets may serve a clone, the first that is there first. */
export function forClone(repository: Repository, submittedBy: string): SecretKey[] {
  if (repository.kind === "local") return [];
  const ofRepository: SecretKey = { kind: "repositoryToken", name: repositoryName(repository) };
  const username = /^user:(.+)$/.exec(submittedBy)?.[1];
  if (username === undefined) return [ofRepository];
  return [ofRepository, { kind: "userToken", name: userTokenName(username, repository.host) }];
}

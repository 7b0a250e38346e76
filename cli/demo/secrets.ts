/**
 * The secrets of a demo's deployment: made once for a data folder, kept there with mode 600, so that
 * later runs sign in as the same administrator and earlier tokens stay good.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { CommandError } from "../errors.js";
import { type KeyPair, makeKeyPair } from "../signingKeys.js";

const FILE = "demo.json";
/** Kept as the shape of the file; a file of another version is refused, not guessed at. */
const VERSION = 2;

export type Secrets = {
  version: typeof VERSION;
  setupToken: string;
  username: string;
  password: string;
  userKeys: KeyPair;
  executorKeys: KeyPair;
  /** Key ring of the sealed boxes: SECRETS_KEYS and SECRETS_CURRENT. */
  boxes: { keys: string; current: string };
};

/** Reads the folder's secrets, or makes and keeps new ones. The folder must exist. */
export async function openSecrets(folder: string): Promise<Secrets> {
  const file = path.join(folder, FILE);
  const text = await readOrUndefined(file);
  if (text !== undefined) return parse(text, file);
  const boxKey = randomUUID().slice(0, 8);
  const [userKeys, executorKeys] = await Promise.all([makeKeyPair(), makeKeyPair()]);
  const secrets: Secrets = {
    version: VERSION,
    setupToken: randomBytes(32).toString("base64url"),
    username: "admin",
    password: randomBytes(18).toString("base64url"),
    userKeys,
    executorKeys,
    boxes: { keys: `${boxKey}:${randomBytes(32).toString("base64url")}`, current: boxKey },
  };
  // Written beside and renamed: a run that is killed here leaves no half file.
  const partial = `${file}.${String(process.pid)}`;
  await writeFile(partial, JSON.stringify(secrets), { mode: 0o600 });
  await chmod(partial, 0o600);
  await rename(partial, file);
  return secrets;
}

/** The deployment variables of docs/protocol.md, from the secrets. */
export function deploymentVariables(secrets: Secrets): Record<string, string> {
  return {
    // Only compared, never contacted; `.invalid` belongs to nobody.
    AUTH_ISSUER: "https://fondation.invalid",
    AUTH_USER_PRIVATE_JWK: secrets.userKeys.privateJwk,
    AUTH_USER_JWKS: secrets.userKeys.jwks,
    AUTH_EXECUTOR_PRIVATE_JWK: secrets.executorKeys.privateJwk,
    AUTH_EXECUTOR_JWKS: secrets.executorKeys.jwks,
    SETUP_TOKEN: secrets.setupToken,
    SECRETS_KEYS: secrets.boxes.keys,
    SECRETS_CURRENT: secrets.boxes.current,
    ALLOW_LOCAL_REPOSITORIES: "1",
  };
}

async function readOrUndefined(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text: string, file: string): Secrets {
  const parsed: unknown = JSON.parse(text);
  const isOurs =
    typeof parsed === "object" &&
    parsed !== null &&
    "version" in parsed &&
    parsed.version === VERSION;
  if (!isOurs) {
    throw new CommandError(
      `${file} was written by another version of Fondation; choose another folder with --data.`,
    );
  }
  // Our own file, renamed into place whole, of the version that has exactly these fields.
  return parsed as Secrets;
}

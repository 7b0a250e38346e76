import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  type KeyObject,
} from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import type { EnrolReply, PublicJwk } from "../convex/protocol/executor.js";
import {
  ASSERTION_AUDIENCE,
  ASSERTION_MS_MAX,
  ROTATION_AUDIENCE,
} from "../convex/protocol/limits.js";
import type { Clock } from "./clock.js";
import { ConfigError } from "./config.js";

/** In STATE_DIR, for the owner alone. */
export const IDENTITY_FILE = "identity.json";

/** Who this executor is; lives in STATE_DIR/identity.json, readable by its owner alone. */
export type Identity = {
  executorId: string;
  privateKey: KeyObject;
  /** Prepared by a rotation that was cut short: the deployment may have taken it already. */
  nextKey?: KeyObject | undefined;
};
/** One start of this process: a later one takes the identity over. */
export type Boot = { id: string; at: number };

/** The executor cannot say who it is; the message says what to do about it. */
export class IdentityError extends Error {
  override name = "IdentityError";
}

export type Enrol = (args: {
  token: string;
  name: string;
  publicJwk: PublicJwk;
}) => Promise<EnrolReply>;

const publicJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
});
const privateJwk = z.extend(publicJwk, { d: z.string() });
const identityFile = z.object({
  version: z.literal(1),
  /** Absent from the making of the key until the enrolment is accepted. */
  executorId: z.optional(z.string()),
  privateJwk,
  nextPrivateJwk: z.optional(privateJwk),
});
type IdentityFile = z.output<typeof identityFile>;

/**
 * The stored identity, or a new one by enrolment on the first start. The key is stored before the
 * token is spent, so that an enrolment cut short can be repeated with the same key.
 */
export async function loadIdentity(options: {
  stateDir: string;
  name: string;
  enrolToken: string | undefined;
  enrol: Enrol;
}): Promise<Identity> {
  const file = fileIn(options.stateDir);
  const stored = await readIdentityFile(file);
  if (stored?.executorId !== undefined) return identityOf(stored, stored.executorId);
  if (options.enrolToken === undefined) {
    throw new ConfigError(
      `No identity in ${file} and FONDATION_ENROL_TOKEN is not set; create an enrolment as an administrator and start the executor with its token.`,
    );
  }
  const fresh = stored ?? { version: 1 as const, privateJwk: toPrivateJwk(makeKey()) };
  await writeIdentityFile(file, fresh);
  const { kty, crv, x } = fresh.privateJwk;
  const reply = await options.enrol({
    token: options.enrolToken,
    name: options.name,
    publicJwk: { kty, crv, x },
  });
  if (!reply.ok) {
    throw new IdentityError(
      `The deployment refused the enrolment token (${reply.code}); create a new enrolment and start again with its token.`,
    );
  }
  await writeIdentityFile(file, { ...fresh, executorId: reply.executorId });
  return identityOf(fresh, reply.executorId);
}

/** A signed statement of who we are, good once and for less than a minute. */
export function signAssertion(identity: Identity, boot: Boot, clock: Clock): string {
  const claims = { ...claimsOf(identity, boot, clock), aud: ASSERTION_AUDIENCE };
  return signClaims(claims, identity.privateKey);
}

/** The same statement by both keys, that the next one takes the other's place. */
export function signRotation(
  { nextKey, ...identity }: Identity & { nextKey: KeyObject },
  boot: Boot,
  clock: Clock,
): { assertion: string; proof: string } {
  const { x } = publicHalf(nextKey);
  const claims = { ...claimsOf(identity, boot, clock), aud: ROTATION_AUDIENCE, x };
  return {
    assertion: signClaims(claims, identity.privateKey),
    proof: signClaims(claims, nextKey),
  };
}

function claimsOf({ executorId }: Identity, boot: Boot, clock: Clock) {
  const issued = Math.floor(clock.now() / 1000);
  return {
    iss: executorId,
    sub: executorId,
    iat: issued,
    exp: issued + ASSERTION_MS_MAX / 1000,
    jti: randomUUID(),
    boot: boot.id,
    bootAt: boot.at,
  };
}

function signClaims(claims: object, key: KeyObject): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

/** A new Ed25519 key. */
export function makeKey(): KeyObject {
  return generateKeyPairSync("ed25519").privateKey;
}

/** What others may know of a key. */
export function publicHalf(key: KeyObject): PublicJwk {
  return publicJwk.parse(createPublicKey(key).export({ format: "jwk" }));
}

/** Writes the keys of an enrolled executor, whole or not at all. */
export async function keepKeys(stateDir: string, identity: Identity): Promise<void> {
  const { executorId, privateKey, nextKey } = identity;
  await writeIdentityFile(fileIn(stateDir), {
    version: 1,
    executorId,
    privateJwk: toPrivateJwk(privateKey),
    ...(nextKey === undefined ? {} : { nextPrivateJwk: toPrivateJwk(nextKey) }),
  });
}

const fileIn = (stateDir: string): string => path.join(stateDir, IDENTITY_FILE);

/** Which executor this machine is enrolled as; undefined: none yet. Throws IdentityError. */
export async function readIdentity(stateDir: string): Promise<string | undefined> {
  return (await readIdentityFile(fileIn(stateDir)))?.executorId;
}

function toPrivateJwk(key: KeyObject): IdentityFile["privateJwk"] {
  return privateJwk.parse(key.export({ format: "jwk" }));
}

function fromJwk(jwk: IdentityFile["privateJwk"]): KeyObject {
  return createPrivateKey({ key: { ...jwk }, format: "jwk" });
}

function identityOf(stored: IdentityFile, executorId: string): Identity {
  const { privateJwk: jwk, nextPrivateJwk: next } = stored;
  const identity = { executorId, privateKey: fromJwk(jwk) };
  return next === undefined ? identity : { ...identity, nextKey: fromJwk(next) };
}

async function readIdentityFile(file: string): Promise<IdentityFile | undefined> {
  const content = await readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw new IdentityError(`${file} cannot be read: ${String(error)}`);
  });
  if (content === undefined) return undefined;
  const parsed = identityFile.safeParse(parseJson(content));
  if (parsed.success) return parsed.data;
  throw new IdentityError(
    `${file} is damaged or from another version; restore it, or remove it and enrol this executor anew.`,
  );
}

/** Whole or not at all: a crash leaves the old file. */
async function writeIdentityFile(file: string, content: IdentityFile): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600, flush: true });
    await rename(temporary, file);
  } catch (error) {
    throw new IdentityError(`${file} cannot be written: ${String(error)}; check STATE_DIR.`);
  }
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

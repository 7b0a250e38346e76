import {
  createPrivateKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  type KeyObject,
} from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import type { EnrolReply, PublicJwk } from "../convex/protocol/executor.js";
import { ASSERTION_AUDIENCE, ASSERTION_MS_MAX } from "../convex/protocol/limits.js";
import type { Clock } from "./clock.js";
import { ConfigError } from "./config.js";

/** Who this executor is; lives in STATE_DIR/identity.json, readable by its owner alone. */
export type Identity = { executorId: string; privateKey: KeyObject };
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

const privateJwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  d: z.string(),
});
const identityFile = z.object({
  version: z.literal(1),
  /** Absent from the making of the key until the enrolment is accepted. */
  executorId: z.optional(z.string()),
  privateJwk,
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
  const file = path.join(options.stateDir, "identity.json");
  const stored = await readIdentityFile(file);
  if (stored?.executorId !== undefined) return identityOf(stored, stored.executorId);
  if (options.enrolToken === undefined) {
    throw new ConfigError(
      `No identity in ${file} and FONDATION_ENROL_TOKEN is not set; create an enrolment as an administrator and start the executor with its token.`,
    );
  }
  const fresh = stored ?? { version: 1 as const, privateJwk: makeKey() };
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
  const issued = Math.floor(clock.now() / 1000);
  const claims = {
    iss: identity.executorId,
    sub: identity.executorId,
    aud: ASSERTION_AUDIENCE,
    iat: issued,
    exp: issued + ASSERTION_MS_MAX / 1000,
    jti: randomUUID(),
    boot: boot.id,
    bootAt: boot.at,
  };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), identity.privateKey).toString("base64url")}`;
}

function makeKey(): IdentityFile["privateJwk"] {
  return privateJwk.parse(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }));
}

function identityOf(stored: IdentityFile, executorId: string): Identity {
  const privateKey = createPrivateKey({ key: { ...stored.privateJwk }, format: "jwk" });
  return { executorId, privateKey };
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

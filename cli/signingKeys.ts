/** The RS256 keys that a deployment signs access tokens with, in the form its variables take. */
import { generateKeyPair, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { usageError } from "./errors.js";

export type KeyPair = {
  /** RS256 private key as JWK text, with a kid. */
  privateJwk: string;
  /** Public halves as a key set in a `data:` URI, which no one has to fetch. */
  jwks: string;
};

const PREFIX = "data:application/json;base64,";

/** A new pair. `keep` is the key set before it: tokens of its latest key stay good. */
export async function makeKeyPair(keep?: string): Promise<KeyPair> {
  const pair = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const named = { alg: "RS256", use: "sig", kid: randomUUID() };
  const kept = keep === undefined ? [] : [latestKey(keep)];
  const keySet = { keys: [...kept, { ...pair.publicKey.export({ format: "jwk" }), ...named }] };
  return {
    privateJwk: JSON.stringify({ ...pair.privateKey.export({ format: "jwk" }), ...named }),
    jwks: `${PREFIX}${Buffer.from(JSON.stringify(keySet)).toString("base64")}`,
  };
}

/** One key is kept and no more: the variable stays short, and an old key goes with the next rotation. */
function latestKey(jwks: string): object {
  const text = jwks.startsWith(PREFIX) ? jwks.slice(PREFIX.length) : "";
  const keySet: unknown = parse(Buffer.from(text, "base64").toString("utf8"));
  const keys: unknown =
    typeof keySet === "object" && keySet !== null && "keys" in keySet ? keySet.keys : null;
  const latest: unknown = Array.isArray(keys) ? keys.at(-1) : undefined;
  if (typeof latest === "object" && latest !== null && "kid" in latest && !("d" in latest)) {
    return latest;
  }
  throw usageError(`--keep takes the value of AUTH_USER_JWKS or AUTH_EXECUTOR_JWKS: ${PREFIX}…`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

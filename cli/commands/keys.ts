/** `fondation keys new`: a new signing key, printed as deployment variables. */
import { usageError } from "../errors.js";
import type { Output } from "../output.js";
import { makeKeyPair } from "../signingKeys.js";

export type KeysOptions = { of: string; keep?: string };

/** Prints what `npx convex env set` reads from its standard input; the private half is nowhere else. */
export async function keysNew({ of, keep }: KeysOptions, output: Output): Promise<void> {
  if (of !== "user" && of !== "executor") {
    throw usageError(`--of is "${of}"; it must be user or executor.`);
  }
  const { privateJwk, jwks } = await makeKeyPair(keep);
  const name = `AUTH_${of.toUpperCase()}`;
  output.data(`${name}_PRIVATE_JWK='${privateJwk}'\n${name}_JWKS='${jwks}'`);
}

/** Assertions of executors, as an executor signs them and as others forge them. */
import { toBase64Url } from "../../convex/lib/crypto.js";
import { ASSERTION_AUDIENCE } from "../../convex/protocol/limits.js";
import { START } from "./world.js";

export const encode = (value: unknown) =>
  toBase64Url(new TextEncoder().encode(JSON.stringify(value)));
/** A fresh Ed25519 key: its public half, and signatures by it. */
export async function signer() {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("not a pair");
  const { x } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  if (x === undefined) throw new Error("no public half");
  const sign = async (claims: object, head: object = { alg: "EdDSA" }) => {
    const input = `${encode(head)}.${encode(claims)}`;
    const bytes = new TextEncoder().encode(input);
    const signature = await crypto.subtle.sign("Ed25519", pair.privateKey, bytes);
    return `${input}.${toBase64Url(new Uint8Array(signature))}`;
  };
  return { x, sign };
}
/** Claims of a good assertion at START, but for `part`. */
export const claimsOf = (executorId: string, part: object = {}) => ({
  iss: executorId,
  sub: executorId,
  aud: ASSERTION_AUDIENCE,
  iat: START / 1000,
  exp: START / 1000 + 60,
  jti: "0123456789abcdef",
  boot: "boot-1",
  bootAt: START,
  ...part,
});

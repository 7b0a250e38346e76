import type { Doc } from "../_generated/dataModel.js";
import * as Clock from "../lib/clock.js";
import { signJwt } from "../lib/crypto.js";
import * as Env from "../lib/env.js";
import { AUDIENCE, issuer } from "../lib/functions.js";
import { ACCESS_TOKEN_MS } from "../protocol/limits.js";

/** An access token of a person, made from a session or an API key, which it does not outlive. */
export async function grant(
  of: { sid: Doc<"sessions"> } | { key: Doc<"apiKeys"> },
): Promise<{ accessToken: string; expiresAt: number }> {
  const now = Clock.now();
  const row = "sid" in of ? of.sid : of.key;
  const iat = Math.floor(now / 1000);
  const exp = Math.floor(Math.min(now + ACCESS_TOKEN_MS, row.expiresAt) / 1000);
  const from = "sid" in of ? { sid: of.sid._id } : { key: of.key._id };
  const claims = { iss: issuer("user"), aud: AUDIENCE, sub: row.userId, ...from, iat, exp };
  const accessToken = await signJwt(claims, Env.get("AUTH_USER_PRIVATE_JWK"));
  return { accessToken, expiresAt: exp * 1000 };
}

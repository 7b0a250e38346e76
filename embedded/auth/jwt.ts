/** Checks a user's JWT against the configured providers and makes the identity functions see. */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from "jose";
import type { JSONValue } from "convex/values";
import type { Claims, Identity } from "../functions/types.js";
import { loadKeySet } from "./keySet.js";
import { type OidcKeys, withStandardNames } from "./oidc.js";
import { findProvider, isCustomJwt, type CustomJwtProvider, type Provider } from "./providers.js";

/** How far clocks may disagree, in seconds. */
export const LEEWAY_S = 5;

/** Why a caller is not let in; `code` and `status` are what the HTTP API answers. */
export class AuthFailure extends Error {
  override name = "AuthFailure";
  readonly code: "NoAuthProvider" | "InvalidAuthHeader" | "Unauthenticated" | "BadAdminKey";
  readonly status: 401 | 403;
  constructor(code: AuthFailure["code"], message: string) {
    super(message);
    this.code = code;
    this.status = code === "BadAdminKey" ? 403 : 401;
  }
}

const unauthenticated = (why: string) =>
  new AuthFailure("Unauthenticated", `Could not verify token: ${why}`);

/** The identity a token proves. Throws AuthFailure, never anything else the token could cause. */
export async function verifyToken(
  token: string,
  options: { providers: readonly Provider[]; nowMs: number; oidcKeys: OidcKeys },
): Promise<Extract<Identity, { kind: "user" }>> {
  const provider = providerOf(token, options.providers);
  const { nowMs, oidcKeys } = options;
  const payload = await orRefused(() =>
    isCustomJwt(provider)
      ? verified(token, { provider, now: new Date(nowMs) })
      : oidcKeys.verify(token, { provider, nowMs, leewayS: LEEWAY_S }),
  );
  const claims = customClaims(payload);
  const { iss: issuer, sub: subject, exp } = payload;
  if (issuer === undefined || subject === undefined || subject === "" || exp === undefined) {
    throw unauthenticated("iss, sub and exp are required");
  }
  if (payload.iat !== undefined && payload.iat > options.nowMs / 1000 + LEEWAY_S) {
    throw unauthenticated("issued in the future");
  }
  return {
    kind: "user",
    claims: {
      ...(isCustomJwt(provider) ? claims : withStandardNames(claims)),
      issuer,
      subject,
      tokenIdentifier: `${issuer}|${subject}`,
    },
    expiresAtMs: exp * 1000,
  };
}

function providerOf(token: string, providers: readonly Provider[]): Provider {
  let payload: JWTPayload;
  try {
    payload = decodeJwt(token);
    if (typeof decodeProtectedHeader(token).kid !== "string") throw unauthenticated("no kid");
  } catch (error) {
    if (error instanceof AuthFailure) throw error;
    throw unauthenticated("not a JWT");
  }
  if (typeof payload.iss !== "string") throw unauthenticated("no iss");
  const audience = [payload.aud ?? []].flat();
  const provider = findProvider(providers, { issuer: payload.iss, audience });
  if (provider === null) {
    throw new AuthFailure(
      "NoAuthProvider",
      `No auth provider found matching the given token (issuer ${JSON.stringify(payload.iss)}, audience ${JSON.stringify(audience)}). ` +
        (providers.length === 0
          ? "No providers are configured; add one to convex/auth.config.ts and deploy."
          : "Check issuer and applicationID in convex/auth.config.ts."),
    );
  }
  return provider;
}

async function verified(
  token: string,
  check: { provider: CustomJwtProvider; now: Date },
): Promise<JWTPayload> {
  const { provider, now } = check;
  const { applicationID } = provider;
  const { payload } = await jwtVerify(token, await loadKeySet(provider.jwks), {
    algorithms: [provider.algorithm],
    clockTolerance: LEEWAY_S,
    currentDate: now,
    requiredClaims: ["iss", "sub", "exp"],
    ...(applicationID === null || applicationID === undefined ? {} : { audience: applicationID }),
  });
  return payload;
}

/** Whatever goes wrong with keys or token, the caller is only told that it proves nothing. */
async function orRefused(verify: () => Promise<JWTPayload>): Promise<JWTPayload> {
  try {
    return await verify();
  } catch (error) {
    if (error instanceof errors.JOSEError) throw unauthenticated(error.message);
    const reason = error instanceof Error ? error.message : String(error);
    throw unauthenticated(`the provider's key set is unusable: ${reason}`);
  }
}

/** Claims of the token itself; they never reach functions under their own names. */
const REGISTERED = new Set(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]);

function customClaims(payload: JWTPayload): Claims {
  const claims: Claims = {};
  for (const [name, value] of Object.entries(payload)) {
    // The token came out of JSON.parse, so every claim is a JSON value.
    if (!REGISTERED.has(name)) flatten(claims, { name, value: value as JSONValue });
  }
  return claims;
}

/** Objects become one claim for each leaf, named by the path with dots; arrays stay whole. */
function flatten(into: Claims, claim: { name: string; value: JSONValue }): void {
  const { name, value } = claim;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    into[name] = value;
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    flatten(into, { name: `${name}.${key}`, value: inner });
  }
}

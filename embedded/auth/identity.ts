/** Who calls: from an Authorization header, an admin key or a user's token. */
import type { JSONValue } from "convex/values";
import { z } from "zod";
import type { Claims, Identity } from "../functions/types.js";
import { adminKeyName, isSameKey } from "./adminKey.js";
import { AuthFailure, LEEWAY_S, verifyToken } from "./jwt.js";
import { OidcKeys } from "./oidc.js";
import { parseProviders } from "./providers.js";

export { AuthFailure } from "./jwt.js";

export interface Authenticator {
  /** Throws AuthFailure when the key is wrong. */
  admin(key: string, actingAs: Claims | null): Identity;
  /** Rejects with AuthFailure when the token proves nothing. */
  user(token: string): Promise<Identity>;
  /** `Convex key`, `Convex key:base64identity`, `Bearer JWT`; no header is nobody. */
  fromHeader(header: string | undefined): Promise<{ identity: Identity; token: string | null }>;
}

/** Whether a user's token has run out; other identities never do. */
export function hasExpired(identity: Identity, nowMs: number): boolean {
  if (identity.kind !== "user" || identity.expiresAtMs === null) return false;
  return nowMs > identity.expiresAtMs + LEEWAY_S * 1000;
}

export const isAdmin = (identity: Identity): boolean => identity.kind === "admin";

const claimsForm = z.record(
  z.string(),
  z.custom<JSONValue>((value) => value !== undefined),
);

export function createAuthenticator(options: {
  adminKey: string;
  /** `providers` of the running deployment's auth.config.ts; asked at each authentication. */
  providers: () => readonly JSONValue[];
  nowMs: () => number;
}): Authenticator {
  const oidcKeys = new OidcKeys();
  const admin = (key: string, actingAs: Claims | null): Identity => {
    if (!isSameKey(key, options.adminKey)) {
      throw new AuthFailure("BadAdminKey", "The provided admin key was invalid for this instance");
    }
    return {
      kind: "admin",
      name: adminKeyName(key),
      actingAs: actingAs === null ? null : withTokenIdentifier(actingAs),
    };
  };
  const user = async (token: string): Promise<Identity> =>
    verifyToken(token, {
      providers: parseProviders(options.providers()),
      nowMs: options.nowMs(),
      oidcKeys,
    });
  return {
    admin,
    user,
    fromHeader: async (header) => {
      if (header === undefined) return { identity: { kind: "none" }, token: null };
      const [scheme, credentials] = splitHeader(header);
      if (scheme === "bearer") return { identity: await user(credentials), token: credentials };
      if (scheme !== "convex") throw badHeader("the scheme must be Bearer or Convex");
      const { key, actingAs } = splitAdminCredentials(credentials);
      return { identity: admin(key, actingAs), token: null };
    },
  };
}

const badHeader = (why: string) =>
  new AuthFailure("InvalidAuthHeader", `Invalid Authorization header: ${why}`);

function splitHeader(header: string): [string, string] {
  const space = header.indexOf(" ");
  if (space < 0) throw badHeader("it must hold a scheme and credentials");
  return [header.slice(0, space).toLowerCase(), header.slice(space + 1).trim()];
}

/** The key holds no colon, so what follows the first one is the identity to act as. */
function splitAdminCredentials(credentials: string): { key: string; actingAs: Claims | null } {
  const colon = credentials.indexOf(":");
  if (colon < 0) return { key: credentials, actingAs: null };
  let identity: unknown;
  try {
    identity = JSON.parse(Buffer.from(credentials.slice(colon + 1), "base64").toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw badHeader("the identity to act as is not base64 of JSON");
  }
  const parsed = claimsForm.safeParse(identity);
  if (!parsed.success) throw badHeader("the identity to act as is not an object");
  return { key: credentials.slice(0, colon), actingAs: parsed.data };
}

function withTokenIdentifier(claims: Claims): Claims {
  if (claims["tokenIdentifier"] !== undefined) return claims;
  const text = (name: string) => {
    const value = claims[name];
    return typeof value === "string" ? value : "";
  };
  return { ...claims, tokenIdentifier: `${text("issuer")}|${text("subject")}` };
}

/**
 * OpenID Connect: a provider's keys by discovery, and its claims under the names functions know.
 * What was fetched is kept for a while; a token with a key not in there makes it be fetched anew.
 */
import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
import { z } from "zod";
import type { JSONValue } from "convex/values";
import type { Claims } from "../functions/types.js";
import { fetchJson, keySetForm } from "./keySet.js";
import { isSameIssuer, issuerUrl, type OidcProvider } from "./providers.js";

const ALGORITHMS = ["RS256", "EdDSA"];
const KEPT_MS = 60_000;
/** Providers whose keys are kept; the oldest give way. */
const KEPT_MAX = 32;

type KeySet = ReturnType<typeof createLocalJWKSet>;
const discovery = z.looseObject({ issuer: z.string(), jwks_uri: z.url() });

export class OidcKeys {
  readonly #kept = new Map<string, { keys: KeySet; untilMs: number }>();

  /** Rejects when the token is not the provider's, or the provider cannot be asked. */
  async verify(
    token: string,
    check: { provider: OidcProvider; nowMs: number; leewayS: number },
  ): Promise<JWTPayload> {
    const { provider, nowMs, leewayS } = check;
    const verifyWith = async (keys: KeySet): Promise<JWTPayload> => {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        audience: provider.applicationID,
        clockTolerance: leewayS,
        currentDate: new Date(nowMs),
        requiredClaims: ["iss", "sub", "aud", "exp"],
      });
      return payload;
    };
    const kept = this.#kept.get(provider.domain);
    if (kept !== undefined && kept.untilMs > nowMs) {
      try {
        return await verifyWith(kept.keys);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
    }
    return await verifyWith(await this.#fetch(provider.domain, nowMs));
  }

  async #fetch(domain: string, nowMs: number): Promise<KeySet> {
    const url = `${issuerUrl(domain)}/.well-known/openid-configuration`;
    const { issuer, jwks_uri } = discovery.parse(await fetchJson(url));
    if (!isSameIssuer(issuer, domain)) {
      throw new Error(`the provider ${domain} says that it is ${issuer}`);
    }
    const keys = createLocalJWKSet(keySetForm.parse(await fetchJson(jwks_uri)));
    this.#kept.delete(domain);
    this.#kept.set(domain, { keys, untilMs: nowMs + KEPT_MS });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return keys;
  }
}

/** Standard claims, by the names of UserIdentity in convex/server. */
const NAMES = new Map([
  ["given_name", "givenName"],
  ["family_name", "familyName"],
  ["preferred_username", "preferredUsername"],
  ["profile", "profileUrl"],
  ["picture", "pictureUrl"],
  ["email_verified", "emailVerified"],
  ["birthdate", "birthday"],
  ["zoneinfo", "timezone"],
  ["locale", "language"],
  ["phone_number", "phoneNumber"],
  ["phone_number_verified", "phoneNumberVerified"],
  ["updated_at", "updatedAt"],
]);

export const withStandardNames = (claims: Claims): Claims =>
  Object.fromEntries(
    Object.entries(claims).map(([name, value]): [string, JSONValue] => [
      NAMES.get(name) ?? name,
      // Text for functions, a number of seconds in tokens.
      name === "updated_at" && typeof value === "number" ? String(value) : value,
    ]),
  );

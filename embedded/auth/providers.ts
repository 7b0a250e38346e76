/** Identity providers as auth.config.ts names them, and which one a token belongs to. */
import type { JSONValue } from "convex/values";
import { z } from "zod";

const customJwt = z.object({
  type: z.literal("customJwt"),
  issuer: z.string().min(1),
  jwks: z.string().min(1),
  algorithm: z.enum(["RS256", "ES256"]),
  applicationID: z.string().nullish(),
});
const oidc = z.object({ domain: z.string().min(1), applicationID: z.string() });

export type CustomJwtProvider = z.output<typeof customJwt>;
export type OidcProvider = z.output<typeof oidc>;
export type Provider = CustomJwtProvider | OidcProvider;

export const isCustomJwt = (provider: Provider): provider is CustomJwtProvider =>
  "type" in provider;

/** Reads `providers` of auth.config.ts. Throws with the position of the first malformed one. */
export function parseProviders(raw: readonly JSONValue[]): Provider[] {
  return raw.map((entry, position) => {
    const isCustom = z.object({ type: z.string() }).safeParse(entry).success;
    const parsed = isCustom ? customJwt.safeParse(entry) : oidc.safeParse(entry);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new Error(
      `auth provider ${position} of auth.config.ts is malformed at ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
    );
  });
}

export const isSameIssuer = (a: string, b: string): boolean => issuerUrl(a) === issuerUrl(b);

/** Issuers are compared without a trailing slash and with https:// where no scheme is given. */
export function issuerUrl(issuer: string): string {
  const withScheme = /^https?:\/\//.test(issuer) ? issuer : `https://${issuer}`;
  return withScheme.replace(/\/$/, "");
}

/** The provider a token is for, by its unverified issuer and audience; null when there is none. */
export function findProvider(
  providers: readonly Provider[],
  token: { issuer: string; audience: readonly string[] },
): Provider | null {
  const isMatch = (provider: Provider): boolean => {
    const own = isCustomJwt(provider) ? provider.issuer : provider.domain;
    if (!isSameIssuer(own, token.issuer)) return false;
    const id = provider.applicationID ?? null;
    return id === null || token.audience.includes(id);
  };
  return providers.find(isMatch) ?? null;
}

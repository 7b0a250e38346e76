/** Who calls in a test: the user and the address that `withIdentity` and `withRequestMetadata` set. */
import type { RequestMetadata, UserIdentity } from "convex/server";
import { convexToJson, type JSONValue } from "convex/values";
import type { Claims, Identity } from "../functions/types.js";
import type { Caller } from "./backend.js";

export type Address = Pick<RequestMetadata, "ip" | "userAgent">;
export type TestUser = { identity: Identity; token: string | null };

export const NOBODY: TestUser = { identity: { kind: "none" }, token: null };
export const NOWHERE: Address = { ip: null, userAgent: null };

/** Counted, not random: an id must not use up randomness that a test has prepared. */
let requests = 0;

export function callerOf(user: TestUser, address: Address): Caller {
  requests += 1;
  const requestId = `test-request-${requests}`;
  return {
    identity: user.identity,
    request: { ...address, requestId, authToken: user.token },
    scheduledFunctionId: null,
  };
}

/** A scheduled function is a request of its own, by nobody. */
export const scheduledCaller = (scheduledFunctionId: string): Caller => ({
  ...callerOf(NOBODY, NOWHERE),
  scheduledFunctionId,
});

/** What identifies the user is made up from the rest where it is left out. */
export function userOf(given: Partial<UserIdentity>): TestUser {
  const issuer = given.issuer ?? "https://convex.test";
  const subject = given.subject ?? String(hash(JSON.stringify(given)));
  const tokenIdentifier = given.tokenIdentifier ?? `${issuer}|${subject}`;
  const whole = { ...given, issuer, subject, tokenIdentifier };
  // An object of values gives a JSON object; what is undefined is left out.
  const claims = convexToJson(whole) as Claims;
  return {
    identity: { kind: "user", claims, expiresAtMs: null },
    token: unsignedToken({ ...whole, tokenIdentifier: undefined }),
  };
}

/** Names of claims where they differ from those of the attributes; the others are the same. */
const CLAIMS: Readonly<Record<string, string>> = {
  subject: "sub",
  issuer: "iss",
  givenName: "given_name",
  familyName: "family_name",
  preferredUsername: "preferred_username",
  profileUrl: "profile",
  pictureUrl: "picture",
  emailVerified: "email_verified",
  birthday: "birthdate",
  timezone: "zoneinfo",
  language: "locale",
  phoneNumber: "phone_number",
  phoneNumberVerified: "phone_number_verified",
  updatedAt: "updated_at",
};

/** A token as an identity provider gives it, but for the signature. */
function unsignedToken(identity: Record<string, unknown>): string {
  const named = Object.entries(identity).map(([name, value]) => [CLAIMS[name] ?? name, value]);
  const part = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url");
  return `${part({ alg: "none", typ: "JWT" })}.${part(Object.fromEntries(named) as JSONValue)}.`;
}

function hash(text: string): number {
  let sum = 0;
  for (const character of text) sum = (Math.imul(sum, 31) + (character.codePointAt(0) ?? 0)) | 0;
  return sum;
}

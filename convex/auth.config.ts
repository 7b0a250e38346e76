import type { AuthConfig } from "convex/server";

declare const process: { env: Record<string, string> };

/** Audience of every token of ours; lib/functions.ts signs for it. */
const applicationID = "fondation";

/** Two issuers with a key each: turning the keys of people over touches no executor. */
export default {
  providers: [
    {
      type: "customJwt",
      applicationID,
      issuer: `${process.env["AUTH_ISSUER"]}/user`,
      jwks: process.env["AUTH_USER_JWKS"] ?? "",
      algorithm: "RS256",
    },
    {
      type: "customJwt",
      applicationID,
      issuer: `${process.env["AUTH_ISSUER"]}/executor`,
      jwks: process.env["AUTH_EXECUTOR_JWKS"] ?? "",
      algorithm: "RS256",
    },
  ],
} satisfies AuthConfig;

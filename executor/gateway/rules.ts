import type { IncomingHttpHeaders } from "node:http";
import type { Credential } from "./credential.js";

/** What the gateway lets through, and how it looks on the other side. Pure. */

/** Marks a bearer token as that of a login; without it the API refuses such a token (CLI 2.1.197). */
const OAUTH_BETA = "oauth-2025-04-20";

/** The two calls that the CLI makes of the model API; anything else is not forwarded. */
const FORWARDED = /^\/v1\/messages(?:\/count_tokens)?(?:\?[^#\s]*)?$/;

/** Belong to one connection (RFC 9110, 7.6.1), to the login, or to nobody behind a gateway. */
const NOT_FORWARDED = new Set([
  ...["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"],
  ...["proxy-authorization", "proxy-authenticate", "proxy-connection", "forwarded", "via"],
  ...["authorization", "x-api-key", "cookie", "set-cookie", "host"],
]);

/** Whether a request is one that the CLI needs. */
export function isForwarded(method: string | undefined, url: string | undefined): boolean {
  return method === "POST" && FORWARDED.test(url ?? "");
}

/** The token that a request shows, in whichever header its login goes. */
export function shownToken(headers: IncomingHttpHeaders): string {
  const key = headers["x-api-key"];
  if (typeof key === "string") return key;
  return /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
}

/** The request's headers with the real credential in the place of the run's token. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  kind: Credential["kind"],
  secret: string,
): Record<string, string | string[]> {
  const forwarded = withoutOwn(headers);
  if (kind === "apiKey") return { ...forwarded, "x-api-key": secret };
  const betas = [headers["anthropic-beta"] ?? []].flat().flatMap((value) => value.split(","));
  const named = new Set([...betas.map((beta) => beta.trim()), OAUTH_BETA].filter((b) => b !== ""));
  return {
    ...forwarded,
    authorization: `Bearer ${secret}`,
    "anthropic-beta": [...named].join(","),
  };
}

/** The answer's headers: those of limits and retries must arrive as they are. */
export function withoutOwn(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !NOT_FORWARDED.has(name)) kept[name] = value;
  }
  return kept;
}

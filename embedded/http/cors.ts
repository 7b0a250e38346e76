/** CORS of the cloud origin: any page may call, because authority comes from tokens, not cookies. */
import type { IncomingMessage, ServerResponse } from "node:http";

const METHODS = "GET, POST, OPTIONS, PATCH, DELETE, PUT";
const MAX_AGE_S = "86400";

export function addCors(incoming: IncomingMessage, response: ServerResponse): void {
  const { origin } = incoming.headers;
  if (origin === undefined) return;
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("vary", "origin");
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("access-control-allow-methods", METHODS);
  response.setHeader("access-control-max-age", MAX_AGE_S);
  const asked = incoming.headers["access-control-request-headers"];
  if (asked !== undefined) response.setHeader("access-control-allow-headers", asked);
}

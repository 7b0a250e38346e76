/** Key sets of customJwt: from a data URI (nothing is fetched) or from a URL (fetched each time). */
import { createLocalJWKSet, type JWTVerifyGetKey } from "jose";
import { z } from "zod";

const FETCH_TIMEOUT_MS = 5_000;
const KEY_SET_BYTES_MAX = 1024 * 1024;
const DATA_URI = /^data:([^,]*),(.*)$/s;

export const keySetForm = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** Resolves the key a token names. Throws when the set cannot be had or read. */
export async function loadKeySet(location: string): Promise<JWTVerifyGetKey> {
  const text = location.startsWith("data:") ? fromDataUri(location) : await fetchText(location);
  return createLocalJWKSet(keySetForm.parse(JSON.parse(text)));
}

function fromDataUri(uri: string): string {
  const match = DATA_URI.exec(uri);
  const [, media = "", data = ""] = match ?? [];
  if (match === null) throw new Error("the key set is not a data URI");
  return media.endsWith(";base64")
    ? Buffer.from(data, "base64").toString("utf8")
    : decodeURIComponent(data);
}

/** Rejects when it does not answer in time, or not with JSON of a bounded length. */
export async function fetchJson(url: string): Promise<unknown> {
  return JSON.parse(await fetchText(url)) as unknown;
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the key set answered ${response.status}`);
  if (!/\bjson\b/.test(response.headers.get("content-type") ?? "")) {
    throw new Error("the key set is not served as JSON");
  }
  const text = await response.text();
  if (text.length > KEY_SET_BYTES_MAX) throw new Error("the key set is longer than 1 MiB");
  return text;
}

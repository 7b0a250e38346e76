/**
 * WebCrypto primitives under the product's rules. Nothing here decides who may do what. Generating
 * keys is left to who installs: the runtime of mutations cannot.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const PBKDF2_ITERATIONS = 210_000;
/** Upper bound of what a stored hash may ask for, so that a bad row cannot stall an action. */
const PBKDF2_ITERATIONS_MAX = 2_000_000;
const PASSWORD_SALT_BYTES = 16;
const PASSWORD_HASH_BITS = 512;
const TOKEN_BYTES = 32;
/** A compact JWS of ours is a few hundred characters. */
const JWS_CHARS_MAX = 2_048;

export type Claims = Record<string, string | number>;

/** Base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Inverse of toBase64Url; null for text that is not base64url. */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return null;
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** A secret of 256 bits that only its holder knows; keep its `hashToken` alone. */
export function makeToken(prefix: string): string {
  return prefix + toBase64Url(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)));
}

/** SHA-256 of a token of full entropy: enough to look it up, useless to who reads the table. */
export async function hashToken(token: string): Promise<string> {
  return toBase64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(token))));
}

/** HMAC with SHA-256 of a text under a secret text, in hexadecimal. */
export async function hmacSha256Hex(secret: string, text: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
  ]);
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Equality that takes the same time wherever the texts differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i += 1) {
    difference |= a.charCodeAt(i) ^ (i < b.length ? b.charCodeAt(i) : 0);
  }
  return difference === 0;
}

/** A random UUID, version 4, from the generator that mutations have too. */
export function makeUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/** `pbkdf2-sha512$iterations$salt$hash`. Takes some 0.2 s: for actions, not for mutations. */
export async function hashPassword(password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(PASSWORD_SALT_BYTES));
  return encodePassword(password, salt, PBKDF2_ITERATIONS);
}

/** Derives the hash again with the parameters of a stored one; compare with equalInConstantTime. */
export async function rehashPassword(password: string, stored: string): Promise<string> {
  const [scheme, iterations, salt] = stored.split("$");
  const count = Number(iterations);
  const bytes = fromBase64Url(salt ?? "");
  if (
    scheme !== "pbkdf2-sha512" ||
    bytes === null ||
    !(count >= 1 && count <= PBKDF2_ITERATIONS_MAX)
  ) {
    throw new Error("A stored password hash is not of a known form");
  }
  return encodePassword(password, bytes, count);
}

async function encodePassword(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<string> {
  const secret = encoder.encode(password.normalize("NFKC"));
  const key = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-512", salt, iterations },
    key,
    PASSWORD_HASH_BITS,
  );
  return `pbkdf2-sha512$${iterations}$${toBase64Url(salt)}$${toBase64Url(new Uint8Array(bits))}`;
}

/** Signs claims as a compact JWS with an RS256 private key given as JWK text with a `kid`. */
export async function signJwt(claims: Claims, privateJwk: string): Promise<string> {
  // What is not a JWK is refused by importKey; kid is ours to check.
  const jwk = JSON.parse(privateJwk) as JsonWebKey & { kid?: unknown };
  if (typeof jwk.kid !== "string") throw new Error("The signing key is not a JWK with a kid");
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
  const head = encodeJson({ alg: "RS256", typ: "JWT", kid: jwk.kid });
  const input = `${head}.${encodeJson(claims)}`;
  const signature = await crypto.subtle.sign(algorithm.name, key, encoder.encode(input));
  return `${input}.${toBase64Url(new Uint8Array(signature))}`;
}

/**
 * Claims of a compact JWS signed with EdDSA by the given Ed25519 public key; null when anything about
 * it is wrong. The algorithm is ours to fix, never the sender's to choose.
 */
export async function verifyEdDsa(
  jws: string,
  publicKeyX: string,
): Promise<Record<string, unknown> | null> {
  if (jws.length > JWS_CHARS_MAX) return null;
  const [head, payload, signature, ...rest] = jws.split(".");
  if (head === undefined || payload === undefined || signature === undefined || rest.length > 0)
    return null;
  if (decodeJson(head)?.["alg"] !== "EdDSA") return null;
  const bytes = fromBase64Url(signature);
  const raw = fromBase64Url(publicKeyX);
  if (bytes?.length !== 64 || raw?.length !== 32) return null;
  const jwk = { kty: "OKP", crv: "Ed25519", x: publicKeyX };
  const key = await crypto.subtle.importKey("jwk", jwk, { name: "Ed25519" }, false, ["verify"]);
  const input = encoder.encode(`${head}.${payload}`);
  const isGood = await crypto.subtle.verify("Ed25519", key, bytes, input);
  return isGood ? decodeJson(payload) : null;
}

function encodeJson(value: unknown): string {
  return toBase64Url(encoder.encode(JSON.stringify(value)));
}

function decodeJson(part: string): Record<string, unknown> | null {
  const bytes = fromBase64Url(part);
  if (bytes === null) return null;
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    // An object that JSON.parse made has string keys and nothing but plain values.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * Sealed boxes: what is secret and has to be kept. `v1.<kid>.<iv>.<ciphertext>`, AES-256-GCM, the
 * parts in base64url. A box is bound to its place, so that it opens nowhere else. The keys live in
 * the deployment's variables: who reads the tables alone reads nothing.
 */
import { fromBase64Url, toBase64Url } from "./crypto.js";
import { SECRET_CHARS_MAX } from "../protocol/limits.js";
import * as Env from "./env.js";

/** Where a box is kept. It opens for the same table and owner alone. */
export type Place = { table: string; owner: string };

/** A box in its row, as those who keep boxes hand it out to be sealed again. `name` is for people. */
export type Kept = { id: string; place: Place; name: string; box: string };
export type PageOptions = { numItems: number; cursor: string | null };
export type Page = { page: Kept[]; next: string | null };
/** A box that takes the place of the one it was made from. */
export type Swap = { id: string; from: string; to: string };

/** A box or a key ring that is of no use. The message names neither a key nor what is in the box. */
export class BoxError extends Error {
  override name = "BoxError";
}

type KeyRing = { keys: ReadonlyMap<string, Uint8Array<ArrayBuffer>>; current: string };

const VERSION = "v1";
const KEY_BYTES = 32;
/** What GCM takes as it is; random ones are safe for 2^32 boxes of a key (NIST SP 800-38D, 8.3). */
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Old keys stay in the ring only until everything is sealed again. */
const KEYS_MAX = 16;
/** Characters of the box of such a secret at four bytes a character, and its other parts. */
const BOX_CHARS_MAX = SECRET_CHARS_MAX * 6;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Seals a text of at most SECRET_CHARS_MAX characters with the current key. */
export async function seal(plain: string, place: Place): Promise<string> {
  if (plain.length > SECRET_CHARS_MAX) {
    throw new BoxError(`A secret may have at most ${SECRET_CHARS_MAX} characters.`);
  }
  const { keys, current } = readRing();
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await importKey(keys, current);
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv, additionalData: bind(place) },
    key,
    encoder.encode(plain),
  );
  return [VERSION, current, toBase64Url(iv), toBase64Url(new Uint8Array(sealed))].join(".");
}

/** What is in a box; throws BoxError for one that is damaged, from elsewhere, or of a key unknown here. */
export async function open(box: string, place: Place): Promise<string> {
  const { kid, iv, sealed } = parse(box);
  const key = await importKey(readRing().keys, kid);
  const opened = await crypto.subtle
    .decrypt({ name: "AES-GCM", iv, additionalData: bind(place) }, key, sealed)
    .catch((error: unknown) => {
      throw new BoxError(
        `A box in ${place.table} does not open: it was changed, moved, or sealed with another key of this name.`,
        { cause: error },
      );
    });
  return decoder.decode(opened);
}

/** Whether a box is sealed with the current key. */
export function isCurrent(box: string): boolean {
  return parse(box).kid === readRing().current;
}

function parse(box: string) {
  const [version, kid, iv, sealed, ...rest] = box.length > BOX_CHARS_MAX ? [] : box.split(".");
  const ivBytes = fromBase64Url(iv ?? "");
  const sealedBytes = fromBase64Url(sealed ?? "");
  const isWhole =
    version === VERSION &&
    kid !== undefined &&
    rest.length === 0 &&
    ivBytes?.length === IV_BYTES &&
    sealedBytes !== null &&
    sealedBytes.length >= TAG_BYTES;
  if (!isWhole) throw new BoxError(`A box is not of the form ${VERSION}.<kid>.<iv>.<ciphertext>.`);
  return { kid, iv: ivBytes, sealed: sealedBytes };
}

/** A table has no colon in its name: no two places have the same text. */
function bind({ table, owner }: Place): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encoder.encode(`${table}:${owner}`));
}

/** Reads SECRETS_KEYS (`kid:base64url of 32 bytes`, comma list) and SECRETS_CURRENT (a kid of them). */
function readRing(): KeyRing {
  const keys = new Map<string, Uint8Array<ArrayBuffer>>();
  const items = Env.get("SECRETS_KEYS").split(",");
  if (items.length > KEYS_MAX) throw new BoxError(`SECRETS_KEYS has more than ${KEYS_MAX} keys.`);
  for (const [index, item] of items.entries()) {
    const [, kid, text] = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]+)$/.exec(item.trim()) ?? [];
    const bytes = fromBase64Url(text ?? "");
    if (kid === undefined || bytes?.length !== KEY_BYTES || keys.has(kid)) {
      // By number: the item may be a key without its name.
      throw new BoxError(
        `Item ${index + 1} of SECRETS_KEYS is not <kid>:<base64url of ${KEY_BYTES} bytes>, each kid once.`,
      );
    }
    keys.set(kid, bytes);
  }
  const current = Env.get("SECRETS_CURRENT");
  if (!keys.has(current)) {
    throw new BoxError(`SECRETS_CURRENT names the key "${current}", which SECRETS_KEYS has not.`);
  }
  return { keys, current };
}

async function importKey(keys: KeyRing["keys"], kid: string): Promise<CryptoKey> {
  const bytes = keys.get(kid);
  if (bytes === undefined) {
    throw new BoxError(
      `A box is sealed with the key "${kid}", which SECRETS_KEYS has not: put it back until everything is sealed again.`,
    );
  }
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

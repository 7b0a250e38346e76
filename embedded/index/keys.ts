/**
 * Index keys: an encoding of values under which comparing the bytes is comparing the values.
 * A key is held as a string of characters 0-255 (one byte each), because strings of that kind are
 * compact, hashable, and ordered bytewise by `<`. Nobody outside the backend ever sees one.
 */
import { CommitTsPlaceholder, type Value } from "convex/values";

const TAG = {
  undefined: "\x01",
  null: "\x03",
  int64: "\x08",
  float64: "\x0d",
  false: "\x0e",
  true: "\x0f",
  string: "\x10",
  bytes: "\x11",
  array: "\x12",
  object: "\x15",
} as const;
const END = "\0";
/** Above every tag, below the 0xff that continues an escaped zero byte: closes a prefix range. */
const ABOVE_ALL_TAGS = "\x20";
const INT64_MAX = 2n ** 63n - 1n;
const SIGN_BIT = 1n << 63n;
// Every character is a plain one: UTF-8 is the text itself and nothing has to be escaped.
const PLAIN = /^[\x01-\x7f]*$/;

const eightBytes = Buffer.alloc(8);

/** The bytes of one value; no encoding is a proper prefix of another one plus a following tag. */
export function encodeKey(value: Value | undefined): string {
  if (value === undefined) return TAG.undefined;
  if (value === null) return TAG.null;
  if (typeof value === "string") return TAG.string + encodeString(value);
  if (typeof value === "number") return TAG.float64 + encodeFloat64(value);
  if (typeof value === "bigint") return TAG.int64 + encodeInt64(value);
  if (typeof value === "boolean") return value ? TAG.true : TAG.false;
  return encodeComposite(value);
}

/** The least key above every key that begins with the encodings in `prefix`. */
export const prefixEnd = (prefix: string): string => prefix + ABOVE_ALL_TAGS;

function encodeComposite(
  value: ArrayBuffer | Value[] | CommitTsPlaceholder | Record<string, Value | undefined>,
): string {
  if (value instanceof ArrayBuffer) {
    return TAG.bytes + escapeZeros(Buffer.from(value).toString("latin1")) + END;
  }
  if (Array.isArray(value)) return TAG.array + value.map(encodeKey).join("") + END;
  // Resolved at commit; until then it sorts after every other int64.
  if (value instanceof CommitTsPlaceholder) return TAG.int64 + encodeInt64(INT64_MAX);
  const names = Object.keys(value).sort();
  return TAG.object + names.map((name) => encodeKey(name) + encodeKey(value[name])).join("") + END;
}

function encodeString(text: string): string {
  if (PLAIN.test(text)) return text + END;
  return escapeZeros(Buffer.from(text, "utf8").toString("latin1")) + END;
}

const escapeZeros = (bytes: string): string =>
  bytes.includes("\0") ? bytes.replaceAll("\0", "\0\xff") : bytes;

function encodeInt64(value: bigint): string {
  eightBytes.writeBigUInt64BE(BigInt.asUintN(64, value) ^ SIGN_BIT);
  return eightBytes.toString("latin1");
}

/** IEEE total order: negative numbers are inverted, others get the sign bit set. */
function encodeFloat64(value: number): string {
  eightBytes.writeDoubleBE(value);
  const first = eightBytes[0] ?? 0;
  if (first < 0x80) {
    eightBytes[0] = first | 0x80;
  } else {
    for (let at = 0; at < 8; at += 1) eightBytes[at] = ~(eightBytes[at] ?? 0) & 0xff;
  }
  return eightBytes.toString("latin1");
}

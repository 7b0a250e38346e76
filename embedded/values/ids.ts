/**
 * Document ids: base 32 of varint(table number), 16 random bytes, 2 bytes of checksum. The layout
 * is Convex's own, so that ids survive an export to, or an import from, a real deployment.
 */
import { randomFillSync } from "node:crypto";
import { decodeBase32, encodeBase32 } from "./base32.js";

export const ID_RANDOM_BYTES = 16;
const CHECKSUM_BYTES = 2;
/** A table number is 32 bits: at most five groups of seven. */
const VARINT_BYTES_MAX = 5;
const ID_CHARS_MIN = 31;
const ID_CHARS_MAX = 37;
/** Random bytes are drawn from the kernel in blocks, ids are made one at a time. */
const pool = new Uint8Array(ID_RANDOM_BYTES * 256);
let poolAt = pool.length;

export function newId(tableNumber: number): string {
  return encodeId(tableNumber, kernelIdBytes());
}

/** The random part of an id; valid until the next call. */
export function kernelIdBytes(): Uint8Array {
  if (poolAt === pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const random = pool.subarray(poolAt, poolAt + ID_RANDOM_BYTES);
  poolAt += ID_RANDOM_BYTES;
  return random;
}

export function encodeId(tableNumber: number, random: Uint8Array): string {
  const prefix = varint(tableNumber);
  const bytes = new Uint8Array(prefix.length + ID_RANDOM_BYTES + CHECKSUM_BYTES);
  bytes.set(prefix);
  bytes.set(random, prefix.length);
  const body = prefix.length + ID_RANDOM_BYTES;
  const [low, high] = fletcher16(bytes.subarray(0, body));
  bytes[body] = low;
  bytes[body + 1] = high;
  return encodeBase32(bytes);
}

/** The table number of an id, or null when the text is not one. */
export function tableNumberOf(id: string): number | null {
  if (id.length < ID_CHARS_MIN || id.length > ID_CHARS_MAX) return null;
  const bytes = decodeBase32(id);
  if (bytes === null) return null;
  const body = bytes.length - CHECKSUM_BYTES;
  const [low, high] = fletcher16(bytes.subarray(0, body));
  if (bytes[body] !== low || bytes[body + 1] !== high) return null;
  return readVarint(bytes.subarray(0, body - ID_RANDOM_BYTES));
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

function readVarint(bytes: Uint8Array): number | null {
  if (bytes.length === 0 || bytes.length > VARINT_BYTES_MAX) return null;
  let value = 0;
  for (const [at, byte] of bytes.entries()) {
    const isLast = at === bytes.length - 1;
    if (byte >= 0x80 === isLast) return null;
    value += (byte & 0x7f) * 2 ** (7 * at);
  }
  return value;
}

function fletcher16(bytes: Uint8Array): [number, number] {
  let sum = 0;
  let sumOfSums = 0;
  for (const byte of bytes) {
    sum = (sum + byte) % FLETCHER_MODULUS;
    sumOfSums = (sumOfSums + sum) % FLETCHER_MODULUS;
  }
  return [sum, sumOfSums];
}
const FLETCHER_MODULUS = 256;

/**
 * Whether what a deployment says of a stored file (hex or base64, as its kind of deployment has it) is
 * the SHA-256 an uploader names in hex.
 */
export function isSameDigest(stored: string, hex: string): boolean {
  if (!/^[0-9a-f]{64}$/.test(hex)) return false;
  return stored.length === 64 ? stored.toLowerCase() === hex : base64ToHex(stored) === hex;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64ToHex(base64: string): string {
  let bits = "";
  for (const char of base64.replaceAll("=", "")) {
    bits += ALPHABET.indexOf(char).toString(2).padStart(6, "0");
  }
  const bytes = bits.match(/.{8}/g) ?? [];
  return bytes.map((byte) => Number.parseInt(byte, 2).toString(16).padStart(2, "0")).join("");
}

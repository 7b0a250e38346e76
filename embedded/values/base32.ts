/** Base 32 with the lower-case alphabet of Convex ids (no i, l, o, u), most significant bit first. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS = new Map(Array.from(ALPHABET, (letter, digit) => [letter, digit]));

export function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  let heldBits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    heldBits += 8;
    while (heldBits >= 5) {
      heldBits -= 5;
      text += ALPHABET.charAt((held >>> heldBits) & 31);
    }
    held &= (1 << heldBits) - 1;
  }
  return heldBits === 0 ? text : text + ALPHABET.charAt((held << (5 - heldBits)) & 31);
}

/** Null when a character or the padding bits could not come from `encodeBase32`. */
export function decodeBase32(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let held = 0;
  let heldBits = 0;
  let at = 0;
  for (const letter of text) {
    const digit = DIGITS.get(letter);
    if (digit === undefined) return null;
    held = (held << 5) | digit;
    heldBits += 5;
    if (heldBits >= 8) {
      heldBits -= 8;
      bytes[at++] = held >>> heldBits;
      held &= (1 << heldBits) - 1;
    }
  }
  return held === 0 ? bytes : null;
}

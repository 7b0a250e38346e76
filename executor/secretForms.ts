/** Shorter pieces are no secrets worth hiding and would blank ordinary words. */
const PIECE_CHARS_MIN = 8;
/** A line of a secret with several; the shortest of a key in PEM has more. */
const LINE_CHARS_MIN = 16;

/** The shapes in which a secret turns up in text that a run writes. Pure. */
export function secretForms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const json = JSON.stringify(secret).slice(1, -1);
  const inUrl = encodeURIComponent(bytes.toString());
  const hex = bytes.toString("hex");
  const forms = [
    secret,
    json,
    // JSON inside JSON, and encoders that escape slashes.
    JSON.stringify(json).slice(1, -1),
    json.replaceAll("/", "\\/"),
    inUrl,
    inUrl.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    // The bytes of a file, read one by one.
    bytes.toString("latin1"),
    ...linesOf(secret),
    hex,
    hex.toUpperCase(),
    ...base64Forms(bytes),
  ];
  return [...new Set(forms)].filter((form) => form.length >= PIECE_CHARS_MIN);
}

/** What a diff or a log shows of a secret with line ends is its lines. */
function linesOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim());
  if (lines.length === 1) return [];
  return lines.filter((line) => line.length >= LINE_CHARS_MIN && !line.startsWith("-----"));
}

/** What is stable of the secret's base64 at each of the three alignments, whatever surrounds it. */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor(((offset + bytes.length) * 8) / 6);
    const stable = encoded.slice(first, last);
    return [stable, stable.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

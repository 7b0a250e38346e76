/** Takes secrets out of text before it leaves the process. Pure. */
export interface Redactor {
  /** For text that is whole in itself. */
  text(input: string): string;
  /** For text that arrives in pieces: a secret cut in two by a piece's end is still found. */
  stream(): RedactingStream;
  /**
   * Whether bytes that arrive in pieces, as latin1 text, hold a secret that is known; what only looks
   * like one does not count.
   */
  scan(): (piece: string) => boolean;
  /**
   * Takes these out too, from streams already open as well, until the answer is called: by who
   * learned them, once nothing of them can be on its way any more.
   */
  learn(secrets: readonly string[]): () => void;
}
export interface RedactingStream {
  push(piece: string): string;
  /** What was held back; the stream may be used again. */
  end(): string;
}

export const REDACTED = "[redacted]";
/** Shorter values are no secrets worth hiding and would blank ordinary words. */
const SECRET_CHARS_MIN = 8;
/** A pattern that has not matched yet fits in this; so much is held back at least. */
const PATTERN_START_CHARS_MAX = 512;
/** A match that never ends is given up as this long: all of it is taken out. */
const HELD_CHARS_MAX = 64 * 1024;

/** Second net for secrets nobody told us of: the forms that name themselves. */
const PATTERNS = [
  /()gh[pousr]_[A-Za-z0-9]{20,}/g,
  /()github_pat_[A-Za-z0-9_]{20,}/g,
  /()sk-ant-[A-Za-z0-9_-]{16,}/g,
  /()fen_[A-Za-z0-9_-]{32,}/g,
  /()eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
  /(authorization:\s{0,4}(?:basic|bearer)\s{1,4})[A-Za-z0-9+/=._~-]{8,}/gi,
];

export function createRedactor(secrets: readonly string[]): Redactor {
  const learned = new Set<readonly string[]>();
  let rules = rulesFor(secrets);
  const renew = (): void => {
    rules = rulesFor([...secrets, ...[...learned].flat()]);
  };
  return {
    text: (input) => applyPatterns(applyNeedles(input, rules.needles)),
    stream: () => createStream(() => rules),
    scan: () => {
      let end = "";
      return (piece) => {
        const { needles, hold } = rules;
        const seen = end + piece;
        end = seen.slice(-hold);
        return needles.some((needle) => seen.includes(needle));
      };
    },
    learn: (more) => {
      // A copy of its own: two who learn the same secret forget it apart.
      const own = [...more];
      learned.add(own);
      renew();
      return () => {
        if (learned.delete(own)) renew();
      };
    },
  };
}

type Rules = { needles: readonly string[]; hold: number };

function rulesFor(secrets: readonly string[]): Rules {
  const needles = [...new Set(secrets.filter((s) => s.length >= SECRET_CHARS_MIN).flatMap(forms))];
  // The longest first: a short form inside a long one must not leave the rest of it standing.
  needles.sort((a, b) => b.length - a.length);
  const hold = Math.max(PATTERN_START_CHARS_MAX, needles[0]?.length ?? 0);
  return { needles, hold };
}

function applyNeedles(input: string, needles: readonly string[]): string {
  return needles.reduce((rest, needle) => rest.replaceAll(needle, REDACTED), input);
}
function applyPatterns(input: string): string {
  return PATTERNS.reduce((rest, pattern) => rest.replaceAll(pattern, `$1${REDACTED}`), input);
}

function createStream(current: () => Rules): RedactingStream {
  let held = "";
  return {
    push: (piece) => {
      const rules = current();
      held = applyNeedles(held + piece, rules.needles);
      const cut = held.length > HELD_CHARS_MAX ? held.length : safeCut(held, rules.hold);
      const ready = applyPatterns(held.slice(0, cut));
      held = held.slice(cut);
      return ready;
    },
    end: () => {
      const rest = applyPatterns(held);
      held = "";
      return rest;
    },
  };
}

/**
 * Where the held text may be cut so that no secret straddles the cut. Whole needles are gone from it
 * already, so an unfinished one lies in the last `hold` characters; a pattern's match that reaches
 * over the cut pulls the cut back to its start.
 */
function safeCut(held: string, hold: number): number {
  let cut = Math.max(0, held.length - hold);
  for (const pattern of PATTERNS) {
    for (const match of held.matchAll(pattern)) {
      if (match.index < cut && match.index + match[0].length > cut) cut = match.index;
    }
  }
  return cut;
}

/** The shapes in which a secret turns up in logs. */
function forms(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const hex = Buffer.from(secret).toString("hex");
  return [secret, encodeURIComponent(secret), json, hex, hex.toUpperCase(), ...base64Forms(secret)];
}

/** What is stable of the secret's base64 at each of the three alignments, whatever surrounds it. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor(((offset + bytes.length) * 8) / 6);
    const stable = encoded.slice(first, last);
    const urlSafe = stable.replaceAll("+", "-").replaceAll("/", "_");
    return stable.length < SECRET_CHARS_MIN ? [] : [stable, urlSafe];
  });
}

import { type Found, indexNeedles, type Needles } from "./needles.js";
import { secretForms } from "./secretForms.js";

/** Takes secrets out of text before it leaves the process. Pure. */
export interface Redactor {
  /** For text that is whole in itself. */
  text(input: string): string;
  /** For text that arrives in pieces: what comes out does not depend on where it was cut. */
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

/**
 * Second net, for secrets nobody told us of: forms that name themselves. Each begins as `start`, of
 * at most START_CHARS_MAX characters, and goes on for as long as `rest` does.
 */
const PATTERNS: readonly { start: string; rest: RegExp }[] = [
  { start: "gh[pousr]_[A-Za-z0-9]{20}", rest: /[A-Za-z0-9]*/y },
  { start: "github_pat_[A-Za-z0-9_]{20}", rest: /[A-Za-z0-9_]*/y },
  { start: "sk-ant-[A-Za-z0-9_-]{16}", rest: /[A-Za-z0-9_-]*/y },
  { start: "fen_[A-Za-z0-9_-]{32}", rest: /[A-Za-z0-9_-]*/y },
  {
    start: "eyJ[A-Za-z0-9_-]{10,300}\\.eyJ[A-Za-z0-9_-]{10}",
    rest: /[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*/y,
  },
  {
    // The header's name stays.
    start:
      "(?<shown>[Aa][Uu][Tt][Hh][Oo][Rr][Ii][Zz][Aa][Tt][Ii][Oo][Nn]:\\s{0,4}(?:[Bb][Aa][Ss][Ii][Cc]|[Bb][Ee][Aa][Rr][Ee][Rr])\\s{1,4})[A-Za-z0-9+/=._~-]{8}",
    rest: /[A-Za-z0-9+/=._~-]*/y,
  },
];
const START_CHARS_MAX = 512;
const ANY_PATTERN = new RegExp(PATTERNS.map(({ start }, i) => `(?<p${i}>${start})`).join("|"), "g");

export function createRedactor(secrets: readonly string[]): Redactor {
  const learned = new Set<readonly string[]>();
  let rules = rulesFor(secrets);
  const renew = (): void => {
    rules = rulesFor([...secrets, ...[...learned].flat()]);
  };
  const stream = (): RedactingStream => new Scanner(() => rules);
  return {
    text: (input) => {
      const whole = stream();
      return whole.push(input) + whole.end();
    },
    stream,
    scan: () => {
      let end = "";
      return (piece) => {
        const seen = end + piece;
        end = seen.slice(-rules.hold);
        return rules.needles.find(seen, 0, seen.length) !== undefined;
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

type Rules = {
  needles: Needles;
  /** With so much behind it a place in a text is decided: a pattern's start, and a secret in it. */
  hold: number;
};

function rulesFor(secrets: readonly string[]): Rules {
  const known = secrets.filter((secret) => secret.length >= SECRET_CHARS_MIN);
  const needles = indexNeedles(known.flatMap(secretForms));
  return { needles, hold: START_CHARS_MAX + needles.charsMax };
}

/** A match at a place of the text: what of it is shown, and what may still follow. */
type Match = Found & { shown: string; rest: RegExp | undefined };

/**
 * Decides a place in the text only with `hold` characters behind it, or at the end: so every way to
 * cut the text comes to the same answer.
 */
class Scanner implements RedactingStream {
  readonly #rules: () => Rules;
  #held = "";
  /** Inside a pattern's match: what of the text still belongs to it. */
  #rest: RegExp | undefined;

  constructor(rules: () => Rules) {
    this.#rules = rules;
  }

  push(piece: string): string {
    this.#held += piece;
    return this.#decide(this.#held.length - this.#rules().hold);
  }

  end(): string {
    const shown = this.#decide(this.#held.length);
    this.#rest = undefined;
    return shown;
  }

  /** Takes what lies before `limit` out of the held text, and perhaps a match that begins there. */
  #decide(limit: number): string {
    let shown = "";
    let at = 0;
    let pattern: Match | undefined;
    while (at < limit) {
      at = this.#skipRest(at, limit);
      // One that was jumped over is looked for anew.
      if (pattern === undefined || pattern.start < at) pattern = nextPattern(this.#held, at);
      const match = this.#next(at, { limit, pattern });
      if (match === undefined) {
        shown += this.#held.slice(at, limit);
        at = Math.max(at, limit);
      } else {
        shown += `${this.#held.slice(at, match.start)}${match.shown}${REDACTED}`;
        at = match.end;
        this.#rest = match.rest;
      }
    }
    this.#held = this.#held.slice(at);
    return shown;
  }

  /** The first match that begins before `limit`; of two at one place, the known secret. */
  #next(at: number, { limit, pattern }: { limit: number; pattern: Match }): Match | undefined {
    const { needles } = this.#rules();
    const needle = needles.find(this.#held, at, Math.min(limit, pattern.start + 1));
    if (needle !== undefined) return { ...needle, shown: "", rest: undefined };
    if (pattern.start >= limit) return undefined;
    const inside = needles.find(this.#held, pattern.start + 1, pattern.end);
    return inside === undefined ? pattern : { ...pattern, end: inside.start, rest: undefined };
  }

  /** A known secret may begin inside the rest of a pattern: there the rest ends. */
  #skipRest(at: number, limit: number): number {
    if (this.#rest === undefined) return at;
    this.#rest.lastIndex = at;
    const end = at + (this.#rest.exec(this.#held)?.[0].length ?? 0);
    const needle = this.#rules().needles.find(this.#held, at, Math.min(end, limit));
    const stop = Math.min(needle?.start ?? end, limit);
    // At the limit nobody knows yet whether it goes on.
    if (stop < limit) this.#rest = undefined;
    return stop;
  }
}

/** The first place from `at` on where a pattern begins; past the end where none does. */
function nextPattern(text: string, at: number): Match {
  ANY_PATTERN.lastIndex = at;
  const match = ANY_PATTERN.exec(text);
  if (match === null) return { start: Infinity, end: Infinity, shown: "", rest: undefined };
  const which = PATTERNS.find((_, i) => match.groups?.[`p${i}`] !== undefined);
  const end = match.index + match[0].length;
  return { start: match.index, end, shown: match.groups?.["shown"] ?? "", rest: which?.rest };
}

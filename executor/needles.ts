/**
 * Finds the first of many strings in one pass, however many there are: a table of their first two
 * characters turns nearly every place of a text down at once. Between any two characters the text may
 * have a line end that the string has not, for base64 and hex are written in lines. Pure.
 */
export interface Needles {
  /** The longest at the first place from `from` to before `to` where one begins. */
  find(text: string, from: number, to: number): Found | undefined;
  /** No match is longer. */
  readonly charsMax: number;
}
export type Found = { start: number; end: number };

/** As they stand in a text, or escaped in JSON. */
const LINE_END = /\r\n|\n|\\n/g;
const LINE_END_CHARS_MAX = 2;
const [CR, LF, BACKSLASH, SMALL_N] = ["\r", "\n", "\\", "n"].map((c) => c.charCodeAt(0));
/** Seven bits of each of two characters; more only means another look. */
const PAIRS = 1 << 14;

export function indexNeedles(strings: readonly string[]): Needles {
  const needles = [...new Set(strings.map((text) => text.replaceAll(LINE_END, "")))]
    .filter((needle) => needle.length > 1)
    .sort((a, b) => b.length - a.length);
  const firsts = new Uint8Array(128);
  const pairs = new Uint8Array(PAIRS);
  const byPair = new Map<number, string[]>();
  for (const needle of needles) {
    const pair = pairOf(needle.charCodeAt(0), needle.charCodeAt(1));
    firsts[needle.charCodeAt(0) & 127] = 1;
    pairs[pair] = 1;
    byPair.set(pair, [...(byPair.get(pair) ?? []), needle]);
  }
  const lookAt = (text: string, start: number): Found | undefined => {
    const second = start + 1 + lineEndAt(text, start + 1);
    // A backslash may be the second character itself.
    const places = second === start + 1 ? [second] : [start + 1, second];
    for (const place of places) {
      const pair = pairOf(text.charCodeAt(start), text.charCodeAt(place));
      for (const needle of byPair.get(pair) ?? []) {
        const end = endOf(needle, text, start);
        if (end !== undefined) return { start, end };
      }
    }
    return undefined;
  };
  return {
    charsMax: (needles[0]?.length ?? 0) * (1 + LINE_END_CHARS_MAX),
    find: (text, from, to) => {
      if (needles.length === 0) return undefined;
      const last = Math.min(to, text.length - 1);
      let code = text.charCodeAt(from);
      for (let at = from; at < last; at += 1) {
        const next = text.charCodeAt(at + 1);
        const isLineEnd = next === LF || next === CR || next === BACKSLASH;
        const isLikely = isLineEnd ? firsts[code & 127] : pairs[pairOf(code, next)];
        const found = isLikely === 1 ? lookAt(text, at) : undefined;
        if (found !== undefined) return found;
        code = next;
      }
      return undefined;
    },
  };
}

function pairOf(first: number, second: number): number {
  return ((first & 127) << 7) | (second & 127);
}

/** Where the needle that begins at `start` ends; undefined when it does not. */
function endOf(needle: string, text: string, start: number): number | undefined {
  let at = start;
  for (let i = 0; i < needle.length; i += 1) {
    const wanted = needle.charCodeAt(i);
    if (text.charCodeAt(at) !== wanted) {
      at += i === 0 ? 0 : lineEndAt(text, at);
      if (text.charCodeAt(at) !== wanted) return undefined;
    }
    at += 1;
  }
  return at;
}

/** Characters of the line end at this place; 0 where there is none. */
function lineEndAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === LF) return 1;
  const next = text.charCodeAt(at + 1);
  return (code === CR && next === LF) || (code === BACKSLASH && next === SMALL_N) ? 2 : 0;
}

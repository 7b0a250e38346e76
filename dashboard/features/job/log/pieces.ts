/** Pieces of one line, coloured and with what is searched for marked. Pure but for a memory of entries. */
import type { LogEntry } from "../../../../convex/protocol/log.js";
import { piecesOf, settle, type Piece } from "./ansi.js";

const known = new WeakMap<LogEntry, Piece[][]>();

/** One line of an entry; entries are read once. */
export function piecesOfLine(entry: LogEntry, part: number): Piece[] {
  const lines = known.get(entry) ?? piecesOf(settle(entry.text));
  known.set(entry, lines);
  return lines[part] ?? [];
}

/** The same with each place that holds the query as a piece of its own. `text` is the line without colours. */
export function markedPieces(
  pieces: readonly Piece[],
  text: string,
  query: string,
): readonly (Piece & { isHit?: true })[] {
  const places = placesOf(text.toLowerCase(), query.toLowerCase());
  // Lower case may be longer than upper case, in which case places do not fit: nothing is marked then.
  if (places.length === 0 || text.toLowerCase().length !== text.length) return pieces;
  const marked: (Piece & { isHit?: true })[] = [];
  let start = 0;
  for (const piece of pieces) {
    const cuts = new Set([0, piece.text.length]);
    for (const at of places) {
      for (const edge of [at - start, at + query.length - start]) {
        if (edge > 0 && edge < piece.text.length) cuts.add(edge);
      }
    }
    const edges = [...cuts].sort((a, b) => a - b);
    for (const [index, from] of edges.slice(0, -1).entries()) {
      const to = edges[index + 1] ?? piece.text.length;
      const isHit = places.some((at) => at <= start + from && start + from < at + query.length);
      marked.push({ ...piece, text: piece.text.slice(from, to), ...(isHit ? { isHit } : {}) });
    }
    start += piece.text.length;
  }
  return marked;
}

function placesOf(text: string, query: string): number[] {
  const places: number[] = [];
  if (query === "") return places;
  for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) {
    places.push(at);
  }
  return places;
}

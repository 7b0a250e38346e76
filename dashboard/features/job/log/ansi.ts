/**
 * What a terminal would show of a log's text, as data: coloured pieces of lines. Never HTML. Pure.
 */
import Anser from "anser";
import { readable, type Colour } from "./colour.js";

/** A piece of a line that looks the same all along. Colours are CSS colours for both themes. */
export type Piece = {
  text: string;
  color?: string;
  background?: string;
  isBold?: true;
  isDim?: true;
  isItalic?: true;
  isUnderlined?: true;
  isStruck?: true;
};

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
/** Titles, links and the like, up to their end: BEL or ST. */
const COMMANDS =
  /(?:\u001b[\]P^_X]|[\u009d\u0090\u009e\u009f\u0098])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c|$)/g;
const SEQUENCES = /(?:\u001b\[|\u009b)([0-?]*)[ -/]*([@-~])/g;
const OTHER_ESCAPES = /\u001b(?!\[[0-9;]*m)[ -/]*[0-~]?/g;
/** Not: tab, newline, escape. */
const REST = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;
const COLOUR_CODES = /\u001b\[[0-9;]*m/g;

/**
 * The text without what moves the cursor or rings the bell: a line that was written over with `\r` is what was
 * written last; colours stay; a newline at the end goes.
 */
export function settle(text: string): string {
  const trimmed = text.endsWith("\n") ? text.slice(0, text.endsWith("\r\n") ? -2 : -1) : text;
  if (!CONTROLS.test(trimmed)) return trimmed;
  return trimmed
    .replaceAll(COMMANDS, "")
    .replaceAll(SEQUENCES, (_whole, codes: string, end: string) =>
      end === "m" && !/[^0-9;:]/.test(codes) ? `\u001b[${withSemicolons(codes)}m` : "",
    )
    .replaceAll(OTHER_ESCAPES, "")
    .split("\n")
    .map(lastWritten)
    .join("\n")
    .replaceAll(REST, "");
}

/** Colours as most programs write them; what else has parts after a colon loses them. */
function withSemicolons(codes: string): string {
  return codes
    .replaceAll(/([34]8):5:(\d+)/g, "$1;5;$2")
    .replaceAll(/([34]8):2:(?:\d*:)?(\d+):(\d+):(\d+)/g, "$1;2;$2;$3;$4")
    .replaceAll(/:\d*/g, "");
}

function lastWritten(line: string): string {
  if (!line.includes("\r")) return line;
  return line.split("\r").findLast((part) => part !== "") ?? "";
}

/** Settled text as it reads, without colours. */
export function plain(settled: string): string {
  return settled.includes("\u001b") ? settled.replaceAll(COLOUR_CODES, "") : settled;
}

/** Settled text as pieces, line by line; a colour goes on over the end of a line. */
export function piecesOf(settled: string): Piece[][] {
  if (!settled.includes("\u001b")) return settled.split("\n").map((text) => [{ text }]);
  const lines: Piece[][] = [[]];
  for (const part of Anser.ansiToJson(settled, { remove_empty: true })) {
    const look = lookOf(part);
    for (const [index, text] of part.content.split("\n").entries()) {
      if (index > 0) lines.push([]);
      if (text !== "") lines.at(-1)?.push({ ...look, text });
    }
  }
  return lines;
}

type Part = ReturnType<typeof Anser.ansiToJson>[number];

function lookOf({ fg, bg, decorations }: Part): Omit<Piece, "text"> {
  const { color, background } = readable(colourOf(fg), colourOf(bg));
  return {
    ...(color === undefined ? {} : { color }),
    ...(background === undefined ? {} : { background }),
    ...(decorations.includes("bold") ? { isBold: true as const } : {}),
    ...(decorations.includes("dim") && color === undefined ? { isDim: true as const } : {}),
    ...(decorations.includes("italic") ? { isItalic: true as const } : {}),
    ...(decorations.includes("underline") ? { isUnderlined: true as const } : {}),
    ...(decorations.includes("strikethrough") ? { isStruck: true as const } : {}),
  };
}

/** "1, 200, 3" as Anser says it; null where it says none. */
function colourOf(text: string | null): Colour | null {
  const [r, g, b] = (text ?? "").split(",").map(Number);
  return r === undefined || g === undefined || b === undefined ? null : [r, g, b];
}

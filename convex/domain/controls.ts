import { CONCURRENCY_KEY_CHARS_MAX, NOTE_CHARS_MAX } from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";

/** Checks a limit that an operator sets. */
export function checkLimit(
  name: string,
  limit: number,
  [min, max]: [number, number],
): Checked<number> {
  if (Number.isInteger(limit) && limit >= min && limit <= max) return passed(limit);
  return refused(`${name} is ${limit}; it must be a whole number from ${min} to ${max}.`);
}

/** Checks the name of a gate: `key:…` or `submitter:…`. */
export function checkGate(gate: string): Checked<string> {
  const isNamed = /^(key|submitter):[\x21-\x7e]+$/.test(gate);
  if (isNamed && gate.length <= CONCURRENCY_KEY_CHARS_MAX + "submitter:".length)
    return passed(gate);
  return refused(
    `${quote(gate)} is no gate: write key: and a concurrency key, or submitter: and a name like user:ada.`,
  );
}

/** Checks a reason or note that people will read: one line, not empty. */
export function checkNote(note: string): Checked<string> {
  const trimmed = note.trim();
  if (
    trimmed !== "" &&
    trimmed.length <= NOTE_CHARS_MAX &&
    !/[\u0000-\u001f\u007f]/.test(trimmed)
  ) {
    return passed(trimmed);
  }
  return refused(`The reason must be one line of 1 to ${NOTE_CHARS_MAX} characters.`);
}

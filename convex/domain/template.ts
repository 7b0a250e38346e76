import { NAME_CHARS_MAX, PROMPT_CHARS_MAX, TEMPLATE_PARAMETERS_MAX } from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";

/** A parameter in a template's text: a name between two pairs of braces. */
const PARAMETER = /\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}/g;

/** The names of a template's parameters, each once, in the order of their first use. */
export function parametersOf(text: string): Checked<string[]> {
  if (text.trim() === "") return refused("The template is empty.");
  if (text.length > PROMPT_CHARS_MAX) {
    return refused(
      `The template has ${text.length} characters; at most ${PROMPT_CHARS_MAX} are allowed.`,
    );
  }
  const rest = text.replace(PARAMETER, "");
  const broken = /\{\{[^}]{0,40}\}?\}?/.exec(rest);
  if (broken !== null) {
    return refused(
      `${quote(broken[0])} is no parameter: write {{name}} with a name of letters, digits and _.`,
    );
  }
  const names = [...new Set([...text.matchAll(PARAMETER)].map((match) => match[1] ?? ""))];
  if (names.length <= TEMPLATE_PARAMETERS_MAX) return passed(names);
  return refused(`${names.length} parameters; a template has at most ${TEMPLATE_PARAMETERS_MAX}.`);
}

/** The text with each parameter replaced, once: a value that looks like a parameter stays as it is. */
export function render(text: string, values: Readonly<Record<string, string>>): Checked<string> {
  const names = new Set([...text.matchAll(PARAMETER)].map((match) => match[1] ?? ""));
  const missing = [...names].filter((name) => !Object.hasOwn(values, name));
  if (missing.length > 0) {
    return refused(`The template needs a value for ${missing.join(", ")}.`);
  }
  const unknown = Object.keys(values).filter((name) => !names.has(name));
  if (unknown.length > 0) {
    return refused(
      `The template has no parameter ${unknown.map(quote).join(", ")}. It has: ${[...names].join(", ") || "none"}.`,
    );
  }
  return passed(text.replace(PARAMETER, (_, name: string) => values[name] ?? ""));
}

/** Checks the name of a template, schedule or batch: one line for people. */
export function checkName(name: string): Checked<string> {
  const trimmed = name.trim();
  if (
    trimmed !== "" &&
    trimmed.length <= NAME_CHARS_MAX &&
    !/[\u0000-\u001f\u007f]/.test(trimmed)
  ) {
    return passed(trimmed);
  }
  return refused(`The name ${quote(name)} is not one line of 1 to ${NAME_CHARS_MAX} characters.`);
}

/** The dashboard's colours: text is legible on every ground it may stand on, in both themes. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const css = readFileSync(path.resolve(import.meta.dirname, "../../dashboard/app.css"), "utf8");
/** WCAG 2.2 AA: 4.5:1 for text, 3:1 for the borders of fields. */
const TEXT_MIN = 4.5;
const BORDER_MIN = 3;
const GROUNDS = ["ground", "raised", "sunken"];
const TONES = ["accent", "good", "bad", "warn", "live", "held", "calm"];

/** The tokens of a block, by name; the first block of a selector counts. */
function tokensOf(selector: string): Map<string, string> {
  const block = css.slice(css.indexOf(`${selector} {`));
  const lines = block.slice(0, block.indexOf("}")).matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g);
  return new Map([...lines].map(([, name, value]) => [name ?? "", value ?? ""]));
}

/** Contrast of two colours by the formula of WCAG. */
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

function luminance(hex: string): number {
  const channel = (at: number): number => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

const pairs: [string, string, number][] = [
  ...["text", "muted", ...TONES].flatMap((text) =>
    GROUNDS.map((ground): [string, string, number] => [text, ground, TEXT_MIN]),
  ),
  ...TONES.map((tone): [string, string, number] => [tone, `${tone}-soft`, TEXT_MIN]),
  ["on-accent", "accent", TEXT_MIN],
  ["line-strong", "ground", BORDER_MIN],
];

test.each([":root", 'html[data-theme="dark"]'])("%s", (selector) => {
  const tokens = tokensOf(selector);
  const low = pairs.flatMap(([text, ground, min]) => {
    const ratio = contrast(tokens.get(text) ?? "", tokens.get(ground) ?? "");
    return ratio >= min ? [] : [`${text} on ${ground}: ${ratio.toFixed(2)}`];
  });
  expect(low).toEqual([]);
});

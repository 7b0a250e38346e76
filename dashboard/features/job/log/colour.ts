/** Colours of a terminal that can be read on both grounds of the page. Pure. */

export type Colour = readonly [r: number, g: number, b: number];

/** The darkest ground text may stand on in the light theme, and the lightest in the dark one. */
const LIGHT_GROUND: Colour = [233, 238, 252];
const DARK_GROUND: Colour = [27, 39, 64];
const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];
/** WCAG 2.2 AA for text. */
const CONTRAST_MIN = 4.5;
const STEPS = 20;

/**
 * CSS for a text colour and a ground as a program chose them, where it chose one. The text moves towards black
 * or white, as little as needed to be read: on its ground, or on the page's in each theme.
 */
export function readable(
  text: Colour | null,
  ground: Colour | null,
): { color?: string; background?: string } {
  if (ground !== null) {
    const wanted = text ?? (luminance(ground) > 0.18 ? BLACK : WHITE);
    return { color: css(towardsContrast(wanted, ground)), background: css(ground) };
  }
  if (text === null) return {};
  const [light, dark] = [LIGHT_GROUND, DARK_GROUND].map((page) => css(towardsContrast(text, page)));
  return { color: `light-dark(${light ?? ""}, ${dark ?? ""})` };
}

/** Of two colours, from 1 to 21. */
export function contrast(a: Colour, b: Colour): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05);
}

/** The colour that is nearest to the wanted one and can be read on the ground. */
export function towardsContrast(wanted: Colour, ground: Colour): Colour {
  const end = contrast(WHITE, ground) > contrast(BLACK, ground) ? WHITE : BLACK;
  for (let step = 0; step < STEPS; step += 1) {
    const colour = mix(wanted, end, step / STEPS);
    if (contrast(colour, ground) >= CONTRAST_MIN) return colour;
  }
  return end;
}

function mix(from: Colour, to: Colour, share: number): Colour {
  const part = (a: number, b: number): number => Math.round(a + (b - a) * share);
  return [part(from[0], to[0]), part(from[1], to[1]), part(from[2], to[2])];
}

/** Relative luminance by WCAG. */
function luminance([r, g, b]: Colour): number {
  const linear = (channel: number): number => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

const css = ([r, g, b]: Colour): string => `rgb(${r} ${g} ${b})`;

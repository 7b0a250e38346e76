/** Schemas of what stands after `?`: what is not understood is left out, never an error. */
import * as z from "zod/mini";

const TEXT_CHARS_MAX = 400;

/** A text of bounded length; anything else is as if it were not there. */
export const searchText = z.catch(
  z.optional(z.coerce.string().check(z.maxLength(TEXT_CHARS_MAX))),
  undefined,
);

/** One of some words; anything else is as if it were not there. */
export function searchWord<const T extends readonly [string, ...string[]]>(words: T) {
  return z.catch(z.optional(z.enum(words)), undefined);
}

/** A whole number in bounds; anything else is as if it were not there. */
export function searchNumber(min: number, max: number) {
  return z.catch(z.optional(z.int().check(z.minimum(min), z.maximum(max))), undefined);
}

/** A `validateSearch` of a route from the fields of its search; unknown fields are dropped. */
export function searchSchema<T extends z.core.$ZodLooseShape>(fields: T) {
  const schema = z.object(fields);
  return (raw: Record<string, unknown>): z.infer<typeof schema> => schema.parse(raw);
}

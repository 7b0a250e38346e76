/** Stands in for the package `@fast-check/vitest`, of which suites use `fc` and `test.prop`. */
import * as fc from "fast-check";
import { test as vitestTest } from "vitest";

export { fc };

type Arbitraries<Values> = { [Name in keyof Values]: fc.Arbitrary<Values[Name]> };
type Property<Values> = (values: Values) => void | Promise<void>;

/** A test over values of the given arbitraries; a failure names the seed and the smallest values found. */
const prop =
  <Values extends object>(arbitraries: Arbitraries<Values>, options?: fc.Parameters<[Values]>) =>
  (title: string, property: Property<Values>): void => {
    // fc.record keeps required names unless told otherwise.
    const values = fc.record(arbitraries) as unknown as fc.Arbitrary<Values>;
    vitestTest(title, async () => {
      await fc.assert(
        fc.asyncProperty(values, async (given) => property(given)),
        options,
      );
    });
  };

export const test = { prop };

/** A bounded slice of `npm run test:mutation`: the table of transitions. */
import { expect, test } from "vitest";
import { mutate } from "./domain.mjs";

test("each transition of the table is broken in each way → a unit test notices", async () => {
  const results = await mutate({ isWanted: ({ isCell }) => isCell });
  expect(results.length).toBeGreaterThan(100);
  expect(results.filter(({ by }) => by === null).map(({ key }) => key)).toEqual([]);
}, 240_000);

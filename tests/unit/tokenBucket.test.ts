import fc from "fast-check";
import { expect, test } from "vitest";
import { type Filling, fullAt, take } from "../../convex/domain/tokenBucket.js";

const bucket = { rate: 10, periodMs: 60_000, burst: 5 };

test("in no stretch of time more is taken than the burst and what came in meanwhile", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(gaps, (waits) => {
      let now = 0;
      let filling: Filling | null = null;
      let takenCount = 0;
      for (const wait of waits) {
        now += wait;
        const taken = take(bucket, filling, now);
        if (!taken.ok) continue;
        takenCount += 1;
        filling = taken.after;
      }
      const most = bucket.burst + (now * bucket.rate) / bucket.periodMs;
      expect(takenCount).toBeLessThanOrEqual(most + 1e-6);
    }),
  );
});

test("when it is empty it says when to come back, and then there is one", () => {
  let filling: Filling | null = null;
  for (let i = 0; i < bucket.burst; i += 1) {
    const taken = take(bucket, filling, 0);
    if (!taken.ok) throw new Error("the burst was refused");
    filling = taken.after;
  }
  const refused = take(bucket, filling, 0);
  expect(refused).toEqual({ ok: false, retryAfterMs: 6_000 });
  expect(take(bucket, filling, 5_999).ok).toBe(false);
  expect(take(bucket, filling, 6_000).ok).toBe(true);
  if (filling !== null) expect(fullAt(bucket, filling)).toBe(30_000);
});

test("a clock that goes back takes nothing away", () => {
  expect(take(bucket, { tokens: 1, at: 1_000 }, 0)).toEqual({
    ok: true,
    after: { tokens: 0, at: 0 },
  });
});

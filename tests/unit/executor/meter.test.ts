import { describe, expect, it } from "vitest";
import { createMeter } from "../../../executor/claude/meter.js";
import { type CliUsage, NO_USAGE } from "../../../executor/claude/usage.js";
import { FakeClock, settle } from "./fakeClock.js";

const cost = (costUsd: number): CliUsage => ({ ...NO_USAGE, costUsd });

function aMeter() {
  const clock = new FakeClock();
  const asked: number[] = [];
  const told: number[] = [];
  const failures: unknown[] = [];
  const calls: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const meter = createMeter({
    clock,
    tell: ({ costUsd }) => {
      told.push(costUsd);
      return new Promise((resolve, reject) => {
        calls.push({ resolve, reject });
      });
    },
    onFailure: (error) => failures.push(error),
  });
  meter.attach({ askUsage: () => asked.push(clock.now()) });
  const next = async (): Promise<void> => {
    calls.shift()?.resolve();
    await settle();
  };
  return { clock, asked, told, failures, calls, meter, next };
}

describe("the meter of a run", () => {
  it("asks soon after an event, at most every half second, and after the last event in any case", async () => {
    const { clock, asked, meter } = aMeter();
    for (let at = 0; at < 2_500; at += 50) {
      meter.onEvent();
      await clock.advance(50);
    }
    await clock.advance(5_000);
    expect(asked).toEqual([100, 600, 1_100, 1_600, 2_100, 2_600]);
  });

  it("tells each new sum, one at a time, the latest when it can", async () => {
    const { told, meter, next } = aMeter();
    for (const sum of [0.1, 0.2, 0.3, 0.25]) meter.onUsage(cost(sum));
    expect(told).toEqual([0.1]);
    await next();
    expect(told).toEqual([0.1, 0.3]);
    await next();
    meter.onUsage(cost(0.3));
    expect(told).toEqual([0.1, 0.3]);
    expect(meter.usage()).toEqual(cost(0.3));
  });

  it("what could not be told is told with the next word", async () => {
    const { told, failures, calls, meter } = aMeter();
    meter.onUsage(cost(0.1));
    calls.shift()?.reject(new Error("no connection"));
    await settle();
    expect(failures).toHaveLength(1);
    meter.onUsage(cost(0.1));
    expect(told).toEqual([0.1, 0.1]);
  });

  it("stopped, asks and tells nothing more, and still knows the last word", async () => {
    const { clock, asked, told, meter } = aMeter();
    meter.onEvent();
    meter.stop();
    meter.onUsage(cost(0.4));
    await clock.advance(5_000);
    expect([asked, told]).toEqual([[], []]);
    expect(meter.usage().costUsd).toBe(0.4);
  });
});

import { describe, expect, it } from "vitest";
import type { HeldAttempt } from "../../../convex/protocol/executor.js";
import type { Outcome } from "../../../convex/protocol/job.js";
import type { RunningAttempt, StopReason } from "../../../executor/attempt.js";
import { createSupervisor } from "../../../executor/supervisor.js";
import { aHeld, aJobId, anAssignment, silent } from "./factories.js";
import { FakeClock, settle } from "./fakeClock.js";

class FakeAttempt implements RunningAttempt {
  readonly held: HeldAttempt;
  readonly done: Promise<Outcome | undefined>;
  readonly stops: StopReason[] = [];
  commands = 0;
  end: (outcome: Outcome | undefined) => void = () => undefined;
  constructor(held: HeldAttempt) {
    this.held = held;
    this.done = new Promise((resolve) => (this.end = resolve));
  }
  stop(reason: StopReason): void {
    this.stops.push(reason);
  }
  told(count: number): void {
    this.commands = count;
  }
}

function aSupervisor(slots = 2) {
  const clock = new FakeClock();
  const started: FakeAttempt[] = [];
  const disowned: HeldAttempt[] = [];
  const supervisor = createSupervisor({
    slots,
    clock,
    logger: silent,
    start: ({ jobId, token }) => {
      const attempt = new FakeAttempt({ jobId, token });
      started.push(attempt);
      return attempt;
    },
    disown: (held) => disowned.push(held),
    onEnd: () => undefined,
  });
  const attempt = (index: number): FakeAttempt => {
    const found = started[index];
    if (found === undefined) throw new Error(`attempt ${index} was not started`);
    return found;
  };
  return { clock, supervisor, started, disowned, attempt };
}
const one = anAssignment({ jobId: aJobId("one"), token: 5 });
const two = anAssignment({ jobId: aJobId("two"), token: 3 });
const three = anAssignment({ jobId: aJobId("three"), token: 9 });

describe("the supervisor", () => {
  it("starts each assignment once, however often it is told", () => {
    const { supervisor, started } = aSupervisor();
    supervisor.reconcile([one]);
    supervisor.reconcile([{ ...one, started: true }]);
    supervisor.reconcile([one, two]);
    expect(started.map((a) => a.held.jobId)).toEqual(["one", "two"]);
    expect(supervisor.held()).toHaveLength(2);
  });

  it.each(["budget", "maxBudget"] as const)("told to stop for %s → stops with that", (stop) => {
    const { supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one]);
    supervisor.reconcile([{ ...one, started: true, stop }]);
    expect(attempt(0).stops).toEqual([stop]);
  });

  it("tells an attempt how many commands people gave it", () => {
    const { supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one]);
    supervisor.reconcile([{ ...one, started: true, steered: 2 }]);
    expect(attempt(0).commands).toBe(2);
  });

  it("never runs more than its slots, and goes on when one is free", async () => {
    const { supervisor, started, attempt } = aSupervisor(2);
    supervisor.reconcile([one, two, three]);
    expect(started).toHaveLength(2);
    attempt(0).end({ kind: "succeeded" });
    await settle();
    expect(started.map((a) => a.held.jobId)).toEqual(["one", "two", "three"]);
  });

  it("does not start an attempt again that has ended, but its job's next attempt", async () => {
    const { supervisor, started, attempt } = aSupervisor();
    supervisor.reconcile([one]);
    attempt(0).end({ kind: "succeeded" });
    await settle();
    supervisor.reconcile([one]);
    expect(started).toHaveLength(1);
    supervisor.reconcile([{ ...one, token: 6, attempt: 2 }]);
    expect(started).toHaveLength(2);
  });

  it("abandons what is no longer assigned to it", () => {
    const { supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one, two]);
    supervisor.reconcile([{ ...one, token: 6 }]);
    expect(attempt(0).stops).toEqual(["abandon"]);
    expect(attempt(1).stops).toEqual(["abandon"]);
  });

  it("cancels what was asked to cancel", () => {
    const { supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one]);
    supervisor.reconcile([{ ...one, started: true, cancelRequested: true }]);
    expect(attempt(0).stops).toEqual(["cancel"]);
  });

  it("does not start what was asked to cancel before it began", () => {
    const { supervisor, started } = aSupervisor();
    supervisor.reconcile([{ ...one, cancelRequested: true }]);
    expect(started).toEqual([]);
  });

  it("gives back an attempt that should run here and does not, once", () => {
    const { supervisor, started, disowned } = aSupervisor();
    supervisor.reconcile([{ ...one, started: true }]);
    supervisor.reconcile([{ ...one, started: true }]);
    expect(started).toEqual([]);
    expect(disowned).toEqual([{ jobId: "one", token: 5 }]);
  });

  it.each([
    ["continue", []],
    ["cancel", ["cancel"]],
    ["stop", ["abandon"]],
  ] as const)("directive %s → %j", (directive, stops) => {
    const { supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one]);
    supervisor.heed(aHeld({ jobId: one.jobId, token: 5 }), directive);
    expect(attempt(0).stops).toEqual(stops);
  });

  it("does not obey a directive for another token", () => {
    const { supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one]);
    supervisor.heed(aHeld({ jobId: one.jobId, token: 4 }), "stop");
    expect(attempt(0).stops).toEqual([]);
  });

  it("takes nothing while it is drained, and goes on after", () => {
    const { supervisor, started } = aSupervisor();
    supervisor.setTaking(false);
    supervisor.reconcile([one]);
    expect(started).toEqual([]);
    supervisor.setTaking(true);
    expect(started).toHaveLength(1);
  });

  it("leaves running attempts their time before it interrupts them", async () => {
    const { clock, supervisor, attempt } = aSupervisor();
    supervisor.reconcile([one, two]);
    const drained = supervisor.drain(10_000);
    await clock.advance(5_000);
    attempt(0).end({ kind: "succeeded" });
    expect(attempt(1).stops).toEqual([]);
    await clock.advance(5_000);
    expect(attempt(1).stops).toEqual(["shutdown"]);
    attempt(1).end({ kind: "interrupted", reason: "shutdown" });
    await drained;
    expect(supervisor.counts()).toMatchObject({ running: 0, succeeded: 1, interrupted: 1 });
  });

  it("takes nothing new once it is leaving, whatever it is told", async () => {
    const { supervisor, started } = aSupervisor();
    await supervisor.drain(0);
    supervisor.setTaking(true);
    supervisor.reconcile([one]);
    expect(started).toEqual([]);
  });
});

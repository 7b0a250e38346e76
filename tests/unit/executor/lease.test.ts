import { describe, expect, it } from "vitest";
import type { HeartbeatReply, HeldAttempt } from "../../../convex/protocol/executor.js";
import { keepLease } from "../../../executor/lease.js";
import { aHeld, silent } from "./factories.js";
import { FakeClock } from "./fakeClock.js";

const LEASE_MS = 10_000;
const BEAT_MS = 2_000;

function aLease(answer: (held: HeldAttempt[]) => Promise<HeartbeatReply>) {
  const clock = new FakeClock();
  const seen = {
    beats: [] as number[],
    lost: [] as number[],
    directives: [] as string[],
    drain: [] as boolean[],
  };
  const lease = keepLease({
    clock,
    logger: silent,
    leaseMs: LEASE_MS,
    heartbeatMs: BEAT_MS,
    grantedAt: 0,
    held: () => [aHeld({ token: 1 }), aHeld({ token: 2 })],
    send: (held) => {
      seen.beats.push(clock.monotonic());
      return answer(held);
    },
    onDirective: ({ token }, directive) => seen.directives.push(`${token} ${directive}`),
    onDrain: (drain) => seen.drain.push(drain),
    onLost: () => seen.lost.push(clock.monotonic()),
  });
  return { clock, lease, seen };
}
const ok = (more: Partial<HeartbeatReply> = {}): HeartbeatReply => ({
  leaseMs: LEASE_MS,
  drain: false,
  directives: [],
  ...more,
});
const never = new Promise<never>(() => undefined);

describe("the lease", () => {
  it("beats once an interval for all that is held, and stays trusted", async () => {
    const { clock, lease, seen } = aLease(() => Promise.resolve(ok()));
    await clock.advance(3 * LEASE_MS);
    expect(seen.beats.slice(0, 3)).toEqual([2_000, 4_000, 6_000]);
    expect(seen.lost).toEqual([]);
    expect(lease.isTrusted()).toBe(true);
  });

  it("is lost at its trust deadline, once, when no heartbeat is answered", async () => {
    const { clock, lease, seen } = aLease(() => never);
    await clock.advance(5 * LEASE_MS);
    expect(seen.lost).toEqual([8_000]);
    expect(seen.beats).toEqual([2_000]);
    expect(lease.isTrusted()).toBe(false);
  });

  it("beats sooner after a failure, and is lost if they all fail", async () => {
    const { clock, seen } = aLease(() => Promise.reject(new Error("offline")));
    await clock.advance(LEASE_MS);
    expect(seen.beats.slice(0, 3)).toEqual([2_000, 2_500, 3_000]);
    expect(seen.lost).toEqual([8_000]);
  });

  it("counts trust from when the acknowledged heartbeat was sent, not from its answer", async () => {
    let answer: (reply: HeartbeatReply) => void = () => undefined;
    let count = 0;
    const { clock, seen } = aLease(() => {
      count += 1;
      return count === 1 ? new Promise((resolve) => (answer = resolve)) : never;
    });
    await clock.advance(7_000);
    answer(ok());
    await clock.advance(2 * LEASE_MS);
    expect(seen.lost).toEqual([10_000]);
  });

  it("is trusted again once a heartbeat is acknowledged after it was lost", async () => {
    let isOnline = false;
    const { clock, lease, seen } = aLease(() =>
      isOnline ? Promise.resolve(ok()) : Promise.reject(new Error("offline")),
    );
    await clock.advance(9_000);
    expect(lease.isTrusted()).toBe(false);
    isOnline = true;
    await clock.advance(1_000);
    expect(lease.isTrusted()).toBe(true);
    expect(seen.lost).toEqual([8_000]);
  });

  it("hands out directives by position, and the wish to drain", async () => {
    const { clock, seen } = aLease(() =>
      Promise.resolve(ok({ directives: ["continue", "cancel"], drain: true })),
    );
    await clock.advance(BEAT_MS);
    expect(seen.directives).toEqual(["1 continue", "2 cancel"]);
    expect(seen.drain).toEqual([true]);
  });

  it("follows a lease time that the backend changes", async () => {
    let leaseMs = 100_000;
    const { clock, seen } = aLease(() => Promise.resolve(ok({ leaseMs })));
    await clock.advance(BEAT_MS);
    leaseMs = 1_000;
    await clock.advance(BEAT_MS + leaseMs);
    expect(seen.lost).toEqual([4_800]);
  });

  it("neither beats nor is lost after it was stopped", async () => {
    const { clock, lease, seen } = aLease(() => Promise.resolve(ok()));
    lease.stop();
    await clock.advance(3 * LEASE_MS);
    expect(seen).toMatchObject({ beats: [], lost: [] });
  });
});

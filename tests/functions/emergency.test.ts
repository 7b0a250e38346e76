import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { codeOf, onlyAssignment, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const ORDER = {
  reason: "a leak",
  running: "drain",
  revokeExecutors: false,
  endSessions: false,
} as const;
const audited = () =>
  world.t.run(async (ctx) => (await ctx.db.query("audit").collect()).map((row) => row.action));

describe("an emergency stop", () => {
  test("drain: what runs goes on, nothing new begins until it is lifted; both audited", async () => {
    const administrator = await world.user("administrator");
    const operator = await world.user("operator");
    const executor = await world.executor("box", 2);
    await world.submit();
    const claim = await started(executor);
    await administrator.mutation(api.emergency.stop, ORDER);
    const waiting = await world.submit();
    expect((await onlyAssignment(executor)).cancelRequested).toBe(false);
    expect(await operator.query(api.emergency.status, {})).toMatchObject(ORDER);
    // An operator's resume is no way around it.
    expect(await codeOf(operator.mutation(api.queue.resume, {}))).toBe("ILLEGAL_TRANSITION");
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["continue"]);
    await administrator.mutation(api.emergency.lift, {});
    await world.settle();
    expect((await world.job(waiting)).state.kind).toBe("assigned");
    expect(await operator.query(api.emergency.status, {})).toBe(null);
    expect(await audited()).toEqual(
      expect.arrayContaining(["emergency.stopped", "emergency.lifted"]),
    );
  });

  test("cancel: every attempt of every executor is asked to end", async () => {
    const administrator = await world.user("administrator");
    const boxes = [];
    for (let i = 0; i < 20; i += 1) boxes.push(await world.executor(`box-${i}`, 1));
    for (let i = 0; i < 20; i += 1) await world.submit();
    for (const box of boxes) await started(box);
    await administrator.mutation(api.emergency.stop, { ...ORDER, running: "cancel" });
    await world.settle();
    for (const box of boxes) expect((await onlyAssignment(box)).cancelRequested).toBe(true);
  });

  test("revoke: every executor, session and API key is refused from the next call on", async () => {
    const administrator = await world.user("administrator");
    const viewer = await world.user("viewer");
    const executor = await world.executor("box", 1);
    const jobId = await world.submit();
    await started(executor);
    const order = { ...ORDER, revokeExecutors: true, endSessions: true };
    await administrator.mutation(api.emergency.stop, order);
    expect(await codeOf(executor.query(api.executors.assignments, {}))).toBe("REVOKED");
    expect(await codeOf(viewer.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    expect(await codeOf(administrator.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    expect((await world.job(jobId)).state.kind).toBe("pending");
    // Who holds the deployment key can lift it, and somebody who signs in anew too.
    await world.t.mutation(internal.emergency.liftByOperator, {});
    await world.executor("new-box", 1);
    expect((await world.job(jobId)).state.kind).toBe("assigned");
  });

  test("a harsher one replaces it; without one there is nothing to lift", async () => {
    const administrator = await world.user("administrator");
    expect(await codeOf(administrator.mutation(api.emergency.lift, {}))).toBe("ILLEGAL_TRANSITION");
    await administrator.mutation(api.emergency.stop, ORDER);
    await world.t.mutation(internal.emergency.stopByOperator, { ...ORDER, running: "cancel" });
    expect(await administrator.query(api.emergency.status, {})).toMatchObject({
      running: "cancel",
      by: "operator",
    });
  });
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { claimsOf, encode, signer } from "./signer.js";
import {
  assigned,
  codeOf,
  failed,
  finish,
  onlyAssignment,
  registration,
  START,
  started,
  World,
} from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const freeSlots = () => world.t.run(async (ctx) => (await ctx.db.query("slots").collect()).length);

describe("18: enrolment", () => {
  test("a token is good once", async () => {
    const administrator = await world.user("administrator");
    const made = await administrator.mutation(api.executors.createEnrolment, { label: "box" });
    const args = {
      token: made.token,
      name: "box",
      publicJwk: { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) },
    } as const;
    expect(await world.t.mutation(api.executors.enrol, args)).toMatchObject({ ok: true });
    expect(await world.t.mutation(api.executors.enrol, args)).toEqual({
      ok: false,
      code: "UNAUTHENTICATED",
    });
  });

  test.each([
    ["an unknown token", { token: "fen_x" }, "UNAUTHENTICATED"],
    ["a token of 5,000 characters", { token: "x".repeat(5_000) }, "INVALID_ARGUMENT"],
    ["a bad name", { name: "a b" }, "INVALID_ARGUMENT"],
    [
      "a short key",
      { publicJwk: { kty: "OKP", crv: "Ed25519", x: "AA" } as const },
      "INVALID_ARGUMENT",
    ],
  ])("%s is refused", async (_, part, code) => {
    const { token } = await world.t.mutation(internal.admin.createEnrolment, { label: "box" });
    const publicJwk = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } as const;
    const args = { token, name: "box", publicJwk, ...part };
    expect(await world.t.mutation(api.executors.enrol, args)).toEqual({ ok: false, code });
  });

  test("a token too old is refused", async () => {
    const { token, expiresAt } = await world.t.mutation(internal.admin.createEnrolment, {
      label: "box",
    });
    vi.setSystemTime(expiresAt);
    const publicJwk = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) } as const;
    expect(await world.t.mutation(api.executors.enrol, { token, name: "box", publicJwk })).toEqual({
      ok: false,
      code: "UNAUTHENTICATED",
    });
  });
});

describe("access tokens", () => {
  test("19: a good assertion → a token of the process, for ten minutes; used again it is refused", async () => {
    const { x, sign } = await signer();
    const executorId = await world.enrol("box", x);
    const assertion = await sign(claimsOf(executorId));
    const reply = await world.t.mutation(api.executors.token, { executorId, assertion });
    if (!reply.ok) throw new Error(reply.code);
    expect(reply.expiresAt).toBe(START + 600_000);
    const payload = atob(
      (reply.accessToken.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"),
    );
    expect(JSON.parse(payload)).toMatchObject({
      iss: "https://queue.test/executor",
      aud: "fondation",
      sub: executorId,
      epoch: 0,
      boot: "boot-1",
      bootAt: START,
    });
    expect(await world.t.mutation(api.executors.token, { executorId, assertion })).toEqual({
      ok: false,
      code: "UNAUTHENTICATED",
    });
  });

  test("19: forgeries are refused: other key, other algorithm, tampered, garbage, too long", async () => {
    const { x, sign } = await signer();
    const other = await signer();
    const executorId = await world.enrol("box", x);
    const good = await sign(claimsOf(executorId));
    const [head, , signature] = good.split(".");
    const forgeries = [
      await other.sign(claimsOf(executorId)),
      await sign(claimsOf(executorId), { alg: "none" }),
      await sign(claimsOf(executorId), { alg: "HS256" }),
      await sign(claimsOf("somebody")),
      `${String(head)}.${encode(claimsOf(executorId, { boot: "b2" }))}.${String(signature)}`,
      `${String(head)}.${encode(claimsOf(executorId))}.`,
      "garbage",
      "a.b.c",
      "",
      "x".repeat(5_000),
    ];
    for (const assertion of forgeries) {
      const reply = await world.t.mutation(api.executors.token, { executorId, assertion });
      expect(reply).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    }
  });

  test("no executor, an older process, a revoked executor → refused by name", async () => {
    const { x, sign } = await signer();
    const executorId = await world.enrol("box", x);
    const ask = async (part: object, id: string = executorId) =>
      world.t.mutation(api.executors.token, {
        executorId: id,
        assertion: await sign(claimsOf(executorId, part)),
      });
    expect(await ask({}, "nobody")).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    const now = world.process(executorId, "boot-2", START);
    await now.mutation(api.executors.register, { registration: registration(1) });
    expect(await ask({ bootAt: START - 1 })).toEqual({ ok: false, code: "SUPERSEDED" });
    const administrator = await world.user("administrator");
    await administrator.mutation(api.executors.revoke, { executorId });
    expect(await ask({ jti: "fedcba9876543210" })).toEqual({ ok: false, code: "REVOKED" });
  });
});

describe("a new process of the same identity", () => {
  test("21: takes over at once: attempts interrupted, the earlier process SUPERSEDED everywhere", async () => {
    const zombie = await world.executor("box", 1);
    const jobId = await world.submit();
    const claim = await started(zombie);
    const next = world.process(zombie.executorId, "boot-2", START + 1);
    await next.mutation(api.executors.register, { registration: registration(1) });
    expect(await world.job(jobId)).toMatchObject({ state: { kind: "pending" }, interruptions: 1 });
    await world.settle();
    expect((await onlyAssignment(next)).attempt).toBe(2);
    const before = await world.everything();
    const late = [
      zombie.mutation(api.executors.heartbeat, { held: [claim] }),
      zombie.mutation(api.executors.start, claim),
      finish(zombie, claim, { kind: "succeeded" }),
      zombie.query(api.executors.assignments, {}),
      zombie.mutation(api.executors.goOffline, {}),
      zombie.mutation(api.executors.register, { registration: registration(1) }),
    ];
    for (const call of late) expect(await codeOf(call)).toBe("SUPERSEDED");
    expect(await world.everything()).toEqual(before);
  });

  test("a newer process keeps what it settles, and can tell the rest and the end of it", async () => {
    const old = await world.executor("box", 2);
    await world.submit();
    const kept = await started(old);
    const lost = await world.submit();
    const next = world.process(old.executorId, "boot-2", START + 1);
    const settling = [kept, { jobId: lost, token: 99 }];
    await next.mutation(api.executors.register, { registration: registration(2), settling });
    await world.settle();
    const entries = [{ at: 0, kind: "text" as const, text: "late" }];
    await next.mutation(api.logs.append, { ...kept, seq: 0, entries });
    expect(await codeOf(old.mutation(api.logs.append, { ...kept, seq: 1, entries }))).toBe(
      "SUPERSEDED",
    );
    await finish(next, kept, { kind: "succeeded" });
    const viewer = await world.user("viewer");
    expect(await viewer.query(api.jobs.get, { jobId: kept.jobId })).toMatchObject({
      state: { kind: "succeeded" },
      attempt: 1,
    });
    // Its token was another: it went back to the queue as ever.
    expect(await viewer.query(api.jobs.get, { jobId: lost })).toMatchObject({ interruptions: 1 });
  });

  test("registering again, the same process keeps what it holds", async () => {
    const executor = await world.executor("box", 2);
    await world.submit();
    const claim = await started(executor);
    await executor.mutation(api.executors.register, { registration: registration(3) });
    expect(await onlyAssignment(executor)).toMatchObject(claim);
    expect(await freeSlots()).toBe(2);
  });
});

describe("slots", () => {
  test("a disk with too little room → no free slots; with room again, all of them", async () => {
    const executor = await world.executor("box", 2);
    const beat = (isLow?: boolean) =>
      executor.mutation(api.executors.heartbeat, {
        held: [],
        disk: { freeBytes: 1, totalBytes: 10, ...(isLow === undefined ? {} : { isLow }) },
      });
    await beat();
    expect(await freeSlots()).toBe(2);
    await beat(true);
    await beat(true);
    expect(await freeSlots()).toBe(0);
    const viewer = await world.user("viewer");
    expect(await viewer.query(api.executors.list, {})).toMatchObject([{ isDiskLow: true }]);
    const jobId = await world.submit();
    expect(await world.job(jobId)).toMatchObject({ state: { kind: "pending" } });
    await beat();
    await world.settle();
    expect(await world.job(jobId)).toMatchObject({ state: { kind: "assigned" } });
    expect(await freeSlots()).toBe(1);
  });

  test("a disk that got room while its executor was lost → all of its slots are back", async () => {
    const executor = await world.executor("box", 2);
    const beat = (isLow: boolean) =>
      executor.mutation(api.executors.heartbeat, {
        held: [],
        disk: { freeBytes: 1, totalBytes: 10, isLow },
      });
    await beat(true);
    await world.advance(10 * 60_000);
    await beat(true);
    expect(await freeSlots()).toBe(0);
    await beat(false);
    expect(await freeSlots()).toBe(2);
    await beat(true);
    await world.advance(10 * 60_000);
    await beat(false);
    expect(await freeSlots()).toBe(2);
  });

  test("drain → what runs goes on, nothing new; resume → the free ones are back", async () => {
    const executor = await world.executor("box", 2);
    const operator = await world.user("operator");
    await world.submit();
    const claim = await started(executor);
    const { executorId } = executor;
    await operator.mutation(api.executors.drain, { executorId });
    const second = await world.submit();
    expect((await world.job(second)).state.kind).toBe("pending");
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat).toMatchObject({ drain: true, directives: ["continue"] });
    await operator.mutation(api.executors.resume, { executorId });
    await world.settle();
    expect((await world.job(second)).state.kind).toBe("assigned");
    expect(await freeSlots()).toBe(0);
  });

  test("goOffline → slots gone, attempts interrupted uncharged, a late heartbeat revives nothing", async () => {
    const executor = await world.executor("box", 2);
    const jobId = await world.submit();
    const claim = await started(executor);
    await executor.mutation(api.executors.goOffline, {});
    await world.settle();
    expect(await freeSlots()).toBe(0);
    expect(await world.job(jobId)).toMatchObject({ state: { kind: "pending" }, charged: 0 });
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["stop"]);
    expect(await freeSlots()).toBe(0);
  });

  test("24: revoke → attempts back in the queue, every call refused with REVOKED", async () => {
    const executor = await world.executor("box", 1);
    const administrator = await world.user("administrator");
    const jobId = await world.submit();
    const claim = await started(executor);
    await administrator.mutation(api.executors.revoke, { executorId: executor.executorId });
    expect((await world.job(jobId)).state.kind).toBe("pending");
    const calls = [
      executor.query(api.executors.assignments, {}),
      executor.mutation(api.executors.heartbeat, { held: [] }),
      executor.mutation(api.executors.register, { registration: registration(1) }),
      finish(executor, claim, { kind: "succeeded" }),
    ];
    for (const call of calls) expect(await codeOf(call)).toBe("REVOKED");
    const operator = await world.user("operator");
    const { executorId } = executor;
    expect(await codeOf(operator.mutation(api.executors.resume, { executorId }))).toBe("REVOKED");
  });

  test("silent for longer than its lease, then back → empty, and slots only as it lets go", async () => {
    const executor = await world.executor("box", 2);
    const jobId = await world.submit();
    const claim = await started(executor);
    await world.advance(30_000);
    expect((await world.job(jobId)).state.kind).toBe("pending");
    const beat = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["stop"]);
    expect(await freeSlots()).toBe(1);
    await executor.mutation(api.executors.heartbeat, { held: [] });
    expect(await freeSlots()).toBe(2);
    await world.settle();
    expect((await onlyAssignment(executor)).attempt).toBe(2);
  });

  test("20: an executor sees its own assignments alone, and cannot touch another's", async () => {
    const mine = await world.executor("mine", 1);
    await world.submit();
    const claim = await started(mine);
    const other = await world.executor("other", 1);
    expect(await assigned(other)).toEqual([]);
    expect(await codeOf(finish(other, claim, { kind: "succeeded" }))).toBe("STALE_LEASE");
    const beat = await other.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["stop"]);
  });
});

test("a heartbeat writes its lease row and nothing else", async () => {
  const executor = await world.executor("box", 2);
  await world.submit();
  const claim = await started(executor);
  const before = await world.everything();
  vi.setSystemTime(Date.now() + 1_000);
  await executor.mutation(api.executors.heartbeat, { held: [claim] });
  const after = await world.everything();
  const leases = { leases: expect.anything() as unknown };
  expect(after).toEqual({ ...(before as object), ...leases });
  expect(after).not.toEqual(before);
});

test("leases tell of the last heartbeat and its disk; who went offline has none", async () => {
  const viewer = await world.user("viewer");
  const executor = await world.executor("box");
  const disk = { freeBytes: 3, totalBytes: 9 };
  vi.setSystemTime(Date.now() + 7_000);
  await executor.mutation(api.executors.heartbeat, { held: [], disk });
  const [lease] = await viewer.query(api.executors.leases, {});
  expect(lease).toMatchObject({ renewedAt: Date.now(), expiresAt: Date.now() + 30_000, disk });
  await executor.mutation(api.executors.goOffline, {});
  expect(await viewer.query(api.executors.leases, {})).toEqual([]);
});

test("a registration or heartbeat out of bounds → INVALID_ARGUMENT", async () => {
  const executor = await world.executor("box", 1);
  const bad = executor.mutation(api.executors.register, { registration: registration(0) });
  expect(await codeOf(bad)).toBe("INVALID_ARGUMENT");
  const jobId = await world.submit();
  const held = Array.from({ length: 65 }, (_, token) => ({ jobId, token }));
  expect(await codeOf(executor.mutation(api.executors.heartbeat, { held }))).toBe(
    "INVALID_ARGUMENT",
  );
});

test("a phase reached already changes nothing but its facts", async () => {
  const executor = await world.executor("box", 1);
  const jobId = await world.submit();
  const claim = await started(executor);
  await executor.mutation(api.executors.phase, { ...claim, phase: "running", spawnedAt: 5 });
  const { events } = await world.job(jobId);
  await executor.mutation(api.executors.phase, { ...claim, phase: "cloning", commit: "c1" });
  expect((await world.job(jobId)).state).toMatchObject({ phase: "running" });
  expect((await world.job(jobId)).events).toBe(events);
  const { job } = await world.t.query(internal.admin.showJob, { jobId });
  expect(job.latest).toMatchObject({ commit: "c1", spawnedAt: 5 });
});

test("an executor at fault is closed before its slot could be used again", async () => {
  const executor = await world.executor("box", 1);
  await world.submit();
  await world.submit();
  await finish(executor, await started(executor), failed("diskFull"));
  await world.settle();
  expect(await assigned(executor)).toEqual([]);
});

test("what its runs are kept in is shown to people, and kept in the audit", async () => {
  const executor = await world.executor("box", 1);
  const people = await world.user("administrator");
  expect((await people.query(api.executors.list, {}))[0]).not.toHaveProperty("jail");
  const said = { ...registration(1), jail: "none" as const };
  await executor.mutation(api.executors.register, { registration: said });
  expect(await people.query(api.executors.list, {})).toMatchObject([{ jail: "none" }]);
  const paginationOpts = { numItems: 5, cursor: null };
  const audit = await people.query(api.audit.list, { paginationOpts });
  expect(audit.page[0]?.detail).toContain("jail none");
});

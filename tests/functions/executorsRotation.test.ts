import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { ROTATION_AUDIENCE } from "../../convex/protocol/limits.js";
import { claimsOf, signer } from "./signer.js";
import { codeOf, finish, ISSUER, registration, START, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const auditOf = (action: string) =>
  world.t.run(async (ctx) => {
    const rows = await ctx.db.query("audit").collect();
    return rows.filter((row) => row.action === action);
  });
const key = (x: string) => ({ kty: "OKP", crv: "Ed25519", x }) as const;

/** A registered process whose key is known here, and a rotation to another. */
async function rotating() {
  const [old, next] = [await signer(), await signer()];
  const executorId = await world.enrol("box", old.x);
  const process = world.process(executorId, "boot-1", START);
  await process.mutation(api.executors.register, { registration: registration(1) });
  await world.settle();
  const rotation = async (part: object = {}, byNew: object = part) => {
    const claims = claimsOf(executorId, { aud: ROTATION_AUDIENCE, x: next.x });
    return {
      publicJwk: key(next.x),
      assertion: await old.sign({ ...claims, ...part }),
      proof: await next.sign({ ...claims, ...byNew }),
    };
  };
  return { executorId, executor: Object.assign(process, { executorId }), old, next, rotation };
}

/** The same process with a token of the epoch after one rotation. */
const renewed = (executorId: Id<"executors">) => {
  const process = { boot: "boot-1", bootAt: START, epoch: 1 };
  const identity = { issuer: `${ISSUER}/executor`, subject: executorId, ...process };
  return Object.assign(world.t.withIdentity(identity), { executorId });
};

describe("a new key", () => {
  test("takes the old one's place: what runs goes on, old tokens and assertions are refused", async () => {
    const { executorId, executor, old, next, rotation } = await rotating();
    const administrator = await world.user("administrator");
    const jobId = await world.submit();
    const claim = await started(executor);
    expect(await executor.mutation(api.executors.heartbeat, { held: [claim] })).not.toHaveProperty(
      "rotateKey",
    );
    await administrator.mutation(api.executors.requestRotation, { executorId });
    const asked = await executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(asked).toMatchObject({ rotateKey: true, directives: ["continue"] });
    const reply = await executor.mutation(api.executors.rotateKey, await rotation());
    expect(reply).toMatchObject({ ok: true });
    expect((await world.job(jobId)).state.kind).toBe("running");

    const stale = executor.mutation(api.executors.heartbeat, { held: [claim] });
    expect(await codeOf(stale)).toBe("UNAUTHENTICATED");
    const ask = async (by: typeof old, jti: string) =>
      world.t.mutation(api.executors.token, {
        executorId,
        assertion: await by.sign(claimsOf(executorId, { jti })),
      });
    expect(await ask(old, "old-key-old-key-1")).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    expect(await ask(next, "new-key-new-key-1")).toMatchObject({ ok: true });

    const after = renewed(executorId);
    const beat = await after.mutation(api.executors.heartbeat, { held: [claim] });
    expect(beat.directives).toEqual(["continue"]);
    expect(beat).not.toHaveProperty("rotateKey");
    await finish(after, claim, { kind: "succeeded" });
    expect(await world.job(jobId)).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
    expect(await auditOf("executor.keyRotated")).toHaveLength(1);
    expect(await auditOf("executor.rotationAsked")).toHaveLength(1);
  });

  test("is refused unless both keys signed for it, for each other, once, just now", async () => {
    const { executorId, executor, old, next, rotation } = await rotating();
    const third = await signer();
    const good = await rotation();
    const claims = claimsOf(executorId, { aud: ROTATION_AUDIENCE, x: next.x });
    const forgeries = [
      { ...good, assertion: await third.sign(claims) },
      { ...good, proof: await third.sign(claims) },
      { ...good, proof: good.assertion },
      { ...good, publicJwk: key(third.x), proof: await third.sign({ ...claims, x: third.x }) },
      { ...good, publicJwk: key(old.x) },
      { ...good, publicJwk: key("short") },
      await rotation({ aud: "fondation/executors/token" }),
      await rotation({}, { jti: "another-jti-of-16" }),
      await rotation({ exp: START / 1000 - 10, iat: START / 1000 - 60 }),
      await rotation({ exp: START / 1000 + 3600 }),
      await rotation({ boot: "boot-2" }),
      { ...good, assertion: "garbage", proof: "" },
    ];
    for (const forged of forgeries) {
      expect(await executor.mutation(api.executors.rotateKey, forged)).toMatchObject({ ok: false });
    }
    const row = await world.t.run((ctx) => ctx.db.get("executors", executorId));
    expect(row).toMatchObject({ epoch: 0, publicJwk: { x: old.x } });
    expect(await auditOf("executor.rotation.refused")).toHaveLength(forgeries.length);
  });

  test("a rotation's statements are good for nothing else, and not twice", async () => {
    const { executorId, executor, rotation } = await rotating();
    const good = await rotation();
    const { assertion } = good;
    expect(await world.t.mutation(api.executors.token, { executorId, assertion })).toEqual({
      ok: false,
      code: "UNAUTHENTICATED",
    });
    expect(await executor.mutation(api.executors.rotateKey, good)).toMatchObject({ ok: true });
    const again = renewed(executorId).mutation(api.executors.rotateKey, good);
    expect(await again).toEqual({ ok: false, code: "UNAUTHENTICATED" });
  });

  test("is not asked of a revoked executor", async () => {
    const { executorId } = await rotating();
    const administrator = await world.user("administrator");
    await administrator.mutation(api.executors.revoke, { executorId });
    const call = administrator.mutation(api.executors.requestRotation, { executorId });
    expect(await codeOf(call)).toBe("REVOKED");
  });
});

test("19: an assertion issued in the future, or before its time to live began → refused", async () => {
  const { executorId, old } = await rotating();
  const now = START / 1000;
  const lives = [
    { iat: now + 30, exp: now + 60 },
    { iat: now - 120, exp: now - 60 },
    { iat: now, exp: now + 61 },
    { iat: now + 1, exp: now },
  ];
  for (const [index, life] of lives.entries()) {
    const claims = claimsOf(executorId, { ...life, jti: `0123456789abcde${index}` });
    const assertion = await old.sign(claims);
    const reply = await world.t.mutation(api.executors.token, { executorId, assertion });
    expect(reply).toEqual({ ok: false, code: "UNAUTHENTICATED" });
  }
});

describe("two processes that fight over one identity", () => {
  const takeOver = async (executorId: Id<"executors">, boot: number) => {
    const process = world.process(executorId, `boot-${boot}`, START + boot);
    await process.mutation(api.executors.register, { registration: registration(1) });
    return process;
  };

  test("the third takeover of a live one within ten minutes → executor.zombie, once", async () => {
    const executorId = await world.enrol("box");
    for (let boot = 1; boot <= 4; boot += 1) await takeOver(executorId, boot);
    expect(await auditOf("executor.zombie")).toMatchObject([
      { actor: "executor:box", target: executorId },
    ]);
    await takeOver(executorId, 5);
    expect(await auditOf("executor.zombie")).toHaveLength(1);
  });

  test("an alert tells of it, and names the executor", async () => {
    const root = await world.user("administrator");
    const alerts = async () => {
      await world.t.mutation(internal.alerts.evaluate, {});
      const open = await root.query(api.alerts.list, {});
      return open.filter(({ rule, status }) => rule === "zombie" && status === "open");
    };
    const executorId = await world.enrol("box");
    for (let boot = 1; boot <= 3; boot += 1) await takeOver(executorId, boot);
    expect(await alerts()).toEqual([]);
    await takeOver(executorId, 4);
    const [alert] = await alerts();
    expect(alert?.detail).toContain(executorId);
    expect(alert?.runbook).toMatch(/two-processes-have-one-key$/);
    vi.setSystemTime(Date.now() + 61 * 60_000);
    expect(await alerts()).toHaveLength(1);
    vi.setSystemTime(Date.now() + 11 * 60_000);
    expect(await alerts()).toEqual([]);
  });

  test("restarts that left in order, and takeovers far apart, are no fight", async () => {
    const executorId = await world.enrol("box");
    for (let boot = 1; boot <= 6; boot += 1) {
      const process = await takeOver(executorId, boot);
      if (boot < 5) await process.mutation(api.executors.goOffline, {});
      else vi.setSystemTime(Date.now() + 11 * 60_000);
    }
    expect(await auditOf("executor.zombie")).toEqual([]);
  });
});

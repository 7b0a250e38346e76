import { Secret, TOTP } from "otpauth/slim";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { codeOf, START, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const STEP_MS = 30_000;
const at = (steps: number) => vi.setSystemTime(START + steps * STEP_MS);
const codeOfSeed = (seed: string, steps: number) =>
  new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: START + steps * STEP_MS });

/** A user with one-time codes on since step 0. */
async function enrolled() {
  const user = await world.user("operator", "ada");
  const { seed } = await user.mutation(api.auth.totpBegin, {});
  const reply = await user.mutation(api.auth.totpConfirm, { code: codeOfSeed(seed, 0) });
  if (!reply.ok) throw new Error(reply.code);
  return { user, seed, recoveryCodes: reply.recoveryCodes };
}

/** The right password, without the time it takes to derive it. */
async function challenged(): Promise<string> {
  const passwordHash = "of no password";
  const given = { username: "ada", passwordHash, label: "laptop" };
  const reply = await world.t.mutation(internal.auth.finishSignIn, given);
  if (reply.ok || reply.challenge === undefined) throw new Error("no challenge");
  expect(reply.code).toBe("TOTP_REQUIRED");
  return reply.challenge;
}
const answer = (challenge: string, code: string) =>
  world.t.mutation(api.auth.signInTotp, { challenge, code });
const REFUSED = { ok: false, code: "UNAUTHENTICATED" };

describe("turning one-time codes on", () => {
  test("the seed is kept sealed, the recovery codes hashed", async () => {
    const { seed, recoveryCodes } = await enrolled();
    expect(recoveryCodes).toHaveLength(8);
    const kept = JSON.stringify(await world.everything());
    expect(kept).not.toContain(seed);
    for (const code of recoveryCodes) {
      expect(kept).not.toContain(code);
      expect(kept).not.toContain(code.replaceAll("-", ""));
    }
  });

  test("a wrong first code turns nothing on", async () => {
    const user = await world.user("viewer", "ada");
    await user.mutation(api.auth.totpBegin, {});
    expect(await user.mutation(api.auth.totpConfirm, { code: "abcdef" })).toMatchObject(REFUSED);
    const given = { username: "ada", passwordHash: "of no password", label: "" };
    expect(await world.t.mutation(internal.auth.finishSignIn, given)).toMatchObject({ ok: true });
  });

  test("their owner learns whether they are on, and how many recovery codes are left", async () => {
    const viewer = await world.user("viewer", "eve");
    await viewer.mutation(api.auth.totpBegin, {});
    const off = { isOn: false, recoveryCodesLeft: 0 };
    expect(await viewer.query(api.auth.secondFactor, {})).toEqual(off);
    const { user, recoveryCodes } = await enrolled();
    const on = { isOn: true, recoveryCodesLeft: recoveryCodes.length };
    expect(await user.query(api.auth.secondFactor, {})).toEqual(on);
  });

  test("on already → they must be turned off first, which takes a code", async () => {
    const { user, seed } = await enrolled();
    expect(await codeOf(user.mutation(api.auth.totpBegin, {}))).toBe("ILLEGAL_TRANSITION");
    expect(await user.mutation(api.auth.totpOff, { code: "000000" })).toMatchObject(REFUSED);
    at(1);
    const off = await user.mutation(api.auth.totpOff, { code: codeOfSeed(seed, 1) });
    expect(off).toEqual({ ok: true });
    await user.mutation(api.auth.totpBegin, {});
  });

  test("an API key may not touch what its user signs in with", async () => {
    const user = await world.user("viewer", "ada");
    const made = { name: "ci", role: "viewer", lifeMs: 60_000 } as const;
    const { apiKeyId } = await user.mutation(api.apiKeys.create, made);
    const identity = { issuer: "https://queue.test/user", subject: user.userId, key: apiKeyId };
    const program = world.t.withIdentity(identity);
    expect(await codeOf(program.mutation(api.auth.totpBegin, {}))).toBe("FORBIDDEN");
    expect(await codeOf(program.mutation(api.apiKeys.create, made))).toBe("FORBIDDEN");
  });
});

describe("signing in with a one-time code", () => {
  test("10: the code of enrolment is used; the next one opens the session, once", async () => {
    const { seed } = await enrolled();
    const challenge = await challenged();
    expect(await answer(challenge, codeOfSeed(seed, 0))).toEqual(REFUSED);
    at(1);
    const code = codeOfSeed(seed, 1);
    expect(await answer(challenge, code)).toMatchObject({ ok: true });
    expect(await answer(challenge, code)).toEqual(REFUSED);
    expect(await answer(await challenged(), code)).toEqual(REFUSED);
  });

  test.each([
    ["two steps old", 2],
    ["two steps ahead", 6],
  ])("a code %s is refused", async (_, steps) => {
    const { seed } = await enrolled();
    at(4);
    expect(await answer(await challenged(), codeOfSeed(seed, steps))).toEqual(REFUSED);
  });

  test.each(["", "abcdef", "12345", "1234567", "\0\0\0\0\0\0", "x".repeat(8_192)])(
    "10: %j is refused",
    async (code) => {
      await enrolled();
      expect(await answer(await challenged(), code)).toEqual(REFUSED);
    },
  );

  test("12: a recovery code opens a session once, however it is typed", async () => {
    const { recoveryCodes } = await enrolled();
    const [code = ""] = recoveryCodes;
    const typed = code.toLowerCase().replaceAll("-", " ");
    expect(await answer(await challenged(), typed)).toMatchObject({ ok: true });
    expect(await answer(await challenged(), code)).toEqual(REFUSED);
  });

  test("11: a challenge ends after five minutes", async () => {
    const { seed } = await enrolled();
    const challenge = await challenged();
    at(10);
    expect(await answer(challenge, codeOfSeed(seed, 10))).toEqual(REFUSED);
  });

  test("11: five wrong codes end the challenge and lock the account, whatever passwords came between", async () => {
    const { seed } = await enrolled();
    const first = await challenged();
    for (let i = 0; i < 3; i += 1) await answer(first, "000000");
    const second = await challenged();
    for (let i = 0; i < 2; i += 1) await answer(second, "000000");
    at(1);
    expect(await answer(second, codeOfSeed(seed, 1))).toEqual(REFUSED);
    const given = { username: "ada", passwordHash: "of no password", label: "" };
    expect(await world.t.mutation(internal.auth.finishSignIn, given)).toEqual(REFUSED);
  });

  test.each(["made up", "", "fch_"])(
    "11: a challenge that is none (%j) is refused",
    async (challenge) => {
      expect(await answer(challenge, "123456")).toEqual(REFUSED);
    },
  );

  test("11: a challenge does not outlive a reset of its user", async () => {
    const { user, recoveryCodes } = await enrolled();
    const challenge = await challenged();
    await world.t.mutation(internal.users.applyReset, {
      userId: user.userId,
      clearTotp: false,
      actor: "test",
    });
    expect(await answer(challenge, recoveryCodes[0] ?? "")).toEqual(REFUSED);
  });
});

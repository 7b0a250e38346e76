import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { codeOf, ISSUER, START, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const password = "correct horse battery";
const setUp = (part: object = {}) =>
  world.t.action(api.auth.setUp, { setupToken: "set-me-up", username: "Root", password, ...part });
const signIn = (part: object = {}) =>
  world.t.action(api.auth.signIn, { username: "root", password, ...part });
const audited = () =>
  world.t.run(async (ctx) => (await ctx.db.query("audit").collect()).map((row) => row.action));

/** The caller that an access token stands for; its signature is the platform's to check. */
function holder(accessToken: string) {
  const part = (accessToken.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
  const claims = JSON.parse(atob(part)) as { iss: string; sub: string; sid: string; aud: string };
  expect(claims).toMatchObject({ iss: `${ISSUER}/user`, aud: "fondation" });
  return world.t.withIdentity({ issuer: claims.iss, subject: claims.sub, sid: claims.sid });
}

describe("7: set-up", () => {
  test("makes the first administrator, once", async () => {
    expect(await setUp()).toEqual({ ok: true });
    expect(await setUp({ username: "second" })).toMatchObject({
      ok: false,
      code: "ALREADY_SET_UP",
    });
    const reply = await signIn();
    if (!reply.ok) throw new Error(reply.code);
    expect(await holder(reply.accessToken).query(api.auth.me, {})).toEqual({
      username: "root",
      role: "administrator",
    });
  });

  test.each([
    ["a wrong token", { setupToken: "guess" }, "FORBIDDEN"],
    ["a short password", { password: "short" }, "INVALID_ARGUMENT"],
    ["a password of 8 KiB", { password: "x".repeat(8_192) }, "INVALID_ARGUMENT"],
    ["a bad name", { username: "a b" }, "INVALID_ARGUMENT"],
  ])("%s is refused", async (_, part, code) => {
    expect(await setUp(part)).toMatchObject({ ok: false, code });
    expect(await world.t.run((ctx) => ctx.db.query("users").collect())).toEqual([]);
  });

  test("without SETUP_TOKEN nobody sets up, and the refusal is audited", async () => {
    vi.stubEnv("SETUP_TOKEN", "");
    expect(await setUp({ setupToken: "" })).toMatchObject({ ok: false, code: "FORBIDDEN" });
    expect(await audited()).toEqual(["setUp.refused"]);
  });
});

describe("sign-in", () => {
  test("8: an unknown name and a wrong password get the same answer, and both are audited", async () => {
    await setUp();
    const wrong = await signIn({ password: "wrong password!" });
    expect(await signIn({ username: "nobody" })).toEqual(wrong);
    expect(wrong).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    expect((await audited()).filter((action) => action === "signIn.refused")).toHaveLength(2);
  });

  test("9: five failures lock, even for the right password, until the lock ends", async () => {
    await setUp();
    for (let i = 0; i < 5; i += 1) await signIn({ password: "wrong password!" });
    expect(await signIn()).toMatchObject({ ok: false });
    vi.setSystemTime(START + 15 * 60_000);
    expect(await signIn()).toMatchObject({ ok: true, expiresAt: START + 25 * 60_000 });
  }, 30_000);

  test("sign-out ends the session at once", async () => {
    await setUp();
    const reply = await signIn();
    if (!reply.ok) throw new Error(reply.code);
    const user = holder(reply.accessToken);
    await user.mutation(api.auth.signOut, {});
    expect(await codeOf(user.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    const { refreshToken } = reply;
    expect(await world.t.mutation(api.auth.refresh, { refreshToken })).toMatchObject({ ok: false });
  });

  test("no secret is kept as it is: not the password, not a refresh token", async () => {
    await setUp();
    const reply = await signIn();
    if (!reply.ok) throw new Error(reply.code);
    const kept = await world.t.run(async (ctx) => [
      await ctx.db.query("credentials").collect(),
      await ctx.db.query("sessions").collect(),
      await ctx.db.query("audit").collect(),
    ]);
    const text = JSON.stringify(kept);
    expect(text).not.toContain(password);
    expect(text).not.toContain(reply.refreshToken);
  });
});

describe("refresh", () => {
  async function signedIn(): Promise<string> {
    await setUp();
    const reply = await signIn();
    if (!reply.ok) throw new Error(reply.code);
    return reply.refreshToken;
  }
  const refresh = (refreshToken: string) => world.t.mutation(api.auth.refresh, { refreshToken });

  test("13: replaces the token; the old one is taken for ten seconds more", async () => {
    const old = await signedIn();
    const next = await refresh(old);
    expect(next).toMatchObject({ ok: true });
    vi.setSystemTime(START + 10_000);
    expect(await refresh(old)).toMatchObject({ ok: true });
  });

  test("13: the old token used later → the session ends for both holders", async () => {
    const old = await signedIn();
    const next = await refresh(old);
    if (!next.ok) throw new Error(next.code);
    vi.setSystemTime(START + 10_001);
    expect(await refresh(old)).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    expect(await refresh(next.refreshToken)).toMatchObject({ ok: false });
    expect(await audited()).toContain("session.reused");
  });

  test.each(["", "nonsense", "x".repeat(5_000)])(
    "a token that is none is refused",
    async (token) => {
      expect(await refresh(token)).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    },
  );

  test("14: a session that is over is not renewed", async () => {
    const token = await signedIn();
    vi.setSystemTime(START + 12 * 3_600_000);
    expect(await refresh(token)).toMatchObject({ ok: false });
  });
});

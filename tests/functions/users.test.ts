import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
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
const audited = async (action: string) =>
  world.t.run(async (ctx) =>
    (await ctx.db.query("audit").collect()).filter((row) => row.action === action),
  );
const ROOMS = { paginationOpts: { numItems: 10, cursor: null } };

describe("administrators", () => {
  test("make users, who can sign in", async () => {
    const root = await world.user("administrator", "root");
    const made = { username: "Ada", password, role: "operator" as const };
    await root.action(api.users.create, made);
    const reply = await world.t.action(api.auth.signIn, { username: "ada", password });
    expect(reply).toMatchObject({ ok: true });
    expect(await codeOf(root.action(api.users.create, made))).toBe("INVALID_ARGUMENT");
    expect(await audited("user.created")).toMatchObject([
      { actor: "user:root", target: "user:ada", detail: "operator" },
    ]);
  }, 30_000);

  test.each([
    ["too short", "x".repeat(11)],
    ["too long", "x".repeat(257)],
    ["with NUL", "x".repeat(12) + "\0"],
    ["of 1 MB", "x".repeat(1_000_000)],
  ])("16: cannot set a password %s", async (_, bad) => {
    const root = await world.user("administrator", "root");
    const made = { username: "ada", password: bad, role: "viewer" as const };
    expect(await codeOf(root.action(api.users.create, made))).toBe("INVALID_ARGUMENT");
  });

  test("change roles, which hold from the next call on", async () => {
    const root = await world.user("administrator", "root");
    const ada = await world.user("viewer", "ada");
    await root.mutation(api.users.setRole, { userId: ada.userId, role: "administrator" });
    expect((await ada.query(api.users.list, ROOMS)).page).toHaveLength(2);
    await ada.mutation(api.users.setRole, { userId: root.userId, role: "viewer" });
    expect(await codeOf(root.query(api.users.list, ROOMS))).toBe("FORBIDDEN");
  });

  test("15: cannot demote or disable the last of them", async () => {
    const root = await world.user("administrator", "root");
    const other = await world.user("administrator", "other");
    await root.mutation(api.users.setDisabled, { userId: other.userId, disabled: true });
    const { userId } = root;
    const demoted = root.mutation(api.users.setRole, { userId, role: "operator" });
    expect(await codeOf(demoted)).toBe("ILLEGAL_TRANSITION");
    const disabled = root.mutation(api.users.setDisabled, { userId, disabled: true });
    expect(await codeOf(disabled)).toBe("ILLEGAL_TRANSITION");
  });

  test("disable a user at once; enabled again, he has to sign in anew", async () => {
    const root = await world.user("administrator", "root");
    const ada = await world.user("viewer", "ada");
    const { userId } = ada;
    await root.mutation(api.users.setDisabled, { userId, disabled: true });
    expect(await codeOf(ada.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    await root.mutation(api.users.setDisabled, { userId, disabled: false });
    expect(await codeOf(ada.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });

  test("15: reset a password and one-time codes: every session and key of the user ends, the lock too", async () => {
    const root = await world.user("administrator", "root");
    const ada = await world.user("viewer", "ada");
    const { key } = await ada.mutation(api.apiKeys.create, {
      name: "ci",
      role: "viewer",
      lifeMs: 60_000,
    });
    await ada.mutation(api.auth.totpBegin, {});
    const wrong = { username: "ada", passwordHash: "wrong", label: "" };
    for (let i = 0; i < 5; i += 1) await world.t.mutation(internal.auth.finishSignIn, wrong);
    await root.action(api.users.reset, { userId: ada.userId, password, clearTotp: true });
    expect(await codeOf(ada.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    expect(await world.t.mutation(api.auth.exchangeKey, { key })).toMatchObject({ ok: false });
    const reply = await world.t.action(api.auth.signIn, { username: "ada", password });
    expect(reply).toMatchObject({ ok: true });
  }, 30_000);
});

test("who holds the deployment key lets a locked-out administrator in again", async () => {
  const root = await world.user("administrator", "root");
  await world.t.run((ctx) =>
    ctx.db.patch("users", root.userId, { role: "viewer", disabled: true }),
  );
  const given = { username: "root", password, clearTotp: true, administrator: true };
  await world.t.action(internal.users.emergencyReset, given);
  const reply = await world.t.action(api.auth.signIn, { username: "root", password });
  expect(reply).toMatchObject({ ok: true });
  expect(await audited("user.reset")).toMatchObject([{ actor: "operator", target: "user:root" }]);
}, 30_000);

describe("sessions", () => {
  test("are listed with their names and revoked at once, by their user alone", async () => {
    const ada = await world.user("viewer", "ada");
    const bob = await world.user("viewer", "bob");
    const { sessionId } = ada;
    await ada.mutation(api.sessions.rename, { sessionId, label: "laptop" });
    const [only, ...more] = await ada.query(api.sessions.list, {});
    expect(more).toEqual([]);
    expect(only).toMatchObject({ sessionId, label: "laptop", current: true });
    expect(await codeOf(bob.mutation(api.sessions.revoke, { sessionId }))).toBe("NOT_FOUND");
    expect(await codeOf(bob.query(api.sessions.list, { userId: ada.userId }))).toBe("NOT_FOUND");
    await ada.mutation(api.sessions.revoke, { sessionId });
    expect(await codeOf(ada.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });

  test("of a user are ended by an administrator, and of everybody by who holds the deployment key", async () => {
    const root = await world.user("administrator", "root");
    const ada = await world.user("viewer", "ada");
    const { userId } = ada;
    expect(await root.mutation(api.sessions.revokeAll, { userId })).toEqual({ ended: 1 });
    expect(await codeOf(ada.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    await world.t.mutation(internal.sessions.endAll, {});
    expect(await codeOf(root.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });

  test("past fifty of one user the oldest ends", async () => {
    const ada = await world.user("viewer", "ada");
    const given = { username: "ada", passwordHash: "of no password", label: "" };
    for (let i = 0; i < 50; i += 1) await world.t.mutation(internal.auth.finishSignIn, given);
    expect(await codeOf(ada.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
    const rows = await world.t.run((ctx) => ctx.db.query("sessions").collect());
    expect(rows).toHaveLength(50);
  });

  test("17: retention removes what is over, a batch at a time, and nothing else", async () => {
    const ada = await world.user("viewer", "ada");
    await world.t.run(async (ctx) => {
      for (let i = 0; i < 300; i += 1) {
        const refreshHash = `over ${i}`;
        const row = { userId: ada.userId, epoch: 0, rotatedAt: 0, label: "", refreshHash };
        await ctx.db.insert("sessions", { ...row, expiresAt: START });
      }
    });
    const prune = async (dryRun: boolean) =>
      world.t.action(internal.retention.prune, { kinds: ["expired"], dryRun });
    expect(await prune(true)).toMatchObject({ rows: { sessions: 300 }, isComplete: true });
    expect(await prune(false)).toMatchObject({ rows: { sessions: 300 }, isComplete: true });
    expect(await prune(false)).toMatchObject({ rows: { sessions: 0 }, isComplete: true });
    expect(await ada.query(api.auth.me, {})).toMatchObject({ username: "ada" });
  });
});

describe("API keys", () => {
  const made = { name: "ci", role: "viewer" as const, lifeMs: 60_000 };
  /** The caller that a key stands for. */
  async function program(key: string) {
    const reply = await world.t.mutation(api.auth.exchangeKey, { key });
    if (!reply.ok) throw new Error(reply.code);
    const part = (reply.accessToken.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const claims = JSON.parse(atob(part)) as { sub: string; key: string; exp: number };
    const identity = { issuer: `${ISSUER}/user`, subject: claims.sub, key: claims.key };
    return { caller: world.t.withIdentity(identity), claims };
  }

  test("stand for their user with their own role at most, and tokens do not outlive them", async () => {
    const ada = await world.user("operator", "ada");
    const { key, apiKeyId } = await ada.mutation(api.apiKeys.create, made);
    const { caller, claims } = await program(key);
    expect(await caller.query(api.auth.me, {})).toEqual({ username: "ada", role: "viewer" });
    const submitted = caller.mutation(api.jobs.submit, { repository: "a/b", prompt: "x" });
    expect(await codeOf(submitted)).toBe("FORBIDDEN");
    expect(claims.exp * 1000).toBe(START + 60_000);
    await ada.mutation(api.apiKeys.revoke, { apiKeyId });
    expect(await codeOf(caller.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });

  test("lose what their user loses", async () => {
    const ada = await world.user("operator", "ada");
    const asOperator = { ...made, role: "operator" as const };
    const { key } = await ada.mutation(api.apiKeys.create, asOperator);
    await world.t.run((ctx) => ctx.db.patch("users", ada.userId, { role: "viewer" }));
    const { caller } = await program(key);
    expect(await caller.query(api.auth.me, {})).toMatchObject({ role: "viewer" });
  });

  test("are refused when over, unknown or more than their maker; only four characters are shown", async () => {
    const ada = await world.user("operator", "ada");
    const { key } = await ada.mutation(api.apiKeys.create, made);
    const listed = await ada.query(api.apiKeys.list, {});
    expect(listed).toMatchObject([{ name: "ci", lastFour: key.slice(-4) }]);
    expect(JSON.stringify(await world.everything())).not.toContain(key);
    const asRoot = { ...made, role: "administrator" as const };
    expect(await codeOf(ada.mutation(api.apiKeys.create, asRoot))).toBe("INVALID_ARGUMENT");
    vi.setSystemTime(START + 60_000);
    for (const bad of [key, "fak_unknown", ""]) {
      const reply = await world.t.mutation(api.auth.exchangeKey, { key: bad });
      expect(reply).toEqual({ ok: false, code: "UNAUTHENTICATED" });
    }
  });
});

test("16: a flood of sign-ins is stopped before any password is derived, whatever address it shows", async () => {
  const spy = vi.spyOn(crypto.subtle, "deriveBits").mockResolvedValue(new ArrayBuffer(64));
  let limited = 0;
  for (let i = 0; i < 70; i += 1) {
    const from = world.t.withRequestMetadata({ ip: `10.0.0.${i}` });
    const reply = await from.action(api.auth.signIn, { username: `user${i}`, password });
    if (!reply.ok && reply.code === "RATE_LIMITED") limited += 1;
  }
  expect({ limited, derived: spy.mock.calls.length }).toEqual({ limited: 10, derived: 60 });
  spy.mockRestore();
});

test("16: one account is limited by itself, known or not", async () => {
  const spy = vi.spyOn(crypto.subtle, "deriveBits").mockResolvedValue(new ArrayBuffer(64));
  await world.user("viewer", "ada");
  await world.t.run(async (ctx) => {
    for (const row of await ctx.db.query("credentials").collect()) {
      await ctx.db.patch("credentials", row._id, { passwordHash: "pbkdf2-sha512$1$AA$AA" });
    }
  });
  const codes: string[][] = [];
  for (const username of ["ada", "nobody"]) {
    const seen: string[] = [];
    for (let i = 0; i < 22; i += 1) {
      const reply = await world.t.action(api.auth.signIn, { username, password });
      seen.push(reply.ok ? "ok" : reply.code);
    }
    codes.push(seen);
  }
  expect(codes[0]).toEqual(codes[1]);
  expect(codes[0]?.slice(19)).toEqual(["UNAUTHENTICATED", "RATE_LIMITED", "RATE_LIMITED"]);
  spy.mockRestore();
});

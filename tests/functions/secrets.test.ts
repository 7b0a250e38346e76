import { Secret, TOTP } from "otpauth/slim";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { toBase64Url } from "../../convex/lib/crypto.js";
import type { SecretKind } from "../../convex/protocol/secret.js";
import { codeOf, onlyAssignment, registration, START, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const TOKEN = "github_pat_11AAAAAAA0aBcDeFgHiJkL";
const key = (byte: number) => toBase64Url(new Uint8Array(32).fill(byte));
type Person = Awaited<ReturnType<World["user"]>>;
const set = (as: Person, ...[kind, name, value = TOKEN]: [SecretKind, string, string?]) =>
  as.action(api.secrets.set, { kind, name, value, ...(kind === "claude" ? CLAUDE : {}) });
const CLAUDE = { form: "apiKey" } as const;
const auditOf = (action: string) =>
  world.t.run(async (ctx) => {
    const rows = await ctx.db.query("audit").collect();
    return rows.filter((row) => row.action === action);
  });
const allText = async () => JSON.stringify(await world.everything());

describe("keeping secrets", () => {
  test("a secret is sealed; its list shows its last four characters and nothing more of it", async () => {
    const administrator = await world.user("administrator");
    await set(administrator, "repositoryToken", "https://github.com/Octo/Hello.git");
    expect(await administrator.query(api.secrets.list, {})).toEqual([
      {
        secretId: expect.anything() as unknown,
        kind: "repositoryToken",
        name: "github.com/octo/hello",
        status: "active",
        lastFour: "iJkL",
        setBy: "user:administrator",
        setAt: START,
      },
    ]);
    expect(await allText()).not.toContain(TOKEN);
    expect(await auditOf("secret.set")).toMatchObject([
      { actor: "user:administrator", target: "repositoryToken:github.com/octo/hello" },
    ]);
  });

  test("set again → replaced, in one row; removed → nothing of it is left", async () => {
    const administrator = await world.user("administrator");
    const first = await set(administrator, "claude", "team");
    const second = await set(administrator, "claude", "team", "sk-ant-0123456789abcdefXYZW");
    expect(second).toEqual(first);
    expect(await administrator.query(api.secrets.list, {})).toMatchObject([{ lastFour: "XYZW" }]);
    await administrator.mutation(api.secrets.remove, first);
    expect(await administrator.query(api.secrets.list, {})).toEqual([]);
    const boxes = await world.t.run((ctx) => ctx.db.query("secretBoxes").collect());
    expect(boxes).toEqual([]);
    expect(await auditOf("secret.replaced")).toHaveLength(1);
    expect(await auditOf("secret.removed")).toHaveLength(1);
  });

  test.each([
    ["too short", "repositoryToken", "octo/hello", "short", {}],
    ["of two lines", "repositoryToken", "octo/hello", "0123456789abcdef\nX-Evil: 1", {}],
    ["too long", "repositoryToken", "octo/hello", "x".repeat(8_193), {}],
    [
      "for a repository on a host not allowed",
      "repositoryToken",
      "https://evil.test/a/b",
      TOKEN,
      {},
    ],
    ["for a user token without a host", "userToken", "alice", TOKEN, {}],
    ["for a user token on another host", "userToken", "alice@evil.test", TOKEN, {}],
    ["with a label of two words", "webhook", "a b", TOKEN, {}],
    ["of Claude without a form", "claude", "team", TOKEN, {}],
    ["of a repository with a form", "repositoryToken", "octo/hello", TOKEN, CLAUDE],
  ] as const)("%s → INVALID_ARGUMENT without the value", async (...[, kind, name, value, more]) => {
    const administrator = await world.user("administrator");
    const before = await world.everything();
    const call = administrator.action(api.secrets.set, { kind, name, value, ...more });
    expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
    const message = await call.catch((error: unknown) => String(error));
    expect(message).not.toContain(value);
    expect(await world.everything()).toEqual(before);
  });

  test("operators set, see and remove their own tokens, and no others", async () => {
    const alice = await world.user("operator", "alice");
    const administrator = await world.user("administrator");
    await set(administrator, "webhook", "github");
    await set(administrator, "userToken", "Bob@github.com");
    await alice.action(api.secrets.setMyToken, { host: "GitHub.com", value: TOKEN });
    const mine = [{ kind: "userToken", name: "alice@github.com" }];
    expect(await alice.query(api.secrets.listMine, {})).toMatchObject(mine);
    expect(await administrator.query(api.secrets.list, {})).toHaveLength(3);
    await alice.mutation(api.secrets.removeMyToken, { host: "github.com" });
    const again = alice.mutation(api.secrets.removeMyToken, { host: "github.com" });
    expect(await codeOf(again)).toBe("NOT_FOUND");
    const names = (await administrator.query(api.secrets.list, {})).map((secret) => secret.name);
    expect(names).toEqual(["bob@github.com", "github"]);
  });

  test("a host of another user's choosing is no way to another's token", async () => {
    const alice = await world.user("operator", "alice");
    for (const host of ["evil.test", "github.com@evil.test", "", "github.com\n"]) {
      const call = alice.action(api.secrets.setMyToken, { host, value: TOKEN });
      expect(await codeOf(call)).toBe("INVALID_ARGUMENT");
    }
  });
});

/** A job with a live lease on an executor, and secrets of all kinds. */
async function leased() {
  const administrator = await world.user("administrator");
  await set(administrator, "repositoryToken", "octo/hello");
  await set(administrator, "claude", "team", "sk-ant-0123456789abcdef");
  const executor = await world.executor("box", 1);
  await world.submit();
  const claim = await started(executor);
  return { administrator, executor, claim };
}

describe("issuing secrets", () => {
  test("to the holder of a live lease, each time with an audit row", async () => {
    const { executor, claim } = await leased();
    const issued = await executor.action(api.secrets.issue, { ...claim, use: "clone" });
    expect(issued).toEqual({ username: "x-access-token", secret: TOKEN });
    await executor.action(api.secrets.issue, { ...claim, use: "clone" });
    expect(await executor.action(api.secrets.issue, { ...claim, use: "claude" })).toEqual({
      form: "apiKey",
      secret: "sk-ant-0123456789abcdef",
    });
    const detail = `clone job ${claim.jobId} token ${claim.token}`;
    const target = "repositoryToken:github.com/octo/hello";
    const row = { actor: "executor:box", target, detail };
    expect(await auditOf("secret.issued")).toMatchObject([row, row, { target: "claude:team" }]);
  });

  test("27: without a lease, with another's, with a wrong token, as a person, as nobody → refused", async () => {
    const { administrator, executor, claim } = await leased();
    const other = await world.executor("other", 1);
    const args = { ...claim, use: "clone" as const };
    expect(await codeOf(other.action(api.secrets.issue, args))).toBe("STALE_LEASE");
    const wrong = executor.action(api.secrets.issue, { ...args, token: claim.token + 1 });
    expect(await codeOf(wrong)).toBe("STALE_LEASE");
    expect(await codeOf(administrator.action(api.secrets.issue, args))).toBe("UNAUTHENTICATED");
    expect(await codeOf(world.t.action(api.secrets.issue, args))).toBe("UNAUTHENTICATED");
    expect(await auditOf("secret.refused")).toMatchObject([
      { actor: "executor:other" },
      { actor: "executor:box" },
    ]);
    expect(await auditOf("secret.issued")).toEqual([]);
  });

  test("27: when the lease has run out by the clock, though nothing took it back yet → refused", async () => {
    const { executor, claim } = await leased();
    vi.setSystemTime(Date.now() + 30_000);
    const call = executor.action(api.secrets.issue, { ...claim, use: "clone" });
    expect(await codeOf(call)).toBe("STALE_LEASE");
  });

  test("27: after the attempt was taken back, finished or revoked → refused", async () => {
    const { administrator, executor, claim } = await leased();
    const args = { ...claim, use: "clone" as const };
    await administrator.mutation(api.jobs.cancel, { jobId: claim.jobId });
    await world.advance(20_000);
    await executor.mutation(api.executors.heartbeat, { held: [] });
    expect(await codeOf(executor.action(api.secrets.issue, args))).toBe("STALE_LEASE");
    await administrator.mutation(api.executors.revoke, { executorId: executor.executorId });
    expect(await codeOf(executor.action(api.secrets.issue, args))).toBe("REVOKED");
  });

  test("21: to the earlier process of an identity → SUPERSEDED", async () => {
    const { executor, claim } = await leased();
    const next = world.process(executor.executorId, "boot-2", START + 1);
    await next.mutation(api.executors.register, { registration: registration(1) });
    const call = executor.action(api.secrets.issue, { ...claim, use: "clone" });
    expect(await codeOf(call)).toBe("SUPERSEDED");
  });

  test("a process that is replaced between the check and the issue gets nothing", async () => {
    const { executor, claim } = await leased();
    const { executorId } = executor;
    const args = { executorId, ...claim, use: "clone" as const };
    const stale = await world.t.mutation(internal.secrets.take, { ...args, boot: "boot-0" });
    expect(stale.kind).toBe("refused");
    expect((await world.t.mutation(internal.secrets.take, { ...args, boot: "boot-1" })).kind).toBe(
      "box",
    );
  });

  test("the repository's token comes before its submitter's; disabled and expired ones do not count", async () => {
    const administrator = await world.user("administrator");
    const alice = await world.user("operator", "alice");
    const executor = await world.executor("box", 1);
    await alice.mutation(api.jobs.submit, { repository: "octo/hello", prompt: "x" });
    await world.settle();
    const { jobId, token } = await onlyAssignment(executor);
    const issue = async () =>
      (await executor.action(api.secrets.issue, { jobId, token, use: "clone" }))?.secret ?? null;
    expect(await issue()).toBe(null);
    await set(administrator, "userToken", "bob@github.com", "of-bob-0123456789");
    await set(administrator, "repositoryToken", "octo/other", "other-0123456789ab");
    expect(await issue()).toBe(null);
    await alice.action(api.secrets.setMyToken, {
      host: "github.com",
      value: "of-alice-0123456789",
    });
    expect(await issue()).toBe("of-alice-0123456789");
    const { secretId } = await set(administrator, "repositoryToken", "octo/hello");
    expect(await issue()).toBe(TOKEN);
    await administrator.mutation(api.secrets.setStatus, { secretId, status: "disabled" });
    expect(await issue()).toBe("of-alice-0123456789");
    await administrator.action(api.secrets.set, {
      ...{ kind: "repositoryToken", name: "octo/hello", value: TOKEN },
      expiresAt: Date.now(),
    });
    expect(await issue()).toBe("of-alice-0123456789");
  });
});

/** How many texts in the whole database are sealed with a key. */
async function sealedWith(kid: string): Promise<number> {
  let count = 0;
  const visit = (value: unknown): void => {
    if (typeof value === "string" && value.startsWith(`v1.${kid}.`)) count += 1;
    if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
  };
  visit(await world.everything());
  return count;
}

const codeOfSeed = (seed: string, timestamp: number) =>
  new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp });

describe("28: rotation of the key ring", () => {
  test("sealed again with the current key, everything is issued as before without the old one", async () => {
    const { administrator, executor, claim } = await leased();
    for (let i = 0; i < 60; i += 1) await set(administrator, "webhook", `hook-${i}`);
    vi.stubEnv("SECRETS_KEYS", `k1:${key(1)},k2:${key(2)}`);
    vi.stubEnv("SECRETS_CURRENT", "k2");
    await set(administrator, "webhook", "new");
    expect(await world.t.action(internal.secrets.reseal, {})).toEqual({
      looked: 63,
      resealed: 62,
      broken: [],
    });
    expect(await world.t.action(internal.secrets.reseal, {})).toMatchObject({ resealed: 0 });
    vi.stubEnv("SECRETS_KEYS", `k2:${key(2)}`);
    const issued = await executor.action(api.secrets.issue, { ...claim, use: "clone" });
    expect(issued?.secret).toBe(TOKEN);
  });

  test("whatever is sealed is sealed again, in every table; one-time codes are good as before", async () => {
    await leased();
    const ada = await world.user("viewer", "ada");
    const { seed } = await ada.mutation(api.auth.totpBegin, {});
    const confirm = { code: codeOfSeed(seed, Date.now()) };
    expect(await ada.mutation(api.auth.totpConfirm, confirm)).toMatchObject({ ok: true });
    await (await world.user("viewer", "bob")).mutation(api.auth.totpBegin, {});
    expect(await sealedWith("k1")).toBe(4);
    vi.stubEnv("SECRETS_KEYS", `k1:${key(1)},k2:${key(2)}`);
    vi.stubEnv("SECRETS_CURRENT", "k2");
    expect(await world.t.action(internal.secrets.reseal, {})).toEqual({
      looked: 4,
      resealed: 4,
      broken: [],
    });
    expect([await sealedWith("k1"), await sealedWith("k2")]).toEqual([0, 4]);
    vi.stubEnv("SECRETS_KEYS", `k2:${key(2)}`);
    const off = { code: codeOfSeed(seed, Date.now() + 30_000) };
    expect(await ada.mutation(api.auth.totpOff, off)).toEqual({ ok: true });
  });

  test("a box whose key is gone is left as it is and named", async () => {
    const { administrator } = await leased();
    vi.stubEnv("SECRETS_KEYS", `k2:${key(2)}`);
    vi.stubEnv("SECRETS_CURRENT", "k2");
    await set(administrator, "webhook", "new");
    expect(await world.t.action(internal.secrets.reseal, {})).toEqual({
      looked: 3,
      resealed: 0,
      broken: ["repositoryToken:github.com/octo/hello", "claude:team"],
    });
  });

  test("28: a box moved to another secret's row does not open", async () => {
    const { executor, claim } = await leased();
    await world.t.run(async (ctx) => {
      const [one, two] = await ctx.db.query("secretBoxes").collect();
      if (one === undefined || two === undefined) throw new Error("not two boxes");
      await ctx.db.patch("secretBoxes", one._id, { box: two.box });
    });
    const call = executor.action(api.secrets.issue, { ...claim, use: "clone" });
    await expect(call).rejects.toThrow(/does not open/);
  });

  test("a secret set anew while it was sealed again keeps its new value", async () => {
    const { administrator, executor, claim } = await leased();
    const of = "secretBoxes" as const;
    const { page } = await world.t.query(internal.secrets.boxes, { of, cursor: null });
    await set(administrator, "repositoryToken", "octo/hello", "new-0123456789abcdef");
    const swaps = page.map(({ id, box }) => ({ id, from: box, to: box }));
    expect(await world.t.mutation(internal.secrets.swapBoxes, { of, swaps })).toBe(1);
    const issued = await executor.action(api.secrets.issue, { ...claim, use: "clone" });
    expect(issued?.secret).toBe("new-0123456789abcdef");
  });
});

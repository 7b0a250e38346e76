import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import * as RateLimits from "../../convex/model/rateLimits.js";
import { claimsOf, signer } from "./signer.js";
import { codeOf, START, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const MINUTE = 60_000;
type Kind = Parameters<typeof RateLimits.use>[1];

/** Takes from an allowance. */
const take = (kind: Kind, taken: { key?: string; count?: number }) =>
  world.t.run((ctx) => RateLimits.use(ctx, kind, taken));

/** The code of a call that answers with a refusal, or throws one. */
async function outcome(call: Promise<unknown>): Promise<string> {
  let reply: unknown;
  const code = await codeOf(call.then((answer) => (reply = answer)));
  if (code !== "accepted") return code;
  if (typeof reply !== "object" || reply === null || !("code" in reply)) return "accepted";
  return String(reply.code);
}

/** Somebody with an allowance of `capacity` calls, and one such call. */
type Case = { key?: string; again: () => Promise<unknown> };
const password = "correct horse battery";
const cases: [Kind, number, () => Promise<Case>][] = [
  [
    "jobsOfAccount",
    1_200,
    async () => {
      const ada = await world.user("operator", "ada");
      const job = { repository: "a/b", prompt: "x" };
      return { key: ada.userId, again: () => ada.mutation(api.jobs.submit, job) };
    },
  ],
  [
    "operationsOfAccount",
    60,
    async () => {
      const ada = await world.user("operator", "ada");
      const all = { action: "cancel", filter: { state: "failed" } } as const;
      return { key: ada.userId, again: () => ada.mutation(api.bulk.start, all) };
    },
  ],
  [
    "exportsOfAccount",
    240,
    async () => {
      const root = await world.user("administrator", "root");
      return { key: root.userId, again: () => root.action(api.audit.export, { cursor: null }) };
    },
  ],
  [
    "passwordsOfAdministrator",
    30,
    async () => {
      const root = await world.user("administrator", "root");
      const made = { username: "bob", password, role: "viewer" } as const;
      return { key: root.userId, again: () => root.action(api.users.create, made) };
    },
  ],
  [
    "passwordsOfAll",
    60,
    () => {
      const args = { setupToken: "set-me-up", username: "root", password };
      return Promise.resolve({ again: () => world.t.action(api.auth.setUp, args) });
    },
  ],
  [
    "secretsOfExecutor",
    256,
    async () => {
      const executor = await world.executor("box", 1, 900_000);
      await world.submit();
      const asked = { ...(await started(executor)), use: "clone" } as const;
      return {
        key: executor.executorId,
        again: () => executor.action(api.secrets.issue, asked),
      };
    },
  ],
];

describe("an allowance that is used up refuses with RATE_LIMITED, before anything is done", () => {
  test.each(cases)("%s", async (kind, capacity, make) => {
    const { key, again } = await make();
    const of = key === undefined ? {} : { key };
    expect(await take(kind, { ...of, count: capacity })).toEqual({ ok: true });
    const before = await world.everything();
    expect(await outcome(again())).toBe("RATE_LIMITED");
    expect(await world.everything()).toEqual(before);
    vi.setSystemTime(Date.now() + MINUTE);
    expect(await outcome(again())).toBe("accepted");
  });
});

test("the allowance of one account is nobody else's, and a batch takes one for each of its jobs", async () => {
  const [ada, bob] = [await world.user("operator", "ada"), await world.user("operator", "bob")];
  const items = Array.from({ length: 400 }, () => ({ repository: "a/b" }));
  const batch = { name: "many", prompt: "x", items };
  for (let i = 0; i < 3; i += 1) await ada.mutation(api.batches.submit, batch);
  const job = { repository: "a/b", prompt: "x" };
  expect(await codeOf(ada.mutation(api.batches.submit, batch))).toBe("RATE_LIMITED");
  expect(await codeOf(ada.mutation(api.jobs.submit, job))).toBe("RATE_LIMITED");
  expect(await codeOf(bob.mutation(api.jobs.submit, job))).toBe("accepted");
});

test("an access token: 120 at once for one key, whoever else has how many", async () => {
  const ada = await world.user("viewer", "ada");
  const made = { name: "ci", role: "viewer", lifeMs: 10 * MINUTE } as const;
  const { key, apiKeyId } = await ada.mutation(api.apiKeys.create, made);
  expect(await take("tokensOfHolder", { key: apiKeyId, count: 119 })).toEqual({ ok: true });
  const exchange = () => outcome(world.t.mutation(api.auth.exchangeKey, { key }));
  expect([await exchange(), await exchange()]).toEqual(["accepted", "RATE_LIMITED"]);
  vi.setSystemTime(Date.now() + MINUTE);
  await take("tokensOfAll", { count: 1_000 });
  expect(await exchange()).toBe("RATE_LIMITED");
});

test("a session that refreshes all the time is refused, and lives on", async () => {
  await world.t.action(api.auth.setUp, { setupToken: "set-me-up", username: "root", password });
  const opened = await world.t.action(api.auth.signIn, { username: "root", password });
  if (!opened.ok) throw new Error(opened.code);
  const [session] = await world.t.run((ctx) => ctx.db.query("sessions").collect());
  await take("tokensOfHolder", { key: session?._id ?? "", count: 120 });
  const { refreshToken } = opened;
  const again = () => outcome(world.t.mutation(api.auth.refresh, { refreshToken }));
  expect(await again()).toBe("RATE_LIMITED");
  vi.setSystemTime(Date.now() + MINUTE);
  expect(await again()).toBe("accepted");
});

test("a flood of made-up credentials leaves no more lines than allowed, and keeps no good one out", async () => {
  const ada = await world.user("viewer", "ada");
  const made = { name: "ci", role: "viewer", lifeMs: 10 * MINUTE } as const;
  const { key } = await ada.mutation(api.apiKeys.create, made);
  expect(await take("refusalsOfAll", { count: 300 })).toEqual({ ok: true });
  const lines = async () => (await world.t.run((ctx) => ctx.db.query("audit").collect())).length;
  const before = await lines();
  const publicJwk = { kty: "OKP" as const, crv: "Ed25519" as const, x: "A".repeat(43) };
  const codes = [
    await outcome(world.t.mutation(api.auth.exchangeKey, { key: "fak_made-up" })),
    await outcome(world.t.mutation(api.auth.signInTotp, { challenge: "fch_x", code: "1" })),
    await outcome(world.t.mutation(api.executors.enrol, { token: "fen_x", name: "b", publicJwk })),
    await outcome(
      world.t.action(api.auth.setUp, { setupToken: "guess", username: "root", password }),
    ),
    await outcome(world.t.action(api.auth.signIn, { username: "root", password: "short" })),
  ];
  expect(codes).toEqual(codes.map(() => "RATE_LIMITED"));
  expect(await lines()).toBe(before);
  expect(await outcome(world.t.mutation(api.auth.exchangeKey, { key }))).toBe("accepted");
});

test("garbage in an executor's name is refused as ever, noted ten times, and costs it nothing", async () => {
  const keys = await signer();
  const executorId = await world.enrol("box", keys.x);
  for (let i = 0; i < 40; i += 1) {
    const garbage = { executorId, assertion: `garbage ${i}` };
    expect(await outcome(world.t.mutation(api.executors.token, garbage))).toBe("UNAUTHENTICATED");
  }
  const lines = await world.t.run((ctx) => ctx.db.query("audit").collect());
  expect(lines.filter((line) => line.action === "executor.token.refused")).toHaveLength(10);
  const assertion = await keys.sign(claimsOf(executorId));
  expect(await world.t.mutation(api.executors.token, { executorId, assertion })).toMatchObject({
    ok: true,
  });
});

test("an allowance costs one row looked up and one written", async () => {
  const cost = () =>
    world.t.run(async (ctx) => {
      await RateLimits.use(ctx, "jobsOfAccount", { key: "ada" });
      const { documentsRead, documentsWritten } = await ctx.meta.getTransactionMetrics();
      return { read: documentsRead.used, written: documentsWritten.used };
    });
  const [first, later] = [await cost(), await cost()];
  // eslint-disable-next-line no-console -- the counts are what this test is for
  console.info("documents of one use of an allowance", { first, later });
  expect(first).toEqual({ read: 0, written: 1 });
  // The row is read once by index, and by some runtimes once more to be patched.
  expect(later.read).toBeLessThanOrEqual(2);
  expect(later.written).toBe(1);
});

test("prune forgets what began a day ago, and what is left is counted from the start", async () => {
  const ofAda = { key: "ada", count: 1_200 };
  await take("jobsOfAccount", ofAda);
  await world.t.run((ctx) => RateLimits.prune(ctx));
  expect(await take("jobsOfAccount", ofAda)).toMatchObject({ ok: false });
  vi.setSystemTime(START + 24 * 60 * MINUTE + 1);
  await world.t.run((ctx) => RateLimits.prune(ctx));
  const read = await world.t.run(async (ctx) => {
    await RateLimits.use(ctx, "jobsOfAccount", ofAda);
    return (await ctx.meta.getTransactionMetrics()).documentsRead.used;
  });
  expect(read).toBe(0);
});

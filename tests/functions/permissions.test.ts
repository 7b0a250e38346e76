import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { QueryCtx } from "../../convex/_generated/server.js";
import { requireRegistered, requireUser } from "../../convex/lib/functions.js";
import {
  call,
  permissions,
  publicFunctions,
  tooLong,
  valuesOf,
  type Caller,
  type Ids,
} from "./publicFunctions.js";
import { codeOf, ISSUER, registration, START, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** Calls of each function by each kind of caller. */
const RUNS = 3;
/** Deriving a password takes a fifth of a second. */
const RUNS_OF_ACTIONS = 1;

/** Codes of the wrapper. The last two are its word to executors; people hear them of an executor they name. */
const REFUSALS = ["UNAUTHENTICATED", "FORBIDDEN"];
const REFUSALS_OF_EXECUTORS = [...REFUSALS, "REVOKED", "SUPERSEDED"];

test("1: every public function is made by a wrapper, with the access that docs/permissions.md says", async () => {
  const found = (await publicFunctions()).map(({ name, access }) => [name, access ?? "none"]);
  expect(Object.fromEntries(found)).toEqual(permissions());
});

/** Each kind of caller: how to make one, and the code with which a function of an access refuses it. */
const callers: Record<string, { make: () => Promise<Caller>; code: (access: string) => string }> = {
  "2: nobody": { make: () => Promise.resolve(world.t), code: () => "UNAUTHENTICATED" },
  "5: viewer": { make: () => world.user("viewer", unique("viewer")), code: codeFor(["viewer"]) },
  "5: operator": {
    make: () => world.user("operator", unique("operator")),
    code: codeFor(["viewer", "operator"]),
  },
  "3: administrator, in executors' functions": {
    make: () => world.user("administrator", unique("administrator")),
    code: codeFor(["viewer", "operator", "administrator"]),
  },
  "3: executor, in people's functions": {
    make: () => world.executor(unique("box")),
    code: (access) => (access === "executor" ? "accepted" : "UNAUTHENTICATED"),
  },
  "24: revoked executor": {
    make: async () => {
      const executor = await world.executor(unique("box"));
      const administrator = await world.user("administrator", unique("administrator"));
      await administrator.mutation(api.executors.revoke, { executorId: executor.executorId });
      return executor;
    },
    code: (access) => (access === "executor" ? "REVOKED" : "UNAUTHENTICATED"),
  },
  "4: token of a foreign issuer": {
    make: async () => {
      const { userId, sessionId } = await world.user("administrator", unique("administrator"));
      const issuer = "https://evil.test/user";
      return world.t.withIdentity({ issuer, subject: userId, sid: sessionId });
    },
    code: () => "UNAUTHENTICATED",
  },
  "14: session that has ended": {
    make: async () => {
      const user = await world.user("administrator", unique("administrator"));
      await world.t.run((ctx) => ctx.db.patch("sessions", user.sessionId, { expiresAt: START }));
      await world.t.action(internal.retention.prune, { kinds: ["expired"] });
      return user;
    },
    code: () => "UNAUTHENTICATED",
  },
};

let made = 0;
function unique(name: string): string {
  made += 1;
  return `${name}-${made}`;
}

function codeFor(roles: string[]): (access: string) => string {
  return (access) => {
    if (access === "executor") return "UNAUTHENTICATED";
    return roles.includes(access) ? "accepted" : "FORBIDDEN";
  };
}

/** One row that exists of each table that arguments name. */
async function ids(): Promise<Ids> {
  const jobId: Id<"jobs"> = await world.submit();
  const { executorId } = await world.executor(unique("box"));
  const { userId, sessionId } = await world.user("viewer", unique("viewer"));
  const secretId = await world.secret(unique("hook"));
  const own = await world.user("viewer", unique("viewer"));
  const operator = await world.user("operator", unique("operator"));
  const items = [{ repository: "a/b" }];
  const batchId = await operator.mutation(api.batches.submit, { name: "b", prompt: "x", items });
  const made = { name: "ci", role: "viewer", lifeMs: 60_000 } as const;
  const { apiKeyId } = await own.mutation(api.apiKeys.create, made);
  const { storageId, sha256, bytes } = await world.part(unique("a file"));
  const artifactId = await world.t.run((ctx) =>
    ctx.db.insert("artifacts", {
      ...{ jobId, attempt: 1, name: "a", kind: "file", storageId, sha256, bytes },
    }),
  );
  return {
    _storage: [storageId],
    artifacts: [artifactId],
    alerts: [await world.alert()],
    secrets: [secretId],
    jobs: [jobId],
    batches: [batchId],
    executors: [executorId],
    users: [userId],
    sessions: [sessionId],
    apiKeys: [apiKeyId],
    budgets: [await world.budget()],
    steering: [await world.order(jobId)],
    questions: [await world.question(jobId)],
    claudeCredentials: [await world.credential(unique("login"))],
  };
}

describe("only what the table allows gets past the wrapper, whatever the arguments", () => {
  test.each(Object.keys(callers))(
    "%s",
    async (kind) => {
      const caller = callers[kind];
      if (caller === undefined) throw new Error(kind);
      const table = permissions();
      const existing = await ids();
      // Who is refused changes nothing, so one caller hears every refusal of its kind.
      const refused = await caller.make();
      for (const fn of await publicFunctions()) {
        const access = table[fn.name] ?? "";
        const expected = access === "arguments" ? "accepted" : caller.code(access);
        const numRuns = fn.kind === "action" ? RUNS_OF_ACTIONS : RUNS;
        const given = valuesOf(fn.args, existing);
        if (expected === "accepted") {
          const isGood = fc.asyncProperty(given, async (args) => {
            const code = await codeOf(call(await caller.make(), fn, args));
            // A good caller may be told that its arguments are not good; never that it is not.
            const refusals = access === "executor" ? REFUSALS_OF_EXECUTORS : REFUSALS;
            if (access !== "arguments") expect(refusals, fn.name).not.toContain(code);
          });
          await fc.assert(isGood, { numRuns, endOnFailure: true });
          continue;
        }
        const before = await world.everything();
        const isRefused = fc.asyncProperty(given, async (args) => {
          expect([fn.name, await codeOf(call(refused, fn, args))]).toEqual([fn.name, expected]);
        });
        await fc.assert(isRefused, { numRuns, endOnFailure: true });
        expect(await world.everything(), fn.name).toEqual(before);
      }
    },
    120_000,
  );
});

test("16: every text in the arguments of every public function is capped, before the handler", async () => {
  const existing = await ids();
  const people = await world.user("administrator", unique("administrator"));
  const executor = await world.executor(unique("box"));
  let texts = 0;
  for (const fn of await publicFunctions()) {
    const as: Caller =
      fn.access === "executor" ? executor : fn.access === "arguments" ? world.t : people;
    for (const { field, value } of tooLong(fn.args, existing)) {
      expect([fn.name, field, await codeOf(call(as, fn, value))]).toEqual([
        fn.name,
        field,
        "INVALID_ARGUMENT",
      ]);
      texts += 1;
    }
  }
  expect(texts).toBeGreaterThan(40);
}, 120_000);

test("a wrapper reads two documents for a person or a key, and one for an executor", async () => {
  const user = await world.user("administrator", unique("administrator"));
  const made = { name: "ci", role: "viewer", lifeMs: 60_000 } as const;
  const { apiKeyId } = await user.mutation(api.apiKeys.create, made);
  const key = { issuer: `${ISSUER}/user`, subject: user.userId, key: apiKeyId };
  const executor = await world.executor(unique("box"));
  const reads = (as: Caller, check: (ctx: QueryCtx) => Promise<unknown>) =>
    as.run(async (ctx) => {
      await check(ctx);
      return (await ctx.meta.getTransactionMetrics()).documentsRead.used;
    });
  const counts = {
    session: await reads(user, (ctx) => requireUser(ctx, "viewer")),
    key: await reads(world.t.withIdentity(key), (ctx) => requireUser(ctx, "viewer")),
    executor: await reads(executor, requireRegistered),
  };
  const before = { session: 2, executor: 1 };
  // eslint-disable-next-line no-console -- the counts are what this test is for
  console.info("documents read by the wrappers", { before, now: counts });
  expect(counts).toEqual({ session: 2, key: 2, executor: 1 });
});

describe("14: a session is refused on the next call", () => {
  test.each([
    ["when its user is disabled", { disabled: true }],
    ["when its user's epoch has moved on", { epoch: 1 }],
  ])("%s", async (_, patch) => {
    const user = await world.user("viewer");
    await world.t.run((ctx) => ctx.db.patch("users", user.userId, patch));
    expect(await codeOf(user.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });

  test("under another user's name", async () => {
    const user = await world.user("viewer");
    const { sessionId } = await world.user("administrator");
    const identity = { issuer: `${ISSUER}/user`, subject: user.userId, sid: sessionId };
    const mixed = world.t.withIdentity(identity);
    expect(await codeOf(mixed.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });
});

test("21: a process that has not registered, and one that was superseded, may only register", async () => {
  const executorId = await world.enrol("box");
  const early = world.process(executorId, "boot-1", START);
  expect(await codeOf(early.query(api.executors.assignments, {}))).toBe("SUPERSEDED");
  await early.mutation(api.executors.register, { registration: registration(1) });
  const late = world.process(executorId, "boot-2", START + 1);
  await late.mutation(api.executors.register, { registration: registration(1) });
  expect(await codeOf(early.query(api.executors.assignments, {}))).toBe("SUPERSEDED");
  expect(await codeOf(early.mutation(api.executors.heartbeat, { held: [] }))).toBe("SUPERSEDED");
});

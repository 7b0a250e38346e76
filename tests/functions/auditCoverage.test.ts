/** Every change by a person, every sign-in and every executor event leaves a line in the audit. */
import { Secret, TOTP } from "otpauth/slim";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Doc, Id } from "../../convex/_generated/dataModel.js";
import { permissions, publicFunctions } from "./publicFunctions.js";
import { failed, finish, started, START, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const password = "correct horse battery";
const job = { repository: "octo/hello", prompt: "x", concurrencyKey: null };
const stopOrder = {
  ...{ reason: "r", running: "drain" as const },
  ...{ revokeExecutors: false, endSessions: false },
};
const aCredential = {
  kind: "apiKey",
  label: "audited",
  value: "sk-ant-audited-0123456789",
} as const;
const schedule = {
  name: "nightly",
  cadence: { kind: "interval", everyMs: 3_600_000, anchorAt: START } as const,
  submission: job,
};

/** An administrator who has set the deployment up, signed in with his password. */
async function signedIn() {
  const first = { username: "first", password };
  await world.t.action(api.auth.setUp, { setupToken: "set-me-up", ...first });
  const opened = await world.t.action(api.auth.signIn, first);
  if (!opened.ok) throw new Error(opened.code);
  const session = (await world.t.run((ctx) => ctx.db.query("sessions").collect())).at(-1);
  if (session === undefined) throw new Error("no session");
  const claims = { issuer: "https://queue.test/user", subject: session.userId, sid: session._id };
  return { as: world.t.withIdentity(claims), ...opened, ...first };
}

/** The code that an authenticator app shows at this time. */
const codeOf = (seed: string, at: number) =>
  new TOTP({ secret: Secret.fromBase32(seed) }).generate({ timestamp: at });

type Root = Awaited<ReturnType<World["user"]>>;
/** Makes what the call needs, and hands the call out: it alone must leave a line. */
type Call = () => Promise<unknown>;
type Recipe = (root: Root) => Call | Promise<Call>;

/** A job in this state, and its id as arguments. */
async function aJob(state: "pending" | "held" | "failed" | "assigned") {
  const jobId = await world.submit({ attemptsMax: 1 });
  if (state === "held") await world.t.mutation(internal.admin.holdJob, { jobId });
  if (state === "pending" || state === "held") return { jobId };
  const executor = await world.executor("box", 1);
  if (state === "failed") await finish(executor, await started(executor), failed("cliError"));
  return { jobId };
}

async function aRun() {
  const one = await aJob("pending");
  await started(await world.executor("box", 1));
  return one;
}

async function anExecutor() {
  const { executorId } = await world.executor("box", 1);
  return { executorId };
}

const recipes: Record<string, Recipe> = {
  "alerts:acknowledge": async (root) => {
    const alertId = await world.alert();
    return () => root.mutation(api.alerts.acknowledge, { alertId });
  },
  "alerts:configure": (root) => () => root.mutation(api.alerts.configure, { reclaims: 9 }),
  "alerts:test": (root) => {
    vi.stubEnv("ALERT_WEBHOOK_URL", "https://hook.test/x");
    return () => root.mutation(api.alerts.test, {});
  },
  "apiKeys:create": (root) => () => root.mutation(api.apiKeys.create, aKey),
  "apiKeys:revoke": async (root) => {
    const { apiKeyId } = await root.mutation(api.apiKeys.create, aKey);
    return () => root.mutation(api.apiKeys.revoke, { apiKeyId });
  },
  "audit:export": (root) => () => root.action(api.audit.export, { cursor: null }),
  "auth:changePassword": async () => {
    const { as } = await signedIn();
    const change = { oldPassword: password, newPassword: `${password} 2` };
    return () => as.action(api.auth.changePassword, change);
  },
  "auth:signOut": (root) => () => root.mutation(api.auth.signOut, {}),
  "auth:totpBegin": (root) => () => root.mutation(api.auth.totpBegin, {}),
  "auth:totpConfirm": async (root) => {
    const { seed } = await root.mutation(api.auth.totpBegin, {});
    return () => root.mutation(api.auth.totpConfirm, { code: codeOf(seed, Date.now()) });
  },
  "auth:totpOff": async (root) => {
    const { seed } = await root.mutation(api.auth.totpBegin, {});
    await root.mutation(api.auth.totpConfirm, { code: codeOf(seed, Date.now()) });
    const code = codeOf(seed, Date.now() + 30_000);
    return () => root.mutation(api.auth.totpOff, { code });
  },
  "batches:cancel": async (root) => {
    const batchId = await root.mutation(api.batches.submit, aBatch);
    return () => root.mutation(api.batches.cancel, { batchId });
  },
  "batches:retry": async (root) => {
    const batchId = await root.mutation(api.batches.submit, aBatch);
    return () => root.mutation(api.batches.retry, { batchId });
  },
  "batches:submit": (root) => () => root.mutation(api.batches.submit, aBatch),
  "budgets:remove": async (root) => {
    const budgetId = await world.budget();
    return () => root.mutation(api.budgets.remove, { budgetId });
  },
  "budgets:set": (root) => () =>
    root.mutation(api.budgets.set, { scope: { kind: "all" }, period: "day", limitUsd: 1 }),
  "bulk:cancel": async (root) => {
    const operationId = await root.mutation(api.bulk.start, aBulk);
    return () => root.mutation(api.bulk.cancel, { operationId });
  },
  "bulk:start": (root) => () => root.mutation(api.bulk.start, aBulk),
  "credentials:create": (root) => () => root.action(api.credentials.create, aCredential),
  "credentials:disable": async (root) => {
    const one = await root.action(api.credentials.create, aCredential);
    return () => root.mutation(api.credentials.disable, one);
  },
  "credentials:enable": async (root) => {
    const one = await root.action(api.credentials.create, aCredential);
    await root.mutation(api.credentials.disable, one);
    return () => root.mutation(api.credentials.enable, one);
  },
  "credentials:setConcurrency": async (root) => {
    const one = await root.action(api.credentials.create, aCredential);
    return () => root.mutation(api.credentials.setConcurrency, { ...one, concurrency: 2 });
  },
  "emergency:lift": async (root) => {
    await root.mutation(api.emergency.stop, stopOrder);
    return () => root.mutation(api.emergency.lift, {});
  },
  "emergency:stop": (root) => () => root.mutation(api.emergency.stop, stopOrder),
  "executors:createEnrolment": (root) => () =>
    root.mutation(api.executors.createEnrolment, { label: "box" }),
  "executors:drain": async (root) => {
    const one = await anExecutor();
    return () => root.mutation(api.executors.drain, one);
  },
  "executors:requestRotation": async (root) => {
    const one = await anExecutor();
    return () => root.mutation(api.executors.requestRotation, one);
  },
  "executors:resume": async (root) => {
    const one = await anExecutor();
    return () => root.mutation(api.executors.resume, one);
  },
  "executors:revoke": async (root) => {
    const one = await anExecutor();
    return () => root.mutation(api.executors.revoke, one);
  },
  "jobs:cancel": async (root) => {
    const one = await aJob("pending");
    return () => root.mutation(api.jobs.cancel, one);
  },
  "jobs:followUp": async (root) => {
    const one = await aJob("failed");
    const kept = { sessionId: "s", cwd: "/", commit: "c", turns: 1, at: START, bytes: 0 };
    await world.t.run((ctx) =>
      ctx.db.insert("checkpoints", {
        ...{ ...one, ...kept, attempt: 1, seq: 1 },
        ...{ uploadedBytes: 0, ms: 0, nextIndex: 0, offers: 0 },
      }),
    );
    return () => root.mutation(api.jobs.followUp, { ...one, text: "and then" });
  },
  "jobs:hold": async (root) => {
    const one = await aJob("pending");
    return () => root.mutation(api.jobs.hold, one);
  },
  "jobs:release": async (root) => {
    const one = await aJob("held");
    return () => root.mutation(api.jobs.release, one);
  },
  "jobs:requeue": async (root) => {
    const one = await aJob("assigned");
    return () => root.mutation(api.jobs.requeue, one);
  },
  "jobs:retry": async (root) => {
    const one = await aJob("pending");
    await world.t.mutation(internal.admin.cancelJob, one);
    return () => root.mutation(api.jobs.retry, one);
  },
  "jobs:snooze": async (root) => {
    const one = await aJob("pending");
    return () => root.mutation(api.jobs.snooze, { ...one, until: Date.now() + 60_000 });
  },
  "jobs:submit": (root) => () => root.mutation(api.jobs.submit, job),
  "questions:answer": async (root) => {
    await world.submit();
    const executor = await world.executor("box", 1);
    const call = { toolUseId: "t", tool: "Bash", input: "{}" };
    await finish(executor, await started(executor), { kind: "asked", call });
    const [open] = await root.query(api.questions.open, {});
    if (open === undefined) throw new Error("nothing was asked");
    const { questionId } = open;
    return () => root.mutation(api.questions.answer, { questionId, allow: true });
  },
  "queue:pause": (root) => () => root.mutation(api.queue.pause, { reason: "r" }),
  "queue:resume": async (root) => {
    await root.mutation(api.queue.pause, { reason: "r" });
    return () => root.mutation(api.queue.resume, {});
  },
  "queue:setGateLimit": (root) => () =>
    root.mutation(api.queue.setGateLimit, { gate: "key:k", limit: 2 }),
  "queue:setLimits": (root) => () => root.mutation(api.queue.setLimits, { running: 2 }),
  "retention:configure": (root) => () => root.mutation(api.retention.configure, { audit: 90 }),
  "retention:pruneNow": (root) => () => root.action(api.retention.pruneNow, {}),
  "schedules:create": (root) => () => root.mutation(api.schedules.create, schedule),
  "secrets:removeMyToken": async (root) => {
    await root.action(api.secrets.setMyToken, myToken);
    return () => root.mutation(api.secrets.removeMyToken, { host: "github.com" });
  },
  "secrets:remove": async (root) => {
    const secretId = await world.secret("hook");
    return () => root.mutation(api.secrets.remove, { secretId });
  },
  "secrets:setMyToken": (root) => () => root.action(api.secrets.setMyToken, myToken),
  "secrets:setStatus": async (root) => {
    const secretId = await world.secret("hook");
    return () => root.mutation(api.secrets.setStatus, { secretId, status: "disabled" });
  },
  "secrets:set": (root) => {
    const token = { kind: "webhook", name: "hook", value: "a-webhooks-secret" } as const;
    return () => root.action(api.secrets.set, token);
  },
  "sessions:rename": (root) => {
    const named = { sessionId: root.sessionId, label: "laptop" };
    return () => root.mutation(api.sessions.rename, named);
  },
  "sessions:revokeAll": (root) => () => root.mutation(api.sessions.revokeAll, {}),
  "sessions:revoke": async (root) => {
    const { sessionId } = await world.user("viewer");
    return () => root.mutation(api.sessions.revoke, { sessionId });
  },
  "steering:interrupt": async (root) => {
    const one = await aRun();
    return () => root.mutation(api.steering.interrupt, one);
  },
  "steering:message": async (root) => {
    const one = await aJob("pending");
    return () => root.mutation(api.steering.message, { ...one, text: "and then" });
  },
  "steering:stopAfterTurn": async (root) => {
    const one = await aRun();
    return () => root.mutation(api.steering.stopAfterTurn, one);
  },
  "templates:save": (root) => {
    const template = { name: "greet", text: "Say hello" };
    return () => root.mutation(api.templates.save, template);
  },
  "users:create": (root) => () => root.action(api.users.create, aUser),
  "users:reset": async (root) => {
    const { userId } = await world.user("viewer");
    return () => root.action(api.users.reset, { userId, clearTotp: true });
  },
  "users:setDisabled": async (root) => {
    const { userId } = await world.user("viewer");
    return () => root.mutation(api.users.setDisabled, { userId, disabled: true });
  },
  "users:setRole": async (root) => {
    const { userId } = await world.user("viewer");
    return () => root.mutation(api.users.setRole, { userId, role: "operator" });
  },
  ...ofSchedules(),
};

const aKey = { name: "ci", role: "viewer", lifeMs: 60_000 } as const;
const aUser = { username: "bob", password, role: "viewer" } as const;
const aBatch = { name: "b", prompt: "x", items: [{ repository: "a/b" }] };
const aBulk = { action: "cancel", filter: { state: "pending" } } as const;
const myToken = { host: "github.com", value: "github_pat_of_the_caller" };

function ofSchedules(): Record<string, Recipe> {
  type Act = (root: Root, one: { scheduleId: Id<"schedules"> }) => Promise<unknown>;
  const existing =
    (act: Act, isPaused = false): Recipe =>
    async (root) => {
      const scheduleId = await root.mutation(api.schedules.create, schedule);
      if (isPaused) await root.mutation(api.schedules.pause, { scheduleId });
      return () => act(root, { scheduleId });
    };
  return {
    "schedules:pause": existing((root, one) => root.mutation(api.schedules.pause, one)),
    "schedules:remove": existing((root, one) => root.mutation(api.schedules.remove, one)),
    "schedules:resume": existing((root, one) => root.mutation(api.schedules.resume, one), true),
    "schedules:runNow": existing((root, one) => root.mutation(api.schedules.runNow, one)),
    "schedules:update": existing((root, one) =>
      root.mutation(api.schedules.update, { ...one, name: "weekly" }),
    ),
  };
}

const lines = () => world.t.run((ctx) => ctx.db.query("audit").collect());
async function linesOf(call: () => Promise<unknown>): Promise<Doc<"audit">[]> {
  const before = (await lines()).length;
  await call();
  return (await lines()).slice(before);
}

describe("a change by a person leaves a line with his name", () => {
  test("each function with which people change something is in this table", async () => {
    const table = permissions();
    const roles = ["viewer", "operator", "administrator"];
    const changing = (await publicFunctions())
      .filter(({ name, kind }) => kind !== "query" && roles.includes(table[name] ?? ""))
      .map(({ name }) => name);
    expect(Object.keys(recipes).sort()).toEqual(changing.sort());
  });

  test.each(Object.keys(recipes))(
    "%s",
    async (name) => {
      const root = await world.user("administrator", "root");
      const call = await recipes[name]?.(root);
      if (call === undefined) throw new Error(name);
      const left = await linesOf(call);
      const people = ["user:root", "user:first"];
      expect(left.filter(({ actor }) => people.includes(actor))).not.toEqual([]);
    },
    30_000,
  );
});

describe("a sign-in leaves a line, good or bad", () => {
  const actions = async (call: () => Promise<unknown>) =>
    (await linesOf(call)).map(({ action, actor }) => `${actor}: ${action}`);

  test("with a password, a one-time code, an API key, a refresh token", async () => {
    const { as, username, refreshToken } = await signedIn();
    const good = { username, password };
    const wrong = { username, password: `${password}?` };
    const signIn = (given: typeof good) => () => world.t.action(api.auth.signIn, given);
    expect(await actions(signIn(good))).toEqual(["user:first: signIn.done"]);
    expect(await actions(signIn(wrong))).toEqual(["user:first: signIn.refused"]);
    expect(await actions(signIn({ ...wrong, username: "bob" }))).toEqual([
      "user:bob: signIn.refused",
    ]);
    const { key } = await as.mutation(api.apiKeys.create, aKey);
    const exchange = (shown: string) => () =>
      world.t.mutation(api.auth.exchangeKey, { key: shown });
    expect(await actions(exchange(key))).toEqual(["user:first: apiKey.used"]);
    expect(await actions(exchange("fak_made-up"))).toEqual(["anonymous: apiKey.refused"]);
    const { seed } = await as.mutation(api.auth.totpBegin, {});
    await as.mutation(api.auth.totpConfirm, { code: codeOf(seed, Date.now()) });
    const challenged = await world.t.action(api.auth.signIn, good);
    if (challenged.ok || challenged.challenge === undefined) throw new Error("no challenge");
    const { challenge } = challenged;
    const answer = (code: string) => () =>
      world.t.mutation(api.auth.signInTotp, { challenge, code });
    expect(await actions(answer("no code"))).toEqual(["user:first: signIn.refused"]);
    expect(await actions(answer(codeOf(seed, Date.now() + 30_000)))).toEqual([
      "user:first: signIn.done",
    ]);
    const refresh = (token: string) => () =>
      world.t.mutation(api.auth.refresh, { refreshToken: token });
    expect(await actions(refresh("frt_made-up"))).toEqual(["anonymous: session.refused"]);
    await world.t.mutation(api.auth.refresh, { refreshToken });
    vi.setSystemTime(Date.now() + 60_000);
    expect(await actions(refresh(refreshToken))).toEqual(["user:first: session.reused"]);
  }, 30_000);
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import type { Role } from "../../convex/protocol/view.js";
import { aReport, codeOf, modules, registration, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

/** Who may call each public function: the table of docs/protocol.md. */
const ACCESS: Record<string, Role | "executor" | "arguments"> = {
  "auth:setUp": "arguments",
  "auth:signIn": "arguments",
  "auth:refresh": "arguments",
  "auth:signOut": "viewer",
  "auth:me": "viewer",
  "jobs:submit": "operator",
  "jobs:get": "viewer",
  "jobs:list": "viewer",
  "jobs:attempts": "viewer",
  "jobs:events": "viewer",
  "jobs:cancel": "operator",
  "jobs:retry": "operator",
  "logs:tail": "viewer",
  "logs:chunk": "viewer",
  "logs:append": "executor",
  "metrics:now": "viewer",
  "metrics:series": "viewer",
  "metrics:summary": "viewer",
  "metrics:spend": "viewer",
  "executors:list": "viewer",
  "executors:createEnrolment": "administrator",
  "executors:drain": "operator",
  "executors:resume": "operator",
  "executors:revoke": "administrator",
  "executors:enrol": "arguments",
  "executors:token": "arguments",
  "executors:register": "executor",
  "executors:assignments": "executor",
  "executors:start": "executor",
  "executors:phase": "executor",
  "executors:heartbeat": "executor",
  "executors:finish": "executor",
  "executors:goOffline": "executor",
};

test("every public function is made by a wrapper, with the access of the table, and no other exists", async () => {
  const found: Record<string, unknown> = {};
  for (const [path, load] of Object.entries(modules)) {
    const file = /\/convex\/([A-Za-z]+)\.ts$/.exec(path)?.[1];
    if (file === undefined || file === "schema") continue;
    for (const [name, value] of Object.entries((await load()) as Record<string, unknown>)) {
      const isPublic =
        typeof value === "function" && "isPublic" in value && value.isPublic === true;
      if (isPublic) found[`${file}:${name}`] = "access" in value ? value.access : "none";
    }
  }
  expect(found).toEqual(ACCESS);
});

/** A call of each function that needs an identity, with arguments that would be good. */
async function calls() {
  const executor = await world.executor("box", 1);
  const jobId = await world.submit();
  const { executorId } = executor;
  const claim = { jobId, token: 1 };
  const entries = [{ at: 1, kind: "text" as const, text: "x" }];
  const paginationOpts = { numItems: 1, cursor: null };
  type Caller = typeof executor | Awaited<ReturnType<World["user"]>> | World["t"];
  const outcome = { kind: "succeeded" } as const;
  const table: Record<string, (as: Pick<Caller, "query" | "mutation">) => Promise<unknown>> = {
    "auth:signOut": (as) => as.mutation(api.auth.signOut, {}),
    "auth:me": (as) => as.query(api.auth.me, {}),
    "jobs:submit": (as) => as.mutation(api.jobs.submit, { repository: "a/b", prompt: "x" }),
    "jobs:get": (as) => as.query(api.jobs.get, { jobId }),
    "jobs:list": (as) => as.query(api.jobs.list, { paginationOpts }),
    "jobs:attempts": (as) => as.query(api.jobs.attempts, { jobId }),
    "jobs:events": (as) => as.query(api.jobs.events, { jobId }),
    "jobs:cancel": (as) => as.mutation(api.jobs.cancel, { jobId }),
    "jobs:retry": (as) => as.mutation(api.jobs.retry, { jobId }),
    "logs:tail": (as) => as.query(api.logs.tail, { jobId, attempt: 1 }),
    "logs:chunk": (as) => as.query(api.logs.chunk, { jobId, attempt: 1, index: 0 }),
    "metrics:now": (as) => as.query(api.metrics.now, {}),
    "metrics:series": (as) => as.query(api.metrics.series, { range: "hour" }),
    "metrics:summary": (as) => as.query(api.metrics.summary, { range: "day" }),
    "metrics:spend": (as) => as.query(api.metrics.spend, { range: "quarter" }),
    "logs:append": (as) => as.mutation(api.logs.append, { ...claim, seq: 0, entries }),
    "executors:list": (as) => as.query(api.executors.list, {}),
    "executors:createEnrolment": (as) => as.mutation(api.executors.createEnrolment, { label: "x" }),
    "executors:drain": (as) => as.mutation(api.executors.drain, { executorId }),
    "executors:resume": (as) => as.mutation(api.executors.resume, { executorId }),
    "executors:revoke": (as) => as.mutation(api.executors.revoke, { executorId }),
    "executors:register": (as) =>
      as.mutation(api.executors.register, { registration: registration(1) }),
    "executors:assignments": (as) => as.query(api.executors.assignments, {}),
    "executors:start": (as) => as.mutation(api.executors.start, claim),
    "executors:phase": (as) => as.mutation(api.executors.phase, { ...claim, phase: "running" }),
    "executors:heartbeat": (as) => as.mutation(api.executors.heartbeat, { held: [] }),
    "executors:finish": (as) =>
      as.mutation(api.executors.finish, { ...claim, outcome, report: aReport }),
    "executors:goOffline": (as) => as.mutation(api.executors.goOffline, {}),
  };
  return { table, executor };
}

test("the calls below cover every function that needs an identity", async () => {
  const { table } = await calls();
  const needing = Object.keys(ACCESS).filter((name) => ACCESS[name] !== "arguments");
  expect(Object.keys(table).sort()).toEqual(needing.sort());
});

describe("whoever may not call a function is refused, and nothing changes", () => {
  const kinds = [
    "nobody",
    "viewer",
    "operator",
    "executor",
    "foreign issuer",
    "ended session",
  ] as const;
  const mayCall = (kind: (typeof kinds)[number], access: string) =>
    (kind === "viewer" && access === "viewer") ||
    (kind === "operator" && (access === "viewer" || access === "operator")) ||
    (kind === "executor" && access === "executor");

  test.each(kinds)("%s", async (kind) => {
    const { table, executor } = await calls();
    const viewer = await world.user("viewer");
    const ended = await world.user("administrator", "ended");
    await world.t.run((ctx) => ctx.db.delete("sessions", ended.sessionId));
    const foreign = world.t.withIdentity({
      issuer: "https://evil.test/user",
      subject: viewer.userId,
      sid: viewer.sessionId,
    });
    const callers = {
      nobody: world.t,
      viewer,
      operator: await world.user("operator"),
      executor,
      "foreign issuer": foreign,
      "ended session": ended,
    };
    const before = await world.everything();
    for (const [name, call] of Object.entries(table)) {
      const access = ACCESS[name] ?? "";
      if (mayCall(kind, access)) continue;
      const isPerson = kind === "viewer" || kind === "operator";
      const expected = isPerson && access !== "executor" ? "FORBIDDEN" : "UNAUTHENTICATED";
      expect([name, await codeOf(call(callers[kind]))]).toEqual([name, expected]);
    }
    expect(await world.everything()).toEqual(before);
  });

  test.each([
    ["disabled", { disabled: true }],
    ["of an older epoch", { epoch: 1 }],
  ])("a session whose user is %s", async (_, patch) => {
    const user = await world.user("viewer");
    await world.t.run((ctx) => ctx.db.patch("users", user.userId, patch));
    expect(await codeOf(user.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });

  test("a session under another user's name", async () => {
    const user = await world.user("viewer");
    const administrator = await world.user("administrator");
    const mixed = world.t.withIdentity({
      issuer: "https://queue.test/user",
      subject: user.userId,
      sid: administrator.sessionId,
    });
    expect(await codeOf(mixed.query(api.auth.me, {}))).toBe("UNAUTHENTICATED");
  });
});

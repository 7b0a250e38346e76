/** What comes all the time re-runs nobody's subscription: counted in the backend's log of functions. */
import { randomUUID } from "node:crypto";
import path from "node:path";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../../cli/config.js";
import { openDeployment, type Deployment } from "../../cli/demo/deployment.js";
import { openSecrets } from "../../cli/demo/secrets.js";
import { findRoot } from "../../cli/root.js";
import { api } from "../../convex/_generated/api.js";
import type { HeldAttempt } from "../../convex/protocol/executor.js";
import { connectBackend, enrolOver, type Backend } from "../../executor/backend.js";
import { systemClock as clock } from "../../executor/clock.js";
import { loadIdentity } from "../../executor/identity.js";
import { keysOf } from "../../executor/keys.js";
import { createLogger } from "../../executor/logger.js";
import { copyDeployedData } from "../support/deployedData.js";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

/** Calls of each kind in one window. */
const CALLS = 20;
const WINDOWS_MAX = 5;
const paginationOpts = { numItems: 50, cursor: null };
const logger = createLogger({ level: "error", write: () => undefined, redact: (text) => text });

let deployment: Deployment;
let live: ConvexClient;
let executor: Backend;
let held: HeldAttempt;
let seq = 0;
/** The newest answer of each subscription, by the function's name. */
const answers = new Map<string, unknown>();

beforeAll(async () => {
  const folder = tempDir("quiet");
  const dataDir = path.join(folder, "data");
  await copyDeployedData(dataDir);
  const environment = readConfig().childEnvironment;
  deployment = await openDeployment({
    ...{ root: findRoot(), dataDir, port: 0, environment, deploy: false },
    variables: { LOCAL_REPOSITORIES: folder },
  });
  const { url } = deployment.backend;
  executor = await joined(url, path.join(folder, "state"));
  await executor.register({
    ...{ slots: 1, leaseMs: 300_000, version: "0", cliVersion: "0", labels: [] },
  });
  await deployment.people.submit({ repository: "octo/hello", prompt: "x" });
  let assigned: HeldAttempt | undefined;
  executor.watchAssignments(([first]) => (assigned = first));
  await waitFor("an assignment", () => assigned !== undefined);
  if (assigned === undefined) throw new Error("no assignment");
  held = { jobId: assigned.jobId, token: assigned.token };
  await executor.start(held);
  await append();
  live = await watched(url, await openSecrets(dataDir));
});
afterAll(async () => {
  await executor.close();
  await live.close();
  await deployment.close();
});

/** An executor that is no process of its own: the real identity and the real connection. */
async function joined(url: string, stateDir: string): Promise<Backend> {
  const enrolToken = await deployment.people.createEnrolment("box");
  const identity = await loadIdentity({ stateDir, name: "box", enrolToken, enrol: enrolOver(url) });
  const boot = { id: randomUUID(), at: clock.now() };
  const keys = keysOf(identity, { stateDir, boot, clock });
  return connectBackend({ url, clock, logger, keys, onFinal: () => undefined });
}

async function append(): Promise<void> {
  const entry = { at: clock.now(), kind: "text" as const, text: `line ${String(seq)}` };
  await executor.appendLog(held, seq, [entry]);
  seq += 1;
}

type Spec = { identifier?: string; functionType: string; visibility?: { kind: string } };

/** Names of the queries that clients may subscribe to, as the backend tells of what is deployed. */
async function publicQueries(): Promise<string[]> {
  const answer = await asAdmin("/api/query", {
    ...{ path: "_system/cli/modules:apiSpec", args: {}, format: "json" },
  });
  const { value } = (await answer.json()) as { value: Spec[] };
  return value
    .filter((one) => one.functionType === "Query" && one.visibility?.kind === "public")
    .map(({ identifier = "" }) => identifier.replace(".js:", ":"));
}

async function asAdmin(address: string, body?: unknown): Promise<Response> {
  const { url, adminKey } = deployment.backend;
  const headers = { authorization: `Convex ${adminKey}`, "content-type": "application/json" };
  return fetch(url + address, {
    headers,
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
  });
}

/** For executors; and the leases, which pages ask for now and then (dashboard/session/glance.ts). */
const NOT_WATCHED = ["executors:assignments", "executors:leases", "jobs:lease"];

/** An administrator who watches all that can be watched, with arguments that name what there is. */
async function watched(
  url: string,
  { username, password }: { username: string; password: string },
) {
  const http = new ConvexHttpClient(url, { logger: false });
  const signedIn = await http.action(api.auth.signIn, { username, password });
  if (!signedIn.ok) throw new Error(signedIn.code);
  http.setAuth(signedIn.accessToken);
  const items = [{ repository: "octo/hello" }];
  const batchId = await http.mutation(api.batches.submit, { name: "b", prompt: "x", items });
  const failed = { action: "cancel", filter: { state: "failed" } } as const;
  const operationId = await http.mutation(api.bulk.start, failed);
  const cadence = { kind: "interval", everyMs: 3_600_000, anchorAt: 0 } as const;
  const submission = { repository: "octo/hello", prompt: "x" };
  const scheduleId = await http.mutation(api.schedules.create, { name: "s", cadence, submission });
  await http.mutation(api.templates.save, { name: "t", text: "Say hello" });
  const { jobId } = held;
  const args: Record<string, Record<string, unknown>> = {
    ...{ "audit:list": { paginationOpts }, "users:list": { paginationOpts } },
    ...{ "batches:get": { batchId }, "batches:jobs": { batchId } },
    ...{ "bulk:get": { operationId }, "bulk:outcomes": { operationId, paginationOpts } },
    ...{ "jobs:get": { jobId }, "jobs:attempts": { jobId }, "jobs:events": { jobId } },
    ...{ "jobs:prompt": { jobId }, "artifacts:list": { jobId }, "checkpoints:get": { jobId } },
    ...{ "jobs:list": { paginationOpts }, "jobs:waiting": { jobId } },
    ...{ "steering:list": { jobId }, "questions:list": { jobId } },
    "logs:chunks": { jobId, attempt: 1, from: 0 },
    ...{ "logs:tail": { jobId, attempt: 1 }, "logs:chunk": { jobId, attempt: 1, index: 0 } },
    ...{ "metrics:series": { range: "hour" }, "metrics:spend": { range: "hour" } },
    "metrics:summary": { range: "hour" },
    ...{ "schedules:get": { scheduleId }, "schedules:preview": { cadence, after: clock.now() } },
    "templates:get": { name: "t" },
  };
  const client = new ConvexClient(url, { logger: false });
  client.setAuth(() => Promise.resolve(signedIn.accessToken));
  const names = (await publicQueries()).filter((name) => !NOT_WATCHED.includes(name));
  for (const name of names) {
    client.onUpdate(
      makeFunctionReference<"query">(name),
      args[name] ?? {},
      (value) => void answers.set(name, value),
      (error) => void answers.set(name, error),
    );
  }
  await waitFor("every subscription's first answer", () => answers.size === names.length);
  return client;
}

type Execution = { udfType: string; identifier: string; caller: string };

/** What ran while something was done, up to a mutation whose effect the subscriptions have shown. */
async function ranWhile(work: () => Promise<void>): Promise<Execution[]> {
  const now = (await (await asAdmin("/api/stream_function_logs?cursor=0")).json()) as {
    newCursor: number;
  };
  await work();
  const label = randomUUID();
  const [session] = await live.query(api.sessions.list, {});
  if (session === undefined) throw new Error("no session");
  await live.mutation(api.sessions.rename, { sessionId: session.sessionId, label });
  await waitFor("the barrier", () => JSON.stringify(answers.get("sessions:list")).includes(label));
  const address = `/api/stream_function_logs?cursor=${String(now.newCursor)}`;
  const { entries } = (await (await asAdmin(address)).json()) as { entries: Execution[] };
  const barrier = entries.findIndex(({ identifier }) => identifier === "sessions:rename");
  return entries.slice(0, barrier < 0 ? entries.length : barrier);
}

const OURS = ["executors:heartbeat", "logs:append"];

test("heartbeats and lines of a log re-run no subscription but the log's own reader", async () => {
  const refused = [...answers].filter(([, answer]) => answer instanceof Error);
  // So short a log has no sealed chunk, and the run left nothing; all others have answered.
  expect(refused.map(([name]) => name).sort()).toEqual(["artifacts:url", "logs:chunk"]);
  let ran: Execution[] = [];
  for (let window = 0; window < WINDOWS_MAX; window += 1) {
    ran = await ranWhile(async () => {
      for (let i = 0; i < CALLS; i += 1) {
        await executor.heartbeat([held], { freeBytes: i, totalBytes: 100 });
        await append();
      }
      // By then whatever the calls before re-ran has run.
      const last = `line ${String(seq - 1)}`;
      await waitFor("the last line", () => JSON.stringify(answers.get("logs:tail")).includes(last));
    });
    // A cron that came between may re-run what it wrote for; then the window says nothing.
    const others = ran.filter(
      ({ udfType, identifier }) => udfType !== "Query" && !OURS.includes(identifier),
    );
    if (others.length === 0) break;
  }
  const counts: Record<string, number> = {};
  for (const { identifier } of ran) counts[identifier] = (counts[identifier] ?? 0) + 1;
  process.stdout.write(
    `${String(answers.size)} subscriptions; ran meanwhile: ${JSON.stringify(counts)}\n`,
  );
  expect(counts["executors:heartbeat"]).toBe(CALLS);
  expect(counts["logs:append"]).toBe(CALLS);
  expect(Object.keys(counts).sort()).toEqual(["executors:heartbeat", "logs:append", "logs:tail"]);
});

test("the same count sees a change that does concern others", async () => {
  const ran = await ranWhile(async () => {
    const reason = "to see who hears of it";
    await live.mutation(api.queue.pause, { reason });
    await waitFor("the news", () => JSON.stringify(answers.get("queue:status")).includes(reason));
    await waitFor("its line", () => JSON.stringify(answers.get("audit:list")).includes(reason));
  });
  expect(ran.map(({ identifier }) => identifier)).toEqual(
    expect.arrayContaining(["queue:pause", "queue:status", "audit:list"]),
  );
});

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { DELIVERY_ATTEMPTS_MAX, DELIVERY_MS_MAX } from "../../convex/protocol/limits.js";
import { auditEverything } from "./audit.js";
import { codeOf, failed, finish, registration, started, World } from "./world.js";

const MINUTE = 60_000;
type Sent = { url: string; init: RequestInit; body: string };

let world: World;
let sent: Sent[];
let answer: () => Response;
beforeEach(async () => {
  world = await World.make();
  sent = [];
  answer = () => new Response(null, { status: 204 });
  vi.stubEnv("ALERT_WEBHOOK_URL", "https://hooks.test/alerts");
  vi.stubEnv("ALERT_WEBHOOK_SECRET", "shared");
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    sent.push({ url, init, body: typeof init.body === "string" ? init.body : "" });
    return Promise.resolve(answer());
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

/** What the crons do each minute. */
async function minute(times = 1) {
  for (let i = 0; i < times; i += 1) {
    await world.advance(MINUTE);
    await world.t.mutation(internal.metrics.tick, {});
    await world.t.mutation(internal.alerts.evaluate, {});
    await world.settle();
  }
}
const list = async () => (await world.user("viewer")).query(api.alerts.list, {});
const deliveries = async () => (await world.user("viewer")).query(api.alerts.deliveries, {});
const kinds = () => sent.map(({ body }) => (JSON.parse(body) as { kind: string }).kind);
const headers = ({ init }: Sent) => init.headers as Record<string, string>;

describe("an alert", () => {
  test("no executor while a job waits → opened once and told; an executor comes → resolved by itself", async () => {
    await world.submit();
    await minute(2);
    expect(await list()).toEqual([]);
    await minute(3);
    const [open, ...more] = await list();
    expect(more).toEqual([]);
    expect(open).toMatchObject({ rule: "noExecutor", severity: "P1", status: "open" });
    expect(open?.runbook).toMatch(/runbook\.md#no-executor-takes-work$/);
    expect(kinds()).toEqual(["opened"]);
    await started(await world.executor("one", 1, 900_000));
    await minute(1);
    expect((await list())[0]).toMatchObject({ status: "open", clearSince: Date.now() });
    await minute(2);
    expect((await list())[0]).toMatchObject({ status: "resolved" });
    expect(kinds()).toEqual(["opened", "resolved"]);
    await minute(2);
    expect(kinds()).toHaveLength(2);
  });

  test("a job whose label nobody carries → no page, but a milder alert that says which; gone once somebody does", async () => {
    await world.executor("plain", 2, 900_000);
    const job = { repository: "octo/hello", prompt: "Say hello", labels: ["gpu", "mac"] };
    await world.t.mutation(internal.admin.submitJob, job);
    await minute(10);
    const [open, ...more] = await list();
    expect(more).toEqual([]);
    expect(open).toMatchObject({ rule: "labelsMissing", severity: "P3", status: "open" });
    expect(open?.detail).toContain("gpu, mac");
    const able = await world.executor("able", 1, 900_000);
    const offered = { ...registration(1, 900_000), labels: ["mac", "gpu"] };
    await able.mutation(api.executors.register, { registration: offered });
    await minute(4);
    expect(await list()).toMatchObject([{ rule: "labelsMissing", status: "resolved" }]);
  });

  test("passes that all fail → the audit and a page, though the net starts the chain each minute", async () => {
    await world.executor("one", 1, 900_000);
    await world.submit();
    const ofDispatcher = async () => {
      const { violations } = await world.t.query(internal.selfAudit.check, { part: "system" });
      return violations.filter(({ id }) => id === "dispatcher");
    };
    await world.settle();
    await world.t.run(async (ctx) => {
      const row = await ctx.db.query("dispatcher").first();
      if (row !== null)
        await ctx.db.patch("dispatcher", row._id, { status: "scheduled", since: Date.now() });
    });
    for (let i = 0; i < 5; i += 1) {
      // Time passes, the net looks, and no pass of its gets through.
      vi.setSystemTime(Date.now() + MINUTE);
      await world.t.mutation(internal.maintenance.reclaimExpired, {});
      await world.t.mutation(internal.alerts.evaluate, {});
    }
    expect(await ofDispatcher()).toMatchObject([{ invariant: "dispatcherAwake" }]);
    expect(await list()).toMatchObject([{ rule: "queueStuck", severity: "P1" }]);
  });

  test("an executor whose login fails → credentials, under its own key; a row that says the same is not written again", async () => {
    const executor = await world.executor("one", 1, 900_000);
    await world.submit();
    await finish(executor, await started(executor), failed("cliAuth"));
    await minute(1);
    const rows = () => world.t.run((ctx) => ctx.db.query("alerts").collect());
    const before = (await rows()).filter((row) => row.rule === "credentials");
    expect(before.map((row) => row.key)).toEqual([`credentials:${executor.executorId}`]);
    await minute(1);
    expect((await rows()).filter((row) => row.rule === "credentials")).toEqual(before);
  });

  test("attempts that fail within a quarter of an hour → error rate", async () => {
    const executor = await world.executor("one", 1, 900_000);
    for (let i = 0; i < 5; i += 1) {
      await world.submit();
      await finish(executor, await started(executor), failed("cloneDenied"));
    }
    await minute(1);
    expect((await list()).map((alert) => alert.rule)).toEqual(["errorRate"]);
    await executor.mutation(api.executors.goOffline, {});
    await minute(30);
    expect((await list()).map((alert) => alert.status)).toEqual(["resolved"]);
  });

  test("cost above the day's budget → spend", async () => {
    const administrator = await world.user("administrator");
    await administrator.mutation(api.alerts.configure, { spendDailyUsd: 0.4 });
    const executor = await world.executor("one", 1, 900_000);
    await world.submit();
    await finish(executor, await started(executor), { kind: "succeeded" });
    await minute(1);
    expect(await list()).toMatchObject([
      { rule: "spend", detail: "$0.50 of $0.40 were spent today (UTC)." },
    ]);
  });

  test("a disk that its executor reports as full, a red audit → each its alert", async () => {
    const executor = await world.executor("one", 1, 900_000);
    const disk = { freeBytes: 1, totalBytes: 100 };
    await executor.mutation(api.executors.heartbeat, { held: [], disk });
    await world.t.run(async (ctx) => {
      const slot = await ctx.db.query("slots").first();
      if (slot !== null) await ctx.db.delete("slots", slot._id);
    });
    await world.t.mutation(internal.selfAudit.begin, {});
    await minute(3);
    expect((await list()).map((alert) => alert.rule).sort()).toEqual(["disk", "selfAudit"]);
  });

  test.each([
    { freeBytes: NaN, totalBytes: 1 },
    { freeBytes: 2, totalBytes: 1 },
    { freeBytes: 0, totalBytes: 0 },
  ])("a disk of %j is none, and its heartbeat is taken all the same", async (disk) => {
    const executor = await world.executor("one", 1, 900_000);
    await executor.mutation(api.executors.heartbeat, { held: [], disk });
    await minute(4);
    expect(await list()).toEqual([]);
  });

  test("acknowledged once, by the first; a resolved one cannot be", async () => {
    await world.submit();
    await minute(4);
    const [alert] = await list();
    if (alert === undefined) throw new Error("no alert");
    const { alertId } = alert;
    const ann = await world.user("operator", "ann");
    const ben = await world.user("operator", "ben");
    await ann.mutation(api.alerts.acknowledge, { alertId, note: "on it" });
    await ben.mutation(api.alerts.acknowledge, { alertId });
    const by = { by: "user:ann", note: "on it" };
    expect((await list())[0]).toMatchObject({ acknowledged: by });
    await minute(1);
    expect((await list())[0]).toMatchObject({ acknowledged: by });
    const long = ann.mutation(api.alerts.acknowledge, { alertId, note: "x".repeat(501) });
    expect(await codeOf(long)).toBe("INVALID_ARGUMENT");
    await started(await world.executor("one", 1, 900_000));
    await minute(3);
    const late = ann.mutation(api.alerts.acknowledge, { alertId });
    expect(await codeOf(late)).toBe("ILLEGAL_TRANSITION");
  });

  test("settings: changed in part, checked, shown", async () => {
    const administrator = await world.user("administrator");
    const bad = administrator.mutation(api.alerts.configure, { errorShare: 2 });
    expect(await codeOf(bad)).toBe("INVALID_ARGUMENT");
    await administrator.mutation(api.alerts.configure, { muted: ["noExecutor"] });
    await administrator.mutation(api.alerts.configure, { reclaims: 9 });
    expect(await administrator.query(api.alerts.settings, {})).toMatchObject({
      muted: ["noExecutor"],
      reclaims: 9,
    });
    await world.submit();
    await minute(4);
    expect(await list()).toEqual([]);
  });
});

describe("the webhook", () => {
  async function sendTest() {
    const administrator = await world.user("administrator");
    const { deliveryId } = await administrator.mutation(api.alerts.test, {});
    await world.settle();
    return deliveryId;
  }

  test("a message is signed over its time and body, and carries an idempotency key", async () => {
    await sendTest();
    const [message] = sent;
    if (message === undefined) throw new Error("nothing was sent");
    expect(message.url).toBe("https://hooks.test/alerts");
    expect(message.init).toMatchObject({ method: "POST", redirect: "manual" });
    const { "fondation-signature": signature, "idempotency-key": key } = headers(message);
    const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature ?? "") ?? [];
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const encoder = new TextEncoder();
    const raw = encoder.encode("shared");
    const secret = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
    const bytes = Uint8Array.from((hex ?? "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
    const text = encoder.encode(`${seconds ?? ""}.${message.body}`);
    expect(await crypto.subtle.verify("HMAC", secret, bytes, text)).toBe(true);
    expect(key).toMatch(/^[0-9a-f-]{36}$/);
    expect(await deliveries()).toMatchObject([{ status: "sent", attempts: 1 }]);
  });

  test("a receiver that fails is tried again, later and later, under the same key, then given up; replay sends it again", async () => {
    answer = () => new Response("secret of the receiver", { status: 500 });
    const deliveryId = await sendTest();
    expect(await deliveries()).toMatchObject([
      { status: "waiting", attempts: 1, error: "The webhook answered 500." },
    ]);
    await world.advance(3 * 60 * MINUTE);
    expect(sent).toHaveLength(DELIVERY_ATTEMPTS_MAX);
    expect(new Set(sent.map((message) => headers(message)["idempotency-key"])).size).toBe(1);
    expect(await deliveries()).toMatchObject([{ status: "failed" }]);
    answer = () => new Response(null, { status: 200 });
    await world.t.mutation(internal.alerts.replay, { deliveryId });
    await world.settle();
    expect(await deliveries()).toMatchObject([{ status: "sent", attempts: 1 }]);
  });

  test("one that recovers gets the message once", async () => {
    answer = () => {
      throw new TypeError("connection refused");
    };
    await sendTest();
    answer = () => new Response(null, { status: 200 });
    await world.advance(60 * MINUTE);
    expect(sent).toHaveLength(2);
    expect(await deliveries()).toMatchObject([{ status: "sent", attempts: 2 }]);
  });

  test("two senders of one message → one attempt; the answer of an attempt that took too long changes nothing", async () => {
    const administrator = await world.user("administrator");
    const { deliveryId: outboxId } = await administrator.mutation(api.alerts.test, {});
    const first = await world.t.mutation(internal.deliver.claim, { outboxId });
    expect(first?.attempt).toBe(1);
    expect(await world.t.mutation(internal.deliver.claim, { outboxId })).toBeNull();
    vi.setSystemTime(Date.now() + DELIVERY_MS_MAX + 1);
    await world.t.mutation(internal.alerts.evaluate, {});
    expect((await deliveries())[0]).toMatchObject({ status: "waiting", attempts: 1 });
    vi.setSystemTime(Date.now() + 11_000);
    await world.t.mutation(internal.deliver.claim, { outboxId });
    await world.t.mutation(internal.deliver.settle, { outboxId, attempt: 1, error: null });
    expect((await deliveries())[0]).toMatchObject({ status: "sending", attempts: 2 });
    await world.t.mutation(internal.deliver.settle, { outboxId, attempt: 2, error: null });
    expect((await deliveries())[0]).toMatchObject({ status: "sent" });
    expect(await auditEverything(world.t)).toEqual([]);
  });

  test.each([
    ["ALERT_WEBHOOK_SECRET", "", "ALERT_WEBHOOK_SECRET is not set"],
    ["ALERT_WEBHOOK_URL", "http://hooks.test/", "must be https"],
  ])("with %s as %j nothing is sent, and the message says why", async (name, value, why) => {
    vi.stubEnv(name, value);
    await sendTest();
    expect(sent).toEqual([]);
    expect((await deliveries())[0]?.error).toContain(why);
  });

  test("without a webhook alerts open all the same, and nothing waits in the outbox", async () => {
    vi.stubEnv("ALERT_WEBHOOK_URL", "");
    await world.submit();
    await minute(4);
    expect(await list()).toHaveLength(1);
    expect(await deliveries()).toEqual([]);
    const administrator = await world.user("administrator");
    expect(await codeOf(administrator.mutation(api.alerts.test, {}))).toBe("INVALID_ARGUMENT");
  });

  test("replay by alert: its latest message; of nothing: NOT_FOUND", async () => {
    await world.submit();
    await minute(4);
    const [alert] = await list();
    if (alert === undefined) throw new Error("no alert");
    await world.t.mutation(internal.alerts.replay, { alertId: alert.alertId });
    await world.settle();
    expect(kinds()).toEqual(["opened", "opened"]);
    expect(await codeOf(world.t.mutation(internal.alerts.replay, {}))).toBe("NOT_FOUND");
  });
});

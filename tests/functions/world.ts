import rateLimiter from "@convex-dev/rate-limiter/test";
import { convexTest, type TestConvex } from "convex-test";
import { vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Doc, Id } from "../../convex/_generated/dataModel.js";
import * as Box from "../../convex/lib/box.js";
import { toBase64Url } from "../../convex/lib/crypto.js";
import type { AttemptReport, Outcome } from "../../convex/protocol/job.js";
import type { StoredPart } from "../../convex/protocol/checkpoint.js";
import type { Role } from "../../convex/protocol/view.js";
import schema from "../../convex/schema.js";

export const modules = import.meta.glob([
  "../../convex/**/*.ts",
  "../../convex/_generated/*.js",
  "!**/*.d.ts",
]);
export const ISSUER = "https://queue.test";
export const START = Date.UTC(2026, 0, 1);

/** A report of an attempt that did little. */
export const aReport: AttemptReport = {
  costUsd: 0.5,
  tokens: { input: 1, output: 2, cacheRead: 3, cacheCreation: 4 },
  turns: 1,
  permissionDenials: 0,
};
export const failed = (reason: Extract<Outcome, { kind: "failed" }>["reason"]): Outcome => ({
  kind: "failed",
  reason,
  message: "as told",
});

/** RS256 key pairs are slow to make: one for all tests of a file. */
const signingKey = makeSigningKey();
async function makeSigningKey(): Promise<string> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  return JSON.stringify({ ...(await crypto.subtle.exportKey("jwk", pair.privateKey)), kid: "k1" });
}

type Limits = { documentsRead?: number; documentsWritten?: number };

/** A deployment of the functions with nobody in it, at START, with its clock under control. */
export class World {
  readonly t: TestConvex<typeof schema>;
  private constructor(limits: Limits) {
    this.t = convexTest({ schema, modules, transactionLimits: limits });
    rateLimiter.register(this.t);
  }

  /** Limits hold for each transaction, those of the test itself included. */
  static async make(limits: Limits = {}): Promise<World> {
    vi.useFakeTimers({ now: START });
    vi.stubEnv("AUTH_ISSUER", ISSUER);
    vi.stubEnv("AUTH_USER_PRIVATE_JWK", await signingKey);
    vi.stubEnv("AUTH_EXECUTOR_PRIVATE_JWK", await signingKey);
    vi.stubEnv("SETUP_TOKEN", "set-me-up");
    vi.stubEnv("SECRETS_KEYS", `k1:${toBase64Url(new Uint8Array(32).fill(1))}`);
    vi.stubEnv("SECRETS_CURRENT", "k1");
    return new World(limits);
  }

  /** A signed-in person of this role. */
  async user(role: Role, username: string = role) {
    const { userId, sessionId } = await this.t.run(async (ctx) => {
      const user = await ctx.db.insert("users", { username, role, disabled: false, epoch: 0 });
      const passwordHash = "of no password";
      await ctx.db.insert("credentials", {
        userId: user,
        passwordHash,
        failures: 0,
        lockedUntil: 0,
      });
      const session = await ctx.db.insert("sessions", {
        userId: user,
        epoch: 0,
        refreshHash: `hash of ${username}`,
        rotatedAt: START,
        expiresAt: START + 1e9,
        label: "",
      });
      return { userId: user, sessionId: session };
    });
    const identity = { issuer: `${ISSUER}/user`, subject: userId, sid: sessionId };
    return Object.assign(this.t.withIdentity(identity), { userId, sessionId });
  }

  /** An enrolled executor, without a process yet. */
  async enrol(name: string, x = toBase64Url(new Uint8Array(32))): Promise<Id<"executors">> {
    const { token } = await this.t.mutation(internal.admin.createEnrolment, { label: name });
    const publicJwk = { kty: "OKP" as const, crv: "Ed25519" as const, x };
    const reply = await this.t.mutation(api.executors.enrol, { token, name, publicJwk });
    if (!reply.ok) throw new Error(reply.code);
    return reply.executorId;
  }

  /** A process of an executor, holding a token, not registered. */
  process(executorId: Id<"executors">, boot: string, bootAt: number) {
    const identity = { issuer: `${ISSUER}/executor`, subject: executorId, epoch: 0, boot, bootAt };
    return Object.assign(this.t.withIdentity(identity), { executorId });
  }

  /** A registered process of a new executor. */
  async executor(name: string, slots = 1, leaseMs = 30_000) {
    const caller = this.process(await this.enrol(name), "boot-1", START);
    await caller.mutation(api.executors.register, { registration: registration(slots, leaseMs) });
    await this.settle();
    return caller;
  }

  /** A job in the queue, dispatched if somebody has a slot. */
  async submit(extra: { priority?: number; attemptsMax?: number; timeoutMs?: number } = {}) {
    const { priority, ...limits } = extra;
    const { jobId } = await this.t.mutation(internal.admin.submitJob, {
      repository: "octo/hello",
      prompt: "Say hello",
      limits,
      // Jobs of one repository run one at a time unless they say otherwise.
      concurrencyKey: null,
      ...(priority === undefined ? {} : { priority }),
    });
    await this.settle();
    return jobId;
  }

  /** A secret that is kept: a webhook's, of this label. */
  async secret(name: string, value = `webhook secret ${name}`): Promise<Id<"secrets">> {
    const box = await Box.seal(value, { table: "secretBoxes", owner: `webhook:${name}` });
    const kept = { kind: "webhook", name, box, lastFour: value.slice(-4), setBy: "test" } as const;
    return (await this.t.mutation(internal.secrets.keep, kept)).secretId;
  }

  /** A budget that is far from used up. */
  async budget(): Promise<Id<"budgets">> {
    const amounts = { limit: 1e12, start: START, spent: 0, reserved: 0, overshoot: 0 };
    const of = { key: "all", scope: { kind: "all" }, period: "total", timeZone: "UTC" } as const;
    const budget = { ...of, ...amounts };
    return this.t.run((ctx) => ctx.db.insert("budgets", budget));
  }

  /** A credential of the deployment, of this label. */
  async credential(label: string): Promise<Id<"claudeCredentials">> {
    const key = { kind: "claude", name: label } as const;
    const box = await Box.seal(`sk-ant-${label}`, {
      table: "secretBoxes",
      owner: `claude:${label}`,
    });
    const sealed = { ...key, form: "apiKey", box, lastFour: "abcd", setBy: "test" } as const;
    const put = { sealed, concurrency: null };
    return (await this.t.mutation(internal.credentials.put, put)).credentialId;
  }

  /** An open alert. */
  async alert(): Promise<Id<"alerts">> {
    const alert = { key: "spend", rule: "spend", severity: "P2", title: "t", detail: "d" } as const;
    const row = { ...alert, status: "open", since: START, openedAt: START } as const;
    return this.t.run((ctx) => ctx.db.insert("alerts", row));
  }

  /** A command to a job, settled already. */
  async order(jobId: Id<"jobs">): Promise<Id<"steering">> {
    const told = { kind: "message", messageId: "m", by: "user:ada", at: START } as const;
    const row = { jobId, seq: 0, ...told, state: "refused", stateAt: START } as const;
    return this.t.run((ctx) => ctx.db.insert("steering", row));
  }

  /** A question of a job's run, settled already. */
  async question(jobId: Id<"jobs">): Promise<Id<"questions">> {
    const call = { attempt: 1, toolUseId: "t", tool: "Bash", input: "{}" };
    const row = { jobId, ...call, askedAt: START, deadlineAt: START, state: "expired" } as const;
    return this.t.run((ctx) => ctx.db.insert("questions", row));
  }

  /** An uploaded file that belongs to nothing yet, as its uploader describes it. */
  async part(text: string): Promise<StoredPart> {
    const bytes = new TextEncoder().encode(text);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const storageId = await this.t.run((ctx) => ctx.storage.store(new Blob([bytes])));
    return { storageId, sha256, bytes: bytes.length };
  }

  /** Files in storage. */
  async files(): Promise<number> {
    return this.t.run(async (ctx) => (await ctx.db.system.query("_storage").collect()).length);
  }

  async job(jobId: Id<"jobs">): Promise<Doc<"jobs">> {
    const job = await this.t.run((ctx) => ctx.db.get("jobs", jobId));
    if (job === null) throw new Error("no such job");
    return job;
  }

  /** Everything in the database, to see that a call changed nothing. */
  async everything(): Promise<unknown> {
    const tables = Object.keys(schema.tables) as (keyof typeof schema.tables)[];
    return this.t.run(async (ctx) => {
      const rows = tables.map(
        async (table) => [table, await ctx.db.query(table).collect()] as const,
      );
      return Object.fromEntries(await Promise.all(rows));
    });
  }

  /** Lets the clock run on, and everything due happen. */
  async advance(ms: number): Promise<void> {
    const end = Date.now() + ms;
    for (let i = 0; i < 1_000; i += 1) {
      const next = await this.nextDue();
      if (next === null || next > end) break;
      vi.advanceTimersByTime(Math.max(0, next - Date.now()));
      await this.t.finishInProgressScheduledFunctions();
    }
    vi.advanceTimersByTime(Math.max(0, end - Date.now()));
  }

  /** Lets everything that is due now happen. */
  async settle(): Promise<void> {
    await this.advance(0);
  }

  private async nextDue(): Promise<number | null> {
    const all = await this.t.run((ctx) => ctx.db.system.query("_scheduled_functions").collect());
    const times = all.filter((f) => f.state.kind === "pending").map((f) => f.scheduledTime);
    return times.length === 0 ? null : Math.min(...times);
  }
}

export const registration = (slots: number, leaseMs = 30_000) => ({
  slots,
  leaseMs,
  version: "0.1.0",
  cliVersion: "2.1.197",
  labels: [],
});

export type Executor = Awaited<ReturnType<World["executor"]>>;

/** The assignments of an executor, which must be at least this many. */
export async function assigned(executor: Executor) {
  return executor.query(api.executors.assignments, {});
}

/** The one assignment of an executor. */
export async function onlyAssignment(executor: Executor) {
  const [only, ...more] = await assigned(executor);
  if (only === undefined || more.length > 0) throw new Error("not exactly one assignment");
  return only;
}

/** Starts the one assignment of an executor; hands out what its writes must carry. */
export async function started(executor: Executor) {
  const { jobId, token } = await onlyAssignment(executor);
  await executor.mutation(api.executors.start, { jobId, token });
  return { jobId, token };
}

/** Ends an attempt. */
export async function finish(
  executor: Executor,
  claim: { jobId: Id<"jobs">; token: number },
  outcome: Outcome,
) {
  return executor.mutation(api.executors.finish, { ...claim, outcome, report: aReport });
}

/** The code of the error that a call is refused with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (typeof error === "object" && error !== null && "data" in error) {
      const data: unknown = typeof error.data === "string" ? JSON.parse(error.data) : error.data;
      if (typeof data === "object" && data !== null && "code" in data) return String(data.code);
    }
    throw error;
  }
  return "accepted";
}

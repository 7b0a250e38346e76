/**
 * The product's functions on the core of the embedded backend, in this process and in memory: the real
 * transactions, with their conflicts, under the test's control.
 */
import path from "node:path";
import type { JSONValue } from "convex/values";
import type { Clock, CommitHooks } from "../../embedded/engine/engine.js";
import { openBackend, type Backend } from "../../embedded/functions/backend.js";
import type { Identity } from "../../embedded/functions/types.js";
import { call, valueOf } from "../embedded/coreSupport.js";
import { productPush } from "./productPush.js";

const ISSUER = "https://queue.test";
const ROOT = path.resolve(import.meta.dirname, "../..");
const DAY_MS = 86_400_000;
const PASSES_MAX = 100;
/** Longer than any test takes. */
const LEASE_MS = 600_000;
const OPERATOR: Identity = { kind: "admin", name: "test", actingAs: null };

/** An executor's registered process. */
export type Process = { executorId: string; identity: Identity };
/** What an executor is to run. */
export type Assigned = { jobId: string; token: number; started: boolean };

export class QueueCore {
  readonly backend: Backend;

  private constructor(backend: Backend) {
    this.backend = backend;
  }

  static async open(hooks: CommitHooks = {}, clock?: Clock): Promise<QueueCore> {
    const backend = await openBackend({ dataDir: null, hooks, ...(clock && { clock }) });
    await backend.deployment.setEnvironment([{ name: "AUTH_ISSUER", value: ISSUER }]);
    const analyzed = await backend.deployment.analyze(await productPush(ROOT));
    await backend.deployment.activate(analyzed);
    return new QueueCore(backend);
  }

  /** The outcome of a mutation, refused or not; as an operator unless told. */
  mutate(name: string, args: JSONValue, identity: Identity = OPERATOR) {
    return this.backend.runner.mutation(call(name, args, identity));
  }

  /** The value of a mutation; throws what it was refused with. */
  async mutation<T>(name: string, args: JSONValue, identity: Identity = OPERATOR): Promise<T> {
    return valueOf<T>(await this.mutate(name, args, identity));
  }

  /** The outcome of a query with what it read. */
  look(name: string, args: JSONValue, identity: Identity = OPERATOR) {
    return this.backend.runner.query(call(name, args, identity));
  }

  async query<T>(name: string, args: JSONValue, identity: Identity = OPERATOR): Promise<T> {
    return valueOf<T>(await this.look(name, args, identity));
  }

  /** Rows of a table as they are now. */
  rows(table: string): Record<string, unknown>[] {
    const tx = this.backend.engine.begin();
    try {
      return [...tx.scan(table)];
    } finally {
      tx.abort();
    }
  }

  async submit(extra: Record<string, JSONValue> = {}): Promise<string> {
    const args = { repository: "octo/hello", prompt: "x", concurrencyKey: null, ...extra };
    return (await this.mutation<{ jobId: string }>("admin:submitJob", args)).jobId;
  }

  /** A new executor with a registered process. */
  async executor(name: string, slots: number, leaseMs = LEASE_MS): Promise<Process> {
    const { token } = await this.mutation<{ token: string }>("admin:createEnrolment", {
      label: name,
    });
    const publicJwk = { kty: "OKP", crv: "Ed25519", x: "A".repeat(43) };
    const { executorId } = await this.mutation<{ executorId: string }>("executors:enrol", {
      ...{ token, name, publicJwk },
    });
    const issuer = `${ISSUER}/executor`;
    const who = { issuer, subject: executorId, tokenIdentifier: `${issuer}|${executorId}` };
    const claims = { ...who, epoch: 0, boot: "boot-1", bootAt: 1 };
    const process: Process = { executorId, identity: { kind: "user", claims, expiresAtMs: null } };
    await this.offer(process, slots, leaseMs);
    return process;
  }

  /** The same process offers so many slots from now on; what it holds it keeps. */
  async offer({ identity }: Process, slots: number, leaseMs = LEASE_MS): Promise<void> {
    const registration = { slots, leaseMs, version: "1", cliVersion: "1", labels: [] };
    await this.mutation("executors:register", { registration }, identity);
  }

  /** The backend's time. */
  nowMs(): number {
    return this.backend.engine.clock.nowMs();
  }

  /** A signed-in operator. */
  person(username: string, role = "operator"): Identity {
    const tx = this.backend.engine.begin();
    const userId = tx.insert("users", { username, role, disabled: false, epoch: 0 });
    const session = { userId, epoch: 0, refreshHash: username, label: "" };
    const sid = tx.insert("sessions", {
      ...session,
      rotatedAt: 1,
      expiresAt: this.nowMs() + DAY_MS,
    });
    this.backend.engine.commit(tx);
    const issuer = `${ISSUER}/user`;
    const who = { issuer, subject: userId, tokenIdentifier: `${issuer}|${userId}` };
    return { kind: "user", claims: { ...who, sid }, expiresAtMs: null };
  }

  assignments({ identity }: Process): Promise<Assigned[]> {
    return this.query<Assigned[]>("executors:assignments", {}, identity);
  }

  /** Runs the pass that is scheduled, where nothing else runs what is. */
  async pass(): Promise<void> {
    await this.mutation("dispatch:pass", { generation: this.generation("dispatcher") });
  }

  /** Runs passes until the dispatcher sleeps, where nothing else runs what is scheduled. */
  async settle(): Promise<void> {
    for (let passes = 0; passes < PASSES_MAX; passes += 1) {
      if (this.rows("dispatcher")[0]?.["status"] !== "scheduled") return;
      await this.pass();
    }
    throw new Error(`the dispatcher still goes on after ${PASSES_MAX} passes`);
  }

  /** Of the one row of a chain. */
  generation(table: "dispatcher" | "timer"): number {
    const [row] = this.rows(table);
    return Number(row?.["generation"] ?? 0);
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}

/** Arguments of executors:finish for an attempt that did its work. */
export function succeeded({ jobId, token }: Assigned): JSONValue {
  const tokens = { input: 1, output: 2, cacheRead: 3, cacheCreation: 4 };
  const report = { costUsd: 0.5, tokens, turns: 1, permissionDenials: 0 };
  return { jobId, token, outcome: { kind: "succeeded" }, report };
}

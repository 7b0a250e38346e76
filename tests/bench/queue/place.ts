/**
 * A deployment in this process with people and executors that call it, one call after the other. What
 * is scheduled runs when `settle` is called, and so do the subscriptions that a commit has outdated:
 * the same calls in the same order each time, so that counts are exact.
 */
import { convexToJson, jsonToConvex, type Value } from "convex/values";
import type { FunctionReference, FunctionReturnType } from "convex/server";
import { getFunctionName } from "convex/server";
import { api, internal } from "../../../convex/_generated/api.js";
import type { Doc, Id } from "../../../convex/_generated/dataModel.js";
import type { AttemptReport, Outcome } from "../../../convex/protocol/job.js";
import type { TimedClock } from "../../../embedded/control.js";
import type { Subscription } from "../../../embedded/engine/engine.js";
import { openBackend, type Backend } from "../../../embedded/functions/backend.js";
import type { Claims, Identity } from "../../../embedded/functions/types.js";
import { ScheduledFunctions } from "../../../embedded/scheduler/scheduled.js";
import { VirtualClock } from "../../simulation/embeddedClock.js";
import { deploy } from "./functions.js";
import { Meter } from "./meter.js";

const ISSUER = "https://queue.bench";
const START_MS = Date.UTC(2030, 0, 1);
const HOUR_MS = 3_600_000;

export type Claim = { jobId: Id<"jobs">; token: number };
type Assignments = FunctionReturnType<typeof api.executors.assignments>;
type Settings = {
  root: string;
  /** A folder for durable data; null keeps it in memory. */
  dataDir: string | null;
  /** Called before the scheduler starts, to put documents there. */
  fill?: (backend: Backend) => Promise<void>;
};

export class Place {
  readonly backend: Backend;
  readonly meter: Meter;
  readonly clock: VirtualClock;
  readonly #scheduled: ScheduledFunctions;
  readonly #watches: Watch[] = [];
  #boots = 0;

  private constructor(backend: Backend, clock: VirtualClock) {
    this.backend = backend;
    this.clock = clock;
    const { engine } = backend;
    this.meter = new Meter(engine, backend.runner);
    const ports = { engine, runner: this.meter.runner, clock: clock as TimedClock };
    this.#scheduled = new ScheduledFunctions({ ...ports, log: fault });
  }

  static async open({ root, dataDir, fill }: Settings): Promise<Place> {
    const clock = new VirtualClock(START_MS);
    const backend = await openBackend({ dataDir, clock });
    await deploy(backend, root);
    await fill?.(backend);
    // Creation times differ: those of many documents of one moment run ahead of the clock.
    clock.advance(HOUR_MS);
    const place = new Place(backend, clock);
    await place.#scheduled.start();
    return place;
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.close();
    await this.#scheduled.stop();
    await this.backend.close();
  }

  /** Calls a mutation; throws what it throws. */
  async mutation<F extends FunctionReference<"mutation", "public" | "internal">>(
    reference: F,
    args: F["_args"],
    identity: Identity = NOBODY,
  ): Promise<FunctionReturnType<F>> {
    const outcome = await this.meter.runner.runMutationWith(call(reference, args, identity), {});
    if (outcome.ok !== true)
      throw new Error(outcome.ok === false ? outcome.error.message : "skipped");
    return jsonToConvex(outcome.value);
  }

  /** Calls a query; throws what it throws. */
  async query<F extends FunctionReference<"query", "public" | "internal">>(
    reference: F,
    args: F["_args"],
    identity: Identity = ADMIN,
  ): Promise<FunctionReturnType<F>> {
    const outcome = await this.meter.runner.query(call(reference, args, identity));
    if (!outcome.ok) throw new Error(outcome.error.message);
    return jsonToConvex(outcome.value);
  }

  /** Runs what is due, and the subscriptions it outdated, until there is nothing left. */
  async settle(): Promise<void> {
    for (;;) {
      await this.#scheduled.idle();
      // Subscriptions hear of commits in a microtask.
      await new Promise((resolve) => setImmediate(resolve));
      const stale = this.#watches.filter((watch) => watch.isStale);
      if (stale.length === 0) return;
      await Promise.all(stale.map((watch) => watch.run()));
    }
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  /** A signed-in operator. */
  person(username = "operator"): Identity {
    const tx = this.backend.engine.begin();
    const userId = tx.insert("users", { username, role: "operator", disabled: false, epoch: 0 });
    const session = { userId, epoch: 0, refreshHash: username, label: "" };
    const times = { rotatedAt: START_MS, expiresAt: START_MS + 1e12 };
    const sid = tx.insert("sessions", { ...session, ...times });
    this.backend.engine.commit(tx);
    return identityOf("user", userId, { sid });
  }

  /** An executor that has registered and is subscribed to its assignments. */
  async executor(name: string, { slots = 1, leaseMs = 60_000 } = {}): Promise<Executor> {
    const { token } = await this.mutation(internal.admin.createEnrolment, { label: name });
    const publicJwk = { kty: "OKP" as const, crv: "Ed25519" as const, x: "A".repeat(43) };
    const reply = await this.mutation(api.executors.enrol, { token, name, publicJwk });
    if (!reply.ok) throw new Error(reply.code);
    const executor = new Executor(this, { executorId: reply.executorId, slots, leaseMs });
    await executor.register();
    return executor;
  }

  /** A process that says it started after all others. */
  nextBoot(): { boot: string; bootAt: number } {
    this.#boots += 1;
    return { boot: `boot-${this.#boots}`, bootAt: START_MS + this.#boots };
  }

  watch(reference: FunctionReference<"query">, identity: Identity): Watch {
    const watch = new Watch(this, reference, identity);
    this.#watches.push(watch);
    return watch;
  }

  unwatch(watch: Watch): void {
    watch.close();
    this.#watches.splice(this.#watches.indexOf(watch), 1);
  }

  async job(jobId: Id<"jobs">): Promise<Doc<"jobs">> {
    const tx = this.backend.engine.begin();
    const row = tx.get("jobs", jobId);
    tx.abort();
    if (row === null) throw new Error(`no job ${jobId}`);
    // The schema checks what is in the table.
    return Promise.resolve(row as unknown as Doc<"jobs">);
  }
}

/** A subscription of one client: runs again when what it read was changed. */
class Watch {
  isStale = true;
  value: unknown;
  #subscription: Subscription | undefined;
  readonly #place: Place;
  readonly #reference: FunctionReference<"query">;
  readonly #identity: Identity;

  constructor(place: Place, reference: FunctionReference<"query">, identity: Identity) {
    this.#place = place;
    this.#reference = reference;
    this.#identity = identity;
  }

  async run(): Promise<void> {
    this.isStale = false;
    const { meter, backend } = this.#place;
    const outcome = await meter.runner.query(call(this.#reference, {}, this.#identity));
    if (!outcome.ok) throw new Error(outcome.error.message);
    this.value = jsonToConvex(outcome.value);
    this.#subscription = backend.engine.subscribe(outcome.reads, outcome.ts, () => {
      this.isStale = true;
    });
  }

  close(): void {
    this.#subscription?.close();
  }
}

export class Executor {
  readonly executorId: Id<"executors">;
  readonly #place: Place;
  readonly #settings: { slots: number; leaseMs: number };
  #identity: Identity = NOBODY;
  #watch: Watch | undefined;

  constructor(
    place: Place,
    { executorId, ...settings }: { executorId: Id<"executors">; slots: number; leaseMs: number },
  ) {
    this.#place = place;
    this.executorId = executorId;
    this.#settings = settings;
  }

  /** A new process of it announces itself and subscribes. */
  async register(): Promise<void> {
    this.die();
    const process = { epoch: 0, ...this.#place.nextBoot() };
    this.#identity = identityOf("executor", this.executorId, process);
    const versions = { version: "0.1.0", cliVersion: "2.1.197", labels: [] };
    const registration = { ...this.#settings, ...versions };
    await this.#place.mutation(api.executors.register, { registration }, this.#identity);
    this.#watch = this.#place.watch(api.executors.assignments, this.#identity);
    await this.#place.settle();
  }

  /** The process is gone and with it its subscription; nobody is told. */
  die(): void {
    if (this.#watch !== undefined) this.#place.unwatch(this.#watch);
    this.#watch = undefined;
  }

  /** What its subscription last said. */
  assignments(): Assignments {
    // The function's own type says what it returns.
    return (this.#watch?.value ?? []) as Assignments;
  }

  /** Ends in order, also when the process has died: what it holds and its lease are gone. */
  async goOffline(): Promise<void> {
    this.die();
    await this.#place.mutation(api.executors.goOffline, {}, this.#identity);
  }

  async start(claim: Claim): Promise<void> {
    await this.#place.mutation(api.executors.start, claim, this.#identity);
  }

  async phase(claim: Claim, phase: "running" | "collecting"): Promise<void> {
    const facts = phase === "running" ? { spawnedAt: START_MS, commit: "c".repeat(40) } : {};
    const args = { ...claim, phase, ...facts };
    await this.#place.mutation(api.executors.phase, args, this.#identity);
  }

  async heartbeat(held: Claim[]): Promise<void> {
    await this.#place.mutation(api.executors.heartbeat, { held }, this.#identity);
  }

  async append(claim: Claim, seq: number, texts: readonly string[]): Promise<void> {
    const entries = texts.map((text) => ({ at: START_MS, kind: "text" as const, text }));
    await this.#place.mutation(api.logs.append, { ...claim, seq, entries }, this.#identity);
  }

  async finish(claim: Claim, outcome: Outcome): Promise<void> {
    const args = { ...claim, outcome, report: REPORT };
    await this.#place.mutation(api.executors.finish, args, this.#identity);
  }
}

const REPORT: AttemptReport = {
  result: "Done.",
  costUsd: 0.01,
  tokens: { input: 1, output: 2, cacheRead: 3, cacheCreation: 4 },
  turns: 1,
  permissionDenials: 0,
};

const NOBODY: Identity = { kind: "none" };
/** May call internal queries. */
const ADMIN: Identity = { kind: "admin", name: "bench", actingAs: null };

function identityOf(of: "user" | "executor", subject: string, more: Claims): Identity {
  const issuer = `${ISSUER}/${of}`;
  const tokenIdentifier = `${issuer}|${subject}`;
  const claims = { issuer, subject, tokenIdentifier, ...more };
  return { kind: "user", claims, expiresAtMs: null };
}

function call(
  reference: FunctionReference<"query" | "mutation", "public" | "internal">,
  args: Record<string, Value>,
  identity: Identity,
) {
  const request = { ip: null, userAgent: null, requestId: "0123456789abcdef", authToken: null };
  const path = getFunctionName(reference);
  return { componentPath: "", path, args: convexToJson(args), identity, request };
}

function fault(event: string, more?: object): void {
  throw new Error(`the scheduler reports ${event}: ${JSON.stringify(more)}`);
}

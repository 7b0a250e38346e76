/**
 * One run of the server's core under a seed: clients that resend, scheduled functions, a cron,
 * conflicts and crashes at commits, and time that jumps. What is left to chance besides the seed is
 * the order in which the event loop gets to things.
 */
import { randomUUID } from "node:crypto";
import path from "node:path";
import { build } from "esbuild";
import { ConflictError, type CommitHooks } from "../../embedded/engine/engine.js";
import { openBackend, type Backend } from "../../embedded/functions/backend.js";
import { Crons, writeCrons } from "../../embedded/scheduler/crons.js";
import { ScheduledFunctions } from "../../embedded/scheduler/scheduled.js";
import { StoreFailure, type StoreBatch } from "../../embedded/store/store.js";
import { call, valueOf } from "../embedded/coreSupport.js";
import { seeded, type Random } from "../embedded/fireRandom.js";
import { VirtualClock } from "./embeddedClock.js";
import { CrashStore, type Disk } from "./embeddedDisk.js";

const APP = path.resolve(import.meta.dirname, "../embedded/fixtures/fire/convex");
const START_MS = Date.UTC(2030, 0, 1);
/** The period of the fixture's cron. */
const CRON_MS = 600_000;
const CONFLICT_SHARE = 0.15;
const COMMITS_TO_CRASH_MAX = 40;
const LATER = ["nothing", "mutation", "mutation", "action"] as const;

let deployed: Promise<StoreBatch[]> | undefined;
/** A disk on which the fixture is deployed, made once. */
async function deployedDisk(): Promise<Disk> {
  deployed ??= (async () => {
    const disk: Disk = { batches: [] };
    const store = new CrashStore(disk, seeded(0));
    const backend = await openBackend({ dataDir: null, store, clock: { nowMs: () => START_MS } });
    const module = async (name: string) => {
      const { outputFiles } = await build({
        entryPoints: [path.join(APP, `${name}.ts`)],
        bundle: true,
        write: false,
        format: "esm",
        platform: "browser",
        conditions: ["convex", "module"],
      });
      const source = outputFiles[0]?.text ?? "";
      return { path: `${name}.js`, source, environment: "isolate" as const };
    };
    const analyzed = await backend.deployment.analyze({
      functions: [await module("fire"), await module("crons")],
      schema: await module("schema"),
      udfServerVersion: "1.48.0",
    });
    await backend.deployment.activate(analyzed, (tx) => {
      writeCrons(tx, { analyzed, nowMs: START_MS });
    });
    await backend.close();
    return disk.batches;
  })();
  return { batches: [...(await deployed)] };
}

type Put = { key: string; client: string; round: number; later: (typeof LATER)[number] };
/** A mutation of a client that stays until it is answered. */
type Request = { put: Put; sessionId: string; requestId: number };
type Life = {
  backend: Backend;
  clock: VirtualClock;
  scheduled: ScheduledFunctions;
  crons: Crons;
  /** Rejects when the process dies. */
  death: Promise<never>;
};

export type Tally = { crashes: number; conflicts: number; acknowledged: number; ticks: number };

export class World {
  readonly tally: Tally = { crashes: 0, conflicts: 0, acknowledged: 0, ticks: 0 };
  readonly sent = new Map<string, Put>();
  readonly acknowledged = new Set<string>();
  readonly #random: Random;
  readonly #disk: Disk;
  /** Whether time only moves forward in this world. */
  readonly #isForward: boolean;
  #nowMs = START_MS;
  #latestMs = START_MS;
  #next = 0;

  private constructor(random: Random, disk: Disk) {
    this.#random = random;
    this.#disk = disk;
    this.#isForward = random.chance(0.5);
  }

  static async of(seed: number): Promise<World> {
    return new World(seeded(seed), await deployedDisk());
  }

  /** Clients write `count` times each, over `crashes` crashes; then all is left to come to rest. */
  async run(options: { clients: number; count: number; crashes: number }): Promise<string[]> {
    const queues = Array.from({ length: options.clients }, (_, n) =>
      this.#requests(n, options.count),
    );
    for (let crash = 0; crash <= options.crashes; crash += 1) {
      const life = await this.#live(crash < options.crashes);
      const faults = life === null ? [] : await this.#work(life, queues);
      if (faults.length > 0) return faults;
    }
    return queues.some((queue) => queue.length > 0) ? ["clients were never answered"] : [];
  }

  #requests(client: number, count: number): Request[] {
    const sessionId = randomUUID();
    return Array.from({ length: count }, (_, requestId) => {
      const key = `c${client}-${this.#next++}`;
      const later = LATER[this.#random.int(LATER.length)] ?? "nothing";
      const put = { key, client: `c${client}`, round: 0, later };
      return { put, sessionId, requestId };
    });
  }

  /** Opens what is on the disk. Null when it died on the way. */
  async #live(isMortal: boolean): Promise<Life | null> {
    const store = new CrashStore(this.#disk, this.#random);
    const clock = new VirtualClock(this.#nowMs);
    let die: (error: Error) => void = () => undefined;
    const death = new Promise<never>((_, reject) => {
      die = reject;
    });
    death.catch(() => undefined);
    const crash = () => {
      this.tally.crashes += 1;
      store.crash();
      clock.silence();
      const failure = new StoreFailure("crashed");
      die(failure);
      throw failure;
    };
    const hooks = this.#hooks(isMortal ? crash : null);
    try {
      const backend = await openBackend({ dataDir: null, store, clock, hooks });
      const ports = { engine: backend.engine, runner: backend.runner, clock, log: () => undefined };
      const scheduled = new ScheduledFunctions(ports);
      const crons = new Crons(ports);
      await scheduled.start();
      await crons.start();
      return { backend, clock, scheduled, crons, death };
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      return null;
    }
  }

  /** Dies at a commit some way ahead, before it or after it; now and then a commit conflicts. */
  #hooks(crash: (() => void) | null): CommitHooks {
    let left = 1 + this.#random.int(COMMITS_TO_CRASH_MAX);
    const isBefore = this.#random.chance(0.5);
    return {
      beforeCommit: () => {
        left -= 1;
        if (crash !== null && isBefore && left === 0) crash();
        if (!this.#random.chance(CONFLICT_SHARE)) return;
        this.tally.conflicts += 1;
        throw new ConflictError("injected");
      },
      afterCommit: () => {
        if (crash !== null && !isBefore && left <= 0) crash();
      },
    };
  }

  /** Until the death, or until everything is answered and done; what the audit then finds. */
  async #work(life: Life, queues: Request[][]): Promise<string[]> {
    try {
      await Promise.race([life.death, Promise.all(queues.map((queue) => this.#send(life, queue)))]);
      await Promise.race([life.death, this.#rest(life)]);
      return await this.#audit(life.backend, true);
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      return [];
    } finally {
      this.#nowMs = life.clock.nowMs();
    }
  }

  async #send({ backend, clock, death }: Life, queue: Request[]): Promise<void> {
    for (let request = queue[0]; request !== undefined; request = queue[0]) {
      const { put, sessionId, requestId } = request;
      this.sent.set(put.key, put);
      const outcome = await Promise.race([
        death,
        backend.runner.mutation(call("fire:put", put), { session: { sessionId, requestId } }),
      ]);
      // A mutation that lost to injected conflicts to the end is refused, and sent again.
      if (!outcome.ok) continue;
      queue.shift();
      this.acknowledged.add(put.key);
      this.tally.acknowledged += 1;
      if (this.#random.chance(0.3)) this.#advance(clock, this.#random.int(400_000));
      if (this.#random.chance(0.1)) this.#assertNone(await this.#audit(backend, false));
    }
  }

  #advance(clock: VirtualClock, ms: number): void {
    clock.advance(this.#isForward ? ms : ms - 100_000);
    this.#latestMs = Math.max(this.#latestMs, clock.nowMs());
  }

  #assertNone(faults: string[]): void {
    if (faults.length > 0) throw new Error(faults.join("\n"));
  }

  async #rest({ clock, scheduled, crons }: Life): Promise<void> {
    this.#advance(clock, 3_600_000);
    await scheduled.idle();
    await crons.idle();
  }

  async #audit({ runner }: Backend, isFinal: boolean): Promise<string[]> {
    const ask = async <T>(round: number) =>
      valueOf<T>(await runner.query(call("fire:audit", { round })));
    const known = new Set(this.acknowledged);
    const { rows, totals, traces, coins } = await ask<Audit>(0);
    const keys = rows.map(({ key }) => key);
    const marks = traces.map(({ key, kind }) => `${kind} ${key}`);
    const faults = [
      ...[...known].filter((key) => !keys.includes(key)).map((key) => `lost: ${key}`),
      ...doubles(keys).map((key) => `applied twice: ${key}`),
      ...doubles(marks).map((mark) => `twice: ${mark}`),
      ...traces.filter(({ key }) => !keys.includes(key)).map(({ key }) => `no cause: ${key}`),
      ...totals
        .filter(({ client, count }) => rows.filter((r) => r.client === client).length !== count)
        .map(({ client, count }) => `torn: ${client} counts ${count}`),
      ...(coins === 0 ? [] : [`torn: the purses hold ${coins}`]),
    ];
    const ticks = (await ask<Audit>(-1)).traces.map(({ key }) => Number(key));
    this.tally.ticks = ticks.length;
    faults.push(...this.#cronFaults(ticks));
    if (!isFinal) return faults;
    for (const key of keys) {
      const isDue = this.sent.get(key)?.later === "mutation";
      if (isDue && !marks.includes(`settled ${key}`)) faults.push(`not run: ${key}`);
    }
    return faults;
  }

  /** A run that began before the clock was set back may bear an earlier slot's time: then only the number counts. */
  #cronFaults(ticks: number[]): string[] {
    const slotOf = (ms: number) => Math.floor((ms - START_MS) / CRON_MS);
    const slots = slotOf(this.#latestMs) + 1;
    if (ticks.length > slots) return [`cron ran ${ticks.length} times in ${slots} slots`];
    if (!this.#isForward) return [];
    return doubles(ticks.map((ms) => String(slotOf(ms)))).map(
      (slot) => `cron twice in slot ${slot}`,
    );
  }
}

type Audit = {
  rows: { key: string; client: string }[];
  totals: { client: string; count: number }[];
  traces: { key: string; kind: string }[];
  coins: number;
};

const doubles = (items: string[]): string[] =>
  items.filter((item, at) => items.indexOf(item) !== at);

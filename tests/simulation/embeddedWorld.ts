/**
 * One run of the server's core under a seed: clients on sessions of the sync protocol, scheduled
 * functions, a cron; conflicts and crashes at commits, sockets that are cut, time that jumps. What
 * happens next, and how many turns of the event loop lie between, is drawn from the seed; nothing
 * waits for anything outside the process. So one seed gives one run, which `trace` writes down.
 */
import { ConflictError, type CommitHooks } from "../../embedded/engine/engine.js";
import { openBackend } from "../../embedded/functions/backend.js";
import { FUNCTION_TIMES } from "../../embedded/functions/functionTimes.js";
import { Crons } from "../../embedded/scheduler/crons.js";
import { ScheduledFunctions } from "../../embedded/scheduler/scheduled.js";
import { StoreFailure } from "../../embedded/store/store.js";
import { seeded, type Random } from "../embedded/fireRandom.js";
import { auditWorld, type Known } from "./embeddedAudit.js";
import { seededChance } from "./embeddedChance.js";
import { LATER, SimulatedClient, type Put } from "./embeddedClient.js";
import { VirtualClock } from "./embeddedClock.js";
import { deployedDisk, START_MS } from "./embeddedDeployed.js";
import { CrashStore, type Disk } from "./embeddedDisk.js";
import { SimulatedSocket, type Life } from "./embeddedSocket.js";

const CONFLICT_SHARE = 0.15;
const COMMITS_TO_CRASH_MAX = 40;
const TURNS_BETWEEN_MAX = 4;
/** Steps of one life in which clients are not done: more means that somebody waits forever. */
const STEPS_MAX = 20_000;
/** A second of processor time may pass on a busy machine; here nothing may depend on that. */
const TIMES = { ...FUNCTION_TIMES, userMs: 60_000, actionStretchMs: 300_000 };

export type Tally = {
  crashes: number;
  cuts: number;
  conflicts: number;
  acknowledged: number;
  ticks: number;
};

export class World {
  readonly tally: Tally = { crashes: 0, cuts: 0, conflicts: 0, acknowledged: 0, ticks: 0 };
  /** What happened, in order. */
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #disk: Disk;
  /** Whether time only moves forward in this world. */
  readonly #isForward: boolean;
  #nowMs = START_MS;
  #latestMs = START_MS;
  #clients: SimulatedClient[] = [];
  readonly #sent = new Map<string, Put>();

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
    this.#clients = Array.from({ length: options.clients }, (_, n) =>
      this.#client(`c${n}`, options.count),
    );
    for (let crash = 0; crash <= options.crashes; crash += 1) {
      this.trace.push(`life ${crash}`);
      const life = await this.#live(crash < options.crashes);
      const faults = life === null ? [] : await this.#work(life);
      if (faults.length > 0) return faults;
    }
    this.tally.acknowledged = this.#acknowledged().size;
    return this.#clients.some(({ isDone }) => !isDone) ? ["clients were never answered"] : [];
  }

  #client(name: string, count: number): SimulatedClient {
    const puts = Array.from({ length: count }, (_, at) => {
      const later = this.#random.pick(LATER);
      return { key: `${name}-${at}`, client: name, round: 0, later };
    });
    for (const put of puts) this.#sent.set(put.key, put);
    return new SimulatedClient(name, puts, this.#random);
  }

  #acknowledged(): Set<string> {
    return new Set(this.#clients.flatMap(({ acknowledged }) => [...acknowledged.keys()]));
  }

  /** Opens what is on the disk. Null when it died on the way. */
  async #live(isMortal: boolean): Promise<Life | null> {
    const store = new CrashStore(this.#disk, this.#random);
    const clock = new VirtualClock(this.#nowMs);
    const state = { isDead: false };
    const crash = () => {
      this.tally.crashes += 1;
      this.trace.push("crash");
      state.isDead = true;
      store.crash();
      clock.silence();
      throw new StoreFailure("crashed");
    };
    const hooks = this.#hooks(isMortal ? crash : null);
    const chance = seededChance(this.#random);
    try {
      const backend = await openBackend({
        dataDir: null,
        store,
        clock,
        chance,
        hooks,
        times: TIMES,
      });
      const ports = { engine: backend.engine, runner: backend.runner, clock, log: () => undefined };
      const scheduled = new ScheduledFunctions(ports);
      const crons = new Crons(ports);
      await scheduled.start();
      await crons.start();
      return { backend, clock, scheduled, crons, state };
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
        this.trace.push("conflict");
        throw new ConflictError("injected");
      },
      afterCommit: (ts) => {
        this.trace.push(`commit ${ts}`);
        if (crash !== null && !isBefore && left <= 0) crash();
      },
    };
  }

  /** Until the death, or until everything is answered and done; what is then found wrong. */
  async #work(life: Life): Promise<string[]> {
    const sockets = this.#clients.map(
      (client) => new SimulatedSocket({ client, life, random: this.#random, trace: this.trace }),
    );
    try {
      const isDone = await this.#steps(life, sockets);
      if (!isDone && !life.state.isDead) return [`nobody moves after ${STEPS_MAX} steps`];
      if (!life.state.isDead) await this.#rest(life);
      const faults = this.#clients.flatMap((client) => client.faults);
      return life.state.isDead ? faults : [...faults, ...(await this.#audit(life))];
    } finally {
      this.#nowMs = life.clock.nowMs();
      for (const socket of sockets) socket.end();
      await life.backend.close().catch((error: unknown) => {
        if (!(error instanceof StoreFailure)) throw error;
      });
    }
  }

  async #steps(life: Life, sockets: SimulatedSocket[]): Promise<boolean> {
    for (let step = 0; step < STEPS_MAX && !life.state.isDead; step += 1) {
      if (this.#clients.every(({ isDone }) => isDone)) return true;
      this.#step(life, sockets);
      await this.#turns(this.#random.int(TURNS_BETWEEN_MAX));
    }
    return false;
  }

  #step(life: Life, sockets: SimulatedSocket[]): void {
    const socket = sockets[this.#random.int(sockets.length)];
    if (socket === undefined) return;
    if (this.#random.chance(0.01)) {
      this.tally.cuts += 1;
      socket.cut();
    } else if (this.#random.chance(0.02)) {
      this.#advance(life.clock, this.#random.int(400_000));
    } else {
      socket.move();
    }
  }

  async #turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #advance(clock: VirtualClock, ms: number): void {
    clock.advance(this.#isForward ? ms : ms - 100_000);
    this.#latestMs = Math.max(this.#latestMs, clock.nowMs());
    this.trace.push(`now ${clock.nowMs()}`);
  }

  /** What is due runs until nothing is left, or until the process dies of it. */
  async #rest({ clock, scheduled, crons, state }: Life): Promise<void> {
    this.#advance(clock, 3_600_000);
    const rest = { isIdle: false };
    const idle = scheduled
      .idle()
      .then(() => crons.idle())
      .then(() => {
        rest.isIdle = true;
      });
    idle.catch(() => undefined);
    for (let step = 0; step < STEPS_MAX && !rest.isIdle && !state.isDead; step += 1) {
      await this.#turns(1);
    }
    if (!rest.isIdle && !state.isDead) throw new Error("what is scheduled never comes to rest");
  }

  async #audit({ backend, state }: Life): Promise<string[]> {
    const known: Known = {
      acknowledged: this.#acknowledged(),
      sent: this.#sent,
      latestMs: this.#latestMs,
      isForward: this.#isForward,
    };
    try {
      const { faults, ticks } = await auditWorld(backend.runner, known);
      this.tally.ticks = ticks;
      return faults;
    } catch (error) {
      if (!(error instanceof StoreFailure) && !state.isDead) throw error;
      return [];
    }
  }
}

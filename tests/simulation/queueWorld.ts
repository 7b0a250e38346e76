/**
 * One simulated world: people, machines, a network and the queue's own functions, under virtual time.
 * All chance comes from the seed, so a seed is one history, event by event.
 */
import type { Value } from "convex/values";
import crons from "../../convex/crons.js";
import { isTerminal } from "../../convex/domain/lifecycle.js";
import { ConflictError } from "../../embedded/engine/engine.js";
import type { Document, Transaction } from "../../embedded/engine/transaction.js";
import { FunctionFailure } from "../../embedded/functions/failure.js";
import { seeded, type Random } from "../embedded/fireRandom.js";
import { Agenda } from "./queueAgenda.js";
import { Auditor, Violated } from "./queueAuditor.js";
import { type Call, NOBODY, QueueBackend } from "./queueBackend.js";
import { Machine } from "./queueMachine.js";
import { People, REFUSALS } from "./queuePeople.js";
import type { Sabotage } from "./queueSabotage.js";
import { type Answer, ISSUER, type Message, type Stage } from "./queueStage.js";
import { Trace } from "./queueTrace.js";

const START = Date.UTC(2030, 0, 1);
const TIMEOUT_MS = 10_000;
/** The longest backoff is an hour. */
const HEAL_MS_MAX = 3 * 3_600_000;
/** The longest a message is on its way. */
const LATEST_MS = 40_000;
const LOOK_MS = 60_000;
const SETTLE_MS = 2 * 60_000;

export type Settings = { seed: number; steps: number; sabotage?: Sabotage };
export type Tally = {
  steps: number;
  calls: number;
  refused: number;
  conflicts: number;
  jobs: number;
  succeeded: number;
  digest: string;
};

export class QueueWorld implements Stage {
  readonly random: Random;
  readonly trace = new Trace();
  readonly #agenda = new Agenda();
  readonly #backend: QueueBackend;
  readonly #auditor: Auditor;
  readonly #settings: Settings;
  readonly #machines: Machine[] = [];
  #people: People | null = null;
  #now = START;
  #steps = 0;
  #calls = 0;
  #refused = 0;
  #isHealing = false;
  #depth = 0;

  private constructor(settings: Settings) {
    this.#settings = settings;
    this.random = seeded(settings.seed);
    const own = seeded(settings.seed ^ 0x5bd1e995);
    this.#backend = new QueueBackend({
      nowMs: () => this.#now,
      random: () => own.int(2 ** 31) / 2 ** 31,
      beforeCommit: (tx, call) => this.#beforeCommit(tx, call),
      onCommit: (tx, call) => {
        this.#onCommit(tx, call);
      },
    });
    this.#auditor = new Auditor(this.#backend);
  }

  /** Runs a world to its end; throws Violated, with the last events in its message. */
  static async run(settings: Settings): Promise<Tally> {
    const world = new QueueWorld(settings);
    const restore = world.#backend.install({ AUTH_ISSUER: ISSUER });
    try {
      await world.#begin();
      await world.#live();
      await world.#heal();
      return world.#tally();
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const told = world.trace.readable(`${world.trace.tail().join("\n")}\n${message}`);
      const { seed, steps } = settings;
      const again = `npm run test:simulate -- --seed ${seed} --steps 1 --world ${steps}`;
      throw new Violated(`${told}\nafter ${world.#steps} steps of seed ${seed}: ${again}`);
    } finally {
      restore();
    }
  }

  now(): number {
    return this.#now;
  }

  isHealing(): boolean {
    return this.#isHealing;
  }

  later(delayMs: number, what: string, act: () => void | Promise<void>): void {
    this.#agenda.add(this.#now + Math.max(0, Math.round(delayMs)), what, act);
  }

  async insert(table: string, fields: Record<string, Value>): Promise<string> {
    return (await this.#backend.engine.transact((tx) => tx.insert(table, fields))).value;
  }

  async ask(message: Pick<Message, "name" | "args" | "identity">): Promise<Answer> {
    return this.#answer(message, "a question", () => this.#backend.query(message));
  }

  send(message: Message): void {
    const { random } = this;
    const state = { isAnswered: false };
    const isCutOff = (): boolean => message.isCutOff?.() ?? false;
    const isRough = !this.#isHealing;
    const heard = (act: () => void) => (): void => {
      if (state.isAnswered || isCutOff()) return;
      state.isAnswered = true;
      act();
    };
    const deliver = async (): Promise<void> => {
      if (isCutOff()) return;
      const answer = await this.#carryOut(message);
      if (answer === null || (isRough && random.chance(0.04))) return;
      const tell = answer.ok
        ? () => message.onReply?.(answer.value)
        : () => message.onRefused?.(answer.code);
      this.later(this.#latency(), `${message.from} has an answer`, heard(tell));
    };
    const what = `${message.from} → ${message.name}`;
    if (!(isRough && random.chance(0.04))) this.later(this.#latency(), what, deliver);
    if (isRough && random.chance(0.05)) this.later(this.#latency(), `${what} again`, deliver);
    this.later(TIMEOUT_MS, `${message.from} waits no longer`, () => {
      if (state.isAnswered) return;
      state.isAnswered = true;
      message.onLost?.();
    });
  }

  /** Most messages take no time to speak of; some come after others that were sent later. */
  #latency(): number {
    const { random } = this;
    if (this.#isHealing || random.chance(0.7)) return 1 + random.int(50);
    return random.chance(0.8) ? random.int(2_000) : random.int(LATEST_MS);
  }

  async #carryOut(message: Message): Promise<Answer | null> {
    const sent: Call = { name: message.name, args: message.args, identity: message.identity };
    const call = this.#settings.sabotage?.call?.(sent, this.#backend) ?? sent;
    const answer = await this.#answer(message, message.from, () => this.#backend.mutation(call));
    if (answer.ok && message.name === "executors:finish")
      this.#auditor.onAccepted(message, message.from);
    if (answer.ok && message.name === "jobs:submit") {
      // What jobs:submit returns.
      const { jobId } = answer.value as { jobId: (typeof People.prototype.jobs)[number] };
      this.trace.name("job", jobId);
      if (this.#people?.jobs.includes(jobId) === false) this.#people.jobs.push(jobId);
    }
    return answer.ok || answer.code !== "Conflict" ? answer : null;
  }

  /** What the caller hears; anything but a value and a refusal that has a name is a fault. */
  async #answer(
    { name }: { name: string },
    from: string,
    run: () => Promise<unknown>,
  ): Promise<Answer> {
    this.#calls += 1;
    try {
      const value = await run();
      this.#note(`${from} ${name}: ${JSON.stringify(value ?? null)}`);
      return { ok: true, value };
    } catch (error) {
      const code = codeOf(error);
      if (code === null || !(REFUSALS.has(code) || code === "Conflict")) throw error;
      this.#refused += 1;
      this.#note(`${from} ${name}: ${code}`);
      return { ok: false, code };
    }
  }

  #note(line: string): void {
    this.trace.add(this.#now - START, this.trace.readable(line));
  }

  async #begin(): Promise<void> {
    const { random } = this;
    const count = 2 + random.int(3);
    for (let i = 1; i <= count; i += 1) {
      const machine = await Machine.enrol(this, {
        name: `m${i}`,
        slots: 1 + random.int(3),
        leaseMs: 6_000 + random.int(55_000),
        labels: i === 1 ? ["gpu", "arm"] : random.chance(0.3) ? ["gpu"] : [],
        offsetMs: random.int(240_000) - 120_000,
        rate: 0.97 + random.int(60) / 1_000,
      });
      this.#machines.push(machine);
      machine.boot();
    }
    const jobsMax = 10 + random.int(50);
    this.#people = await People.come(this, { machines: this.#machines, jobsMax });
    this.#keep("people", 3_000, () => this.#people?.act());
    this.#keep("mischief", 40_000, () => {
      this.#machines[random.int(this.#machines.length)]?.suffer();
    });
    this.#startCrons();
  }

  /** Something that happens again and again, until the healing. */
  #keep(what: string, meanMs: number, act: () => void | Promise<void>): void {
    this.later(this.random.int(2 * meanMs), what, async () => {
      if (this.#isHealing) return;
      await act();
      this.#keep(what, meanMs, act);
    });
  }

  /** The crons of convex/crons.ts, late by up to a minute, now and then left out. */
  #startCrons(): void {
    for (const [title, { name, args, schedule }] of Object.entries(crons.crons)) {
      const periodMs = periodOf(schedule);
      // Each is called with one object, here always an empty one.
      if (JSON.stringify(args) !== "[{}]") throw new Error(`Cron ${title} has arguments.`);
      const call: Call = { name, args: {}, identity: NOBODY };
      const tick = async (): Promise<void> => {
        this.#startCron(title, periodMs, tick);
        const isLeftOut = !this.#isHealing && this.random.chance(0.1);
        if (isLeftOut || this.#settings.sabotage?.drops?.(call) === true) return;
        await this.#runOwn(call);
      };
      this.#startCron(title, periodMs, tick);
    }
  }

  #startCron(title: string, periodMs: number, tick: () => Promise<void>): void {
    const lateMs = this.#isHealing ? 0 : this.random.int(60_000);
    this.later(periodMs + lateMs, `cron ${title}`, tick);
  }

  /** A function that the backend itself calls: it must not fail. */
  async #runOwn(call: Call, atCommit?: (tx: Transaction) => boolean): Promise<void> {
    this.#calls += 1;
    await this.#backend.mutation(call, {
      isForever: true,
      ...(atCommit === undefined ? {} : { atCommit }),
    });
    this.#note(call.name);
  }

  async #beforeCommit(tx: Transaction, call: Call): Promise<void> {
    const { random } = this;
    this.#settings.sabotage?.beforeCommit?.(tx, call);
    if (this.#isHealing || this.#depth > 0) return;
    if (random.chance(0.02)) throw new ConflictError("injected");
    if (!random.chance(0.12)) return;
    // Others go on between the end of this function and its commit.
    this.#depth += 1;
    try {
      for (let i = 1 + random.int(3); i > 0; i -= 1) {
        const next = this.#agenda.peek();
        if (next !== undefined && next.at < this.#now + 2_000) await this.#step();
      }
    } finally {
      this.#depth -= 1;
    }
  }

  #onCommit(tx: Transaction, call: Call): void {
    const heard = new Set<unknown>();
    const scheduled: Document[] = [];
    for (const { table, before, after } of tx.writes.writes()) {
      if (table.name === "_scheduled_functions" && before === null && after !== null) {
        scheduled.push(after.value);
      }
      if (table.name !== "jobs") continue;
      for (const version of [before, after]) {
        const state = version?.value["state"];
        if (typeof state === "object" && state !== null && "executorId" in state) {
          heard.add(state["executorId"]);
        }
      }
    }
    // Writes come in the order of their ids, which are made at random.
    scheduled.sort((a, b) => a._creationTime - b._creationTime);
    for (const row of scheduled) this.#schedule(row);
    for (const machine of this.#machines) {
      if (heard.has(machine.executorId)) machine.onAssignments();
    }
    this.#auditor.onCommit(tx, call);
  }

  #schedule(row: Document): void {
    const { _id: id, name, args, nextTs } = row;
    const call: Call = {
      name: typeof name === "string" ? name.replace(".js:", ":") : "",
      // Written by the scheduler's host call: a list of one object.
      args: ((args as Value[])[0] ?? {}) as Record<string, Value>,
      identity: NOBODY,
    };
    if (this.#settings.sabotage?.drops?.(call) === true) return;
    const { random } = this;
    const lateMs =
      this.#isHealing || random.chance(0.9) ? 0 : random.int(random.chance(0.9) ? 2_000 : 50_000);
    this.later(Number(nextTs) - this.#now + lateMs, `runs ${call.name}`, () =>
      this.#runOwn(call, (tx) => {
        if (tx.get("_scheduled_functions", id) === null) return false;
        tx.remove("_scheduled_functions", id);
        return true;
      }),
    );
  }

  async #step(): Promise<void> {
    const entry = this.#agenda.next();
    if (entry === undefined) throw new Violated("Nothing will ever happen again.");
    this.#now = Math.max(this.#now, entry.at);
    this.#steps += 1;
    this.#note(entry.what);
    await entry.act();
    await this.#auditor.afterStep();
  }

  async #live(): Promise<void> {
    while (this.#steps < this.#settings.steps) await this.#step();
  }

  /** Faults end; then everything must come to its end. */
  async #heal(): Promise<void> {
    this.#isHealing = true;
    this.#note("healing");
    const people = this.#people;
    if (people === null) return;
    // What is on its way must not undo what heals.
    for (const end = this.#now + LATEST_MS; this.#now < end;) await this.#step();
    const end = this.#now + HEAL_MS_MAX;
    for (const machine of this.#machines)
      await machine.heal(people.revoked.has(machine.executorId));
    await people.heal();
    let nextLook = this.#now + LOOK_MS;
    let quietUntil: number | null = null;
    while (quietUntil === null || this.#now < quietUntil) {
      if (this.#now > end) throw new Violated(`Not over: ${this.#unfinished().join(", ")}`);
      await this.#step();
      if (this.#now < nextLook) continue;
      nextLook = this.#now + LOOK_MS;
      await people.release();
      if (quietUntil === null && this.#unfinished().length === 0)
        quietUntil = this.#now + SETTLE_MS;
    }
    await this.#auditor.atEnd();
  }

  #unfinished(): string[] {
    const tx = this.#backend.engine.begin();
    const left: string[] = [];
    for (const row of tx.scan("jobs")) {
      // Rows are of the schema's types: the engine checks them.
      const { kind } = row["state"] as { kind: Parameters<typeof isTerminal>[0] };
      if (!isTerminal(kind))
        left.push(`${this.trace.name("job", row._id)} ${JSON.stringify(row["state"])}`);
    }
    tx.abort();
    return left;
  }

  #tally(): Tally {
    const tx = this.#backend.engine.begin();
    const kinds = [...tx.scan("jobs")].map((row) => (row["state"] as { kind: string }).kind);
    tx.abort();
    return {
      ...{ steps: this.#steps, calls: this.#calls, refused: this.#refused },
      ...{ conflicts: this.#backend.conflicts, jobs: kinds.length },
      succeeded: kinds.filter((kind) => kind === "succeeded").length,
      digest: this.trace.digest(),
    };
  }
}

/** The code of a refusal; null for any other failure. */
function codeOf(error: unknown): string | null {
  if (error instanceof ConflictError) return "Conflict";
  if (!(error instanceof FunctionFailure)) return null;
  const { data } = error;
  const shown: unknown = typeof data === "string" ? JSON.parse(data) : data;
  return typeof shown === "object" && shown !== null && "code" in shown ? String(shown.code) : null;
}

function periodOf(schedule: {
  type: string;
  seconds?: number;
  minutes?: number;
  hours?: number;
}): number {
  if (schedule.type !== "interval")
    throw new Error(`The simulation knows no ${schedule.type} crons.`);
  const { seconds = 0, minutes = 0, hours = 0 } = schedule;
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000;
}

/**
 * Random histories of the queue, command by command, beside a simple model of it: who may do what is
 * read off the table of transitions, whose end is accepted off the claims that were handed out. The
 * self-audit looks at everything after each command. A failure is shrunk to a short history.
 */
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import { isTerminal, rowOf, rowsOf, step, type EventKind } from "../../convex/domain/lifecycle.js";
import type { Outcome } from "../../convex/protocol/job.js";
import { auditEverything } from "./audit.js";
import { codeOf, failed, finish, registration, START, World } from "./world.js";

const RUNS = 6;
const COMMANDS_MAX = 30;
const LEASE_MS = 30_000;
const SNOOZE_MS = 20_000;
const NAMES = ["one", "two"] as const;
const POLICIES = ["cancel", "hold", "run"] as const;

type Claim = { jobId: Id<"jobs">; token: number; by: Process };
type Process = ReturnType<World["process"]>;

/** What must be true, as far as the commands themselves tell it. */
class Model {
  readonly jobs: Id<"jobs">[] = [];
  /** Every claim that any process was ever handed. */
  readonly claims: Claim[] = [];
  /** Claims whose end was accepted: a repeat is accepted too. */
  readonly ended = new Set<Claim>();
}

/** The real thing: the functions, two executors, a person. */
class Real {
  readonly world: World;
  readonly person: Awaited<ReturnType<World["user"]>>;
  readonly processes: Process[];
  #boots = 1;

  private constructor(world: World, person: Real["person"], processes: Process[]) {
    this.world = world;
    this.person = person;
    this.processes = processes;
  }

  static async make(): Promise<Real> {
    const world = await World.make();
    const person = await world.user("operator");
    const processes: Process[] = [];
    for (const name of NAMES) processes.push(await world.executor(name, 2, LEASE_MS));
    return new Real(world, person, processes);
  }

  process(at: number): Process {
    const found = this.processes[at % this.processes.length];
    if (found === undefined) throw new Error("There is no such executor.");
    return found;
  }

  /** A newer process of the same executor takes over. */
  async restart(at: number): Promise<void> {
    this.#boots += 1;
    const next = this.world.process(
      this.process(at).executorId,
      `boot-${this.#boots}`,
      START + this.#boots,
    );
    await next.mutation(api.executors.register, { registration: registration(2, LEASE_MS) });
    this.processes[at % this.processes.length] = next;
  }

  async rowOf(jobId: Id<"jobs">) {
    const job = await this.world.job(jobId);
    return rowOf(job.state, job.cancelRequestedAt !== undefined);
  }
}

/** A command by its name and two numbers that choose what it is about. */
class Command implements fc.AsyncCommand<Model, Real> {
  readonly #name: keyof typeof COMMANDS;
  readonly #a: number;
  readonly #b: number;

  constructor(name: keyof typeof COMMANDS, a: number, b: number) {
    this.#name = name;
    this.#a = a;
    this.#b = b;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await COMMANDS[this.#name](model, real, this.#a + 1_000 * this.#b);
    await real.world.settle();
    expect(await auditEverything(real.world.t)).toEqual([]);
  }

  toString(): string {
    return `${this.#name}(${this.#a}, ${this.#b})`;
  }
}

type Run = (model: Model, real: Real, choice: number) => Promise<void>;
const chosen = <T>(items: readonly T[], choice: number): T | undefined =>
  items[choice % Math.max(1, items.length)];

/** What a person does to a job: it happens as the table says, or is refused and changes nothing. */
const byTable =
  (event: EventKind, call: (real: Real, jobId: Id<"jobs">) => Promise<unknown>): Run =>
  async (model, real, choice) => {
    const jobId = chosen(model.jobs, choice);
    if (jobId === undefined) return;
    const before = await real.rowOf(jobId);
    const cell = step(before, event);
    const code = await codeOf(call(real, jobId));
    const after = await real.rowOf(jobId);
    if (typeof cell === "object") expect(rowsOf(cell.to)).toContain(after);
    else expect(after).toBe(before);
    expect(code).toBe(cell === "refuse" ? "ILLEGAL_TRANSITION" : "accepted");
  };

const EVENT_OF: Record<Outcome["kind"], EventKind> = {
  succeeded: "succeed",
  failed: "fail",
  canceled: "canceled",
  interrupted: "interrupt",
  stopped: "stop",
  asked: "ask",
};

const ends =
  (outcome: Outcome): Run =>
  async (model, real, choice) => {
    const claim = chosen(model.claims, choice);
    if (claim === undefined) return;
    const job = await real.world.job(claim.jobId);
    const { state } = job;
    const isProcess = real.processes.includes(claim.by);
    const isHolder = "executorId" in state && state.executorId === claim.by.executorId;
    const isCurrent = isHolder && job.token === claim.token;
    const row = await real.rowOf(claim.jobId);
    const isLegal = step(row, EVENT_OF[outcome.kind]) !== "refuse";
    const isExpected = isProcess && ((isCurrent && isLegal) || model.ended.has(claim));
    const code = await codeOf(
      finish(claim.by, { jobId: claim.jobId, token: claim.token }, outcome),
    );
    expect(code === "accepted").toBe(isExpected);
    if (!isExpected) expect(await real.world.job(claim.jobId)).toEqual(job);
    else model.ended.add(claim);
  };

const COMMANDS = {
  submit: async (model, real, choice) => {
    const concurrencyKey = choice % 3 === 0 ? "key" : null;
    const submission = { repository: "octo/hello", prompt: "x", priority: choice % 10 };
    const { jobId } = await real.person.mutation(api.jobs.submit, {
      ...submission,
      concurrencyKey,
    });
    model.jobs.push(jobId);
  },
  cancel: byTable("cancel", (real, jobId) => real.person.mutation(api.jobs.cancel, { jobId })),
  retry: byTable("retry", (real, jobId) => real.person.mutation(api.jobs.retry, { jobId })),
  hold: byTable("hold", (real, jobId) => real.person.mutation(api.jobs.hold, { jobId })),
  release: byTable("release", (real, jobId) => real.person.mutation(api.jobs.release, { jobId })),
  requeue: byTable("requeue", (real, jobId) => real.person.mutation(api.jobs.requeue, { jobId })),
  snooze: byTable("snooze", (real, jobId) =>
    real.person.mutation(api.jobs.snooze, { jobId, until: Date.now() + SNOOZE_MS }),
  ),
  /** A job after another: refused only where that has ended without success and nothing else was said. */
  follow: async (model, real, choice) => {
    const on = chosen(model.jobs, choice);
    if (on === undefined) return;
    const policy = chosen(POLICIES, choice) ?? "cancel";
    const row = await real.rowOf(on);
    const isLost = policy === "cancel" && (row === "failed" || row === "canceled");
    const job = { repository: "octo/hello", prompt: "x", concurrencyKey: null, after: [on] };
    const submitted = real.person.mutation(api.jobs.submit, {
      ...job,
      onDependencyFailure: policy,
    });
    expect(await codeOf(submitted)).toBe(isLost ? "INVALID_ARGUMENT" : "accepted");
    if (!isLost) model.jobs.push((await submitted).jobId);
  },
  later: async (model, real, choice) => {
    const job = { repository: "octo/hello", prompt: "x", concurrencyKey: null };
    const runAt = Date.now() + (choice % 3) * SNOOZE_MS;
    model.jobs.push((await real.person.mutation(api.jobs.submit, { ...job, runAt })).jobId);
  },
  /** From none to three at once, in all, of a submitter and of a key. */
  limit: async (_model, real, choice) => {
    const limit = choice % 4 === 0 ? null : choice % 4;
    const limits = [{ running: limit }, { perSubmitter: limit }, { perKey: limit ?? 1 }];
    await real.person.mutation(api.queue.setLimits, chosen(limits, choice) ?? {});
  },
  pause: async (_model, real) => {
    await real.person.mutation(api.queue.pause, { reason: "to see" });
  },
  resume: async (_model, real) => {
    await real.person.mutation(api.queue.resume, {});
  },
  drain: async (_model, real, choice) => {
    const { executorId } = real.process(choice);
    await real.person.mutation(api.executors.drain, { executorId });
  },
  undrain: async (_model, real, choice) => {
    const { executorId } = real.process(choice);
    await real.person.mutation(api.executors.resume, { executorId });
  },
  take: async (model, real, choice) => {
    const by = real.process(choice);
    for (const { jobId, token } of await by.query(api.executors.assignments, {})) {
      const isKnown = model.claims.some((c) => c.jobId === jobId && c.token === token);
      if (!isKnown) model.claims.push({ jobId, token, by });
      if (choice % 4 > 0) await by.mutation(api.executors.start, { jobId, token });
    }
  },
  heartbeat: async (model, real, choice) => {
    const by = real.process(choice);
    const held = model.claims
      .filter((claim) => claim.by === by && !model.ended.has(claim))
      .map(({ jobId, token }) => ({ jobId, token }));
    const { directives } = await by.mutation(api.executors.heartbeat, { held });
    for (const [i, { jobId, token }] of held.entries()) {
      const job = await real.world.job(jobId);
      const isCurrent = "executorId" in job.state && job.token === token;
      if (!isCurrent) expect(directives[i]).toBe("stop");
    }
  },
  succeed: ends({ kind: "succeeded" }),
  fail: ends(failed("cliError")),
  interrupt: ends({ kind: "interrupted", reason: "shutdown" }),
  acknowledge: ends({ kind: "canceled" }),
  stop: ends({ kind: "stopped" }),
  ask: ends({ kind: "asked", call: { toolUseId: "t", tool: "Bash", input: "{}" } }),
  say: async (model, real, choice) => {
    const jobId = chosen(model.jobs, choice);
    if (jobId === undefined) return;
    const row = await real.rowOf(jobId);
    const code = await codeOf(real.person.mutation(api.steering.message, { jobId, text: "x" }));
    const isHeard = !isTerminal(row) && row !== "canceling";
    expect(code).toBe(isHeard ? "accepted" : "ILLEGAL_TRANSITION");
  },
  answer: async (_model, real, choice) => {
    const open = chosen(await real.person.query(api.questions.open, {}), choice);
    if (open === undefined) return;
    const { questionId, jobId } = open;
    expect(await real.rowOf(jobId)).toBe("asking");
    await real.person.mutation(api.questions.answer, { questionId, allow: choice % 2 === 0 });
    expect(rowsOf("admit")).toContain(await real.rowOf(jobId));
  },
  restart: async (_model, real, choice) => {
    await real.restart(choice);
  },
  wait: async (_model, real, choice) => {
    await real.world.advance(1_000 + (choice % 7) * 10_000);
  },
  cron: async (_model, real) => {
    await real.world.t.mutation(internal.maintenance.reclaimExpired, {});
  },
} satisfies Record<string, Run>;

const choices = fc.nat(50);
const commands = fc.commands(
  // The keys of COMMANDS are its keys.
  (Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]).flatMap((name) => {
    const one = fc.tuple(choices, choices).map(([a, b]) => new Command(name, a, b));
    const isCommon = name === "submit" || name === "take" || name === "succeed";
    return isCommon ? [one, one, one] : [one];
  }),
  { maxCommands: COMMANDS_MAX, size: "max" },
);

/** Lets everything come to its end: what can run succeeds, whoever holds it. */
async function finishAll(real: Real): Promise<void> {
  await real.person.mutation(api.queue.resume, {});
  for (const at of NAMES.keys()) {
    await real.restart(at);
    const { executorId } = real.process(at);
    await real.person.mutation(api.executors.resume, { executorId });
  }
  await real.world.settle();
  const open = async () => {
    const jobs = await real.world.t.run((ctx) => ctx.db.query("jobs").collect());
    return jobs.filter((job) => !isTerminal(job.state.kind));
  };
  for (let rounds = 0; rounds < 60 && (await open()).length > 0; rounds += 1) {
    for (const { _id: jobId, state } of await open()) {
      const isHeld = state.kind === "waiting" && state.reason === "approval";
      if (isHeld) await real.person.mutation(api.jobs.release, { jobId });
    }
    for (const { questionId } of await real.person.query(api.questions.open, {})) {
      await real.person.mutation(api.questions.answer, { questionId, allow: true });
    }
    for (const by of real.processes) {
      for (const { jobId, token } of await by.query(api.executors.assignments, {})) {
        await by.mutation(api.executors.start, { jobId, token });
        await finish(by, { jobId, token }, { kind: "succeeded" });
      }
      await by.mutation(api.executors.heartbeat, { held: [] });
    }
    await real.world.advance(10_000);
  }
  expect(await open()).toEqual([]);
  expect(await auditEverything(real.world.t)).toEqual([]);
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe("random histories of the queue", () => {
  test("each command does what the model says, the audit stays green, and every job ends", async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (history) => {
        const real = await Real.make();
        await fc.asyncModelRun(() => ({ model: new Model(), real }), history);
        await finishAll(real);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});

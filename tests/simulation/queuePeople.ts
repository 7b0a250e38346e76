/** People at a simulated queue: they submit, change their minds, and set its limits. */
import type { Value } from "convex/values";

import type { Identity } from "../../embedded/functions/types.js";
import type { Machine } from "./queueMachine.js";
import { identityOf, type JobId, type Stage } from "./queueStage.js";

const FAR = Date.UTC(2100, 0, 1);
const MINUTE = 60_000;
const KEYS = ["red", "green"] as const;

type Person = { name: string; identity: Identity };
type Act = () => void | Promise<void>;

/** How often each thing is done, beside the others. */
const WEIGHTS = {
  submit: 40,
  cancel: 7,
  retry: 6,
  hold: 4,
  release: 6,
  snooze: 3,
  requeue: 5,
  pause: 1,
  resume: 4,
  limits: 3,
  gate: 3,
  drain: 2,
  trust: 5,
  revoke: 1,
  bulk: 2,
  look: 4,
} as const;
type Doing = keyof typeof WEIGHTS;

export class People {
  readonly jobs: JobId[] = [];
  readonly #stage: Stage;
  readonly #persons: readonly [Person, ...Person[]];
  readonly #machines: readonly Machine[];
  readonly #jobsMax: number;
  /** Executors that somebody revoked. */
  readonly revoked = new Set<string>();
  readonly #doings: readonly [Doing, ...Doing[]];
  #submissions = 0;

  private constructor(
    stage: Stage,
    persons: readonly [Person, ...Person[]],
    { machines, jobsMax }: { machines: readonly Machine[]; jobsMax: number },
  ) {
    this.#stage = stage;
    this.#persons = persons;
    this.#machines = machines;
    this.#jobsMax = jobsMax;
    // Each as often as its weight says.
    this.#doings = ["submit", ...weighted()];
  }

  static async come(
    stage: Stage,
    crowd: { machines: readonly Machine[]; jobsMax: number },
  ): Promise<People> {
    return new People(stage, [await person(stage, "ann"), await person(stage, "bob")], crowd);
  }

  /** One thing that somebody does. */
  async act(): Promise<void> {
    const acts: Record<Doing, Act> = {
      ...this.#onJobs(),
      ...this.#onQueue(),
      submit: () => {
        if (this.#submissions < this.#jobsMax) this.#submit();
      },
    };
    await acts[this.#stage.random.pick(this.#doings)]();
  }

  #submit(): void {
    const { random } = this.#stage;
    this.#submissions += 1;
    const after = random.chance(0.15)
      ? [this.#anyJob(), this.#anyJob()].filter((id) => id !== null)
      : [];
    this.#ask("jobs:submit", {
      repository: "octo/hello",
      prompt: "Say hello",
      concurrencyKey: random.chance(0.6) ? null : random.pick(KEYS),
      // A submission that is sent twice must be one job.
      idempotencyKey: `submission ${this.#submissions}`,
      limits: {
        attemptsMax: 1 + random.int(4),
        ...(random.chance(0.5) ? { timeoutMs: 1_000 + random.int(2 * MINUTE) } : {}),
      },
      ...(random.chance(0.3) ? { priority: random.int(10) } : {}),
      ...(random.chance(0.2) ? { labels: [random.pick(["gpu", "arm"])] } : {}),
      ...(random.chance(0.1) ? { runAt: this.#stage.now() + random.int(5 * MINUTE) } : {}),
      ...(random.chance(0.05) ? { hold: true } : {}),
      ...(after.length > 0
        ? { after, onDependencyFailure: random.pick(["cancel", "hold", "run"]) }
        : {}),
    });
  }

  #onJobs(): Record<"cancel" | "retry" | "hold" | "release" | "snooze" | "requeue" | "look", Act> {
    const act =
      (name: string, more: Record<string, Value> = {}) =>
      (): void => {
        const jobId = this.#anyJob();
        if (jobId !== null) this.#ask(`jobs:${name}`, { jobId, ...more });
      };
    const { random } = this.#stage;
    return {
      cancel: act("cancel"),
      retry: act("retry"),
      hold: act("hold"),
      release: act("release"),
      requeue: act("requeue"),
      snooze: () => {
        act("snooze", { until: this.#stage.now() + 1_000 + random.int(5 * MINUTE) })();
      },
      look: async () => {
        const jobId = this.#anyJob();
        const { identity } = random.pick(this.#persons);
        if (jobId === null) return;
        await this.#stage.ask({ name: "jobs:waiting", args: { jobId }, identity });
      },
    };
  }

  #onQueue(): Record<
    "pause" | "resume" | "limits" | "gate" | "drain" | "trust" | "revoke" | "bulk",
    Act
  > {
    const { random } = this.#stage;
    const limit = (max: number) => (random.chance(0.4) ? null : 1 + random.int(max));
    return {
      pause: () => {
        this.#ask("queue:pause", { reason: "to see" });
      },
      resume: () => {
        this.#ask("queue:resume", {});
      },
      limits: () => {
        const limits = { running: limit(6), perSubmitter: limit(4), perKey: 1 + random.int(3) };
        this.#ask("queue:setLimits", limits);
      },
      gate: () => {
        const gate = random.pick(["key:red", "key:green", "submitter:user:ann"]);
        this.#ask("queue:setGateLimit", { gate, limit: random.chance(0.3) ? 0 : limit(3) });
      },
      drain: () => {
        this.#askOfMachine("executors:drain");
      },
      trust: () => {
        this.#askOfMachine("executors:resume");
      },
      revoke: () => {
        if (random.chance(0.9)) return;
        const { executorId } = random.pick(tupleOf(this.#machines));
        this.revoked.add(executorId);
        this.#ask("executors:revoke", { executorId });
      },
      bulk: () => {
        const action = random.pick(["cancel", "retry", "requeue"]);
        const state = random.pick(["failed", "canceled", "waiting", "pending"]);
        this.#ask("bulk:start", { action, filter: { state, submittedBy: "user:ann" } });
      },
    };
  }

  /** Takes back what could keep the queue from coming to its end. */
  async heal(): Promise<void> {
    this.#ask("queue:resume", {});
    this.#ask("queue:setLimits", { running: null, perSubmitter: null, perKey: 1 });
    for (const gate of ["key:red", "key:green", "submitter:user:ann"]) {
      this.#ask("queue:setGateLimit", { gate, limit: null });
    }
    for (const { executorId } of this.#machines) this.#ask("executors:resume", { executorId });
    await this.release();
  }

  /** Lets go what is held, and half of what waits for a time. */
  async release(): Promise<void> {
    const [{ identity }] = this.#persons;
    for (const jobId of this.jobs) {
      const answer = await this.#stage.ask({ name: "jobs:get", args: { jobId }, identity });
      if (!answer.ok) continue;
      // What jobs:get returns.
      const { state } = answer.value as { state: { kind: string; reason?: string } };
      const isHeld = state.kind === "waiting" && state.reason === "approval";
      if (isHeld) this.#ask("jobs:release", { jobId });
      const isTimed = state.kind === "backoff" || state.reason === "schedule";
      if (isTimed && this.#stage.random.chance(0.5)) this.#ask("jobs:requeue", { jobId });
    }
  }

  #askOfMachine(name: string): void {
    const { executorId } = this.#stage.random.pick(tupleOf(this.#machines));
    this.#ask(name, { executorId });
  }

  #anyJob(): JobId | null {
    const { length } = this.jobs;
    if (length === 0) return null;
    // Rather one of the latest: those have not ended.
    const { random } = this.#stage;
    const at = random.chance(0.8)
      ? length - 1 - random.int(Math.min(12, length))
      : random.int(length);
    return this.jobs[at] ?? null;
  }

  #ask(name: string, args: Record<string, Value>): void {
    const { name: from, identity } = this.#stage.random.pick(this.#persons);
    const lost = this.#stage.isHealing()
      ? () => {
          this.#ask(name, args);
        }
      : undefined;
    this.#stage.send({
      from,
      name,
      args,
      identity,
      ...(lost === undefined ? {} : { onLost: lost }),
    });
  }
}

function weighted(): Doing[] {
  // The keys of WEIGHTS are its keys.
  const doings = Object.keys(WEIGHTS) as Doing[];
  return doings.flatMap((doing) => Array<Doing>(WEIGHTS[doing]).fill(doing));
}

function tupleOf<T>(items: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = items;
  if (first === undefined) throw new Error("There is none to choose from.");
  return [first, ...rest];
}

async function person(stage: Stage, username: string): Promise<Person> {
  const role = "administrator";
  const subject = await stage.insert("users", { username, role, disabled: false, epoch: 0 });
  const sid = await stage.insert("sessions", {
    ...{ userId: subject, epoch: 0, refreshHash: `of ${username}`, label: "" },
    ...{ rotatedAt: stage.now(), expiresAt: FAR },
  });
  stage.trace.name(username, subject);
  return { name: username, identity: identityOf("user", { subject, sid }) };
}

/** What the people of the simulation may be told: anything else is a fault. */
export const REFUSALS = new Set([
  ...["ILLEGAL_TRANSITION", "INVALID_ARGUMENT", "STALE_LEASE", "SUPERSEDED", "REVOKED"],
]);

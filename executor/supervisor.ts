import type { Assignment, Directive, HeldAttempt } from "../convex/protocol/executor.js";
import type { Outcome } from "../convex/protocol/job.js";
import type { RunningAttempt, StopReason } from "./attempt.js";
import { type Clock, within } from "./clock.js";
import type { Logger } from "./logger.js";

/** Makes what runs here equal to what is assigned to here; knows nothing of how an attempt runs. */
export interface Supervisor {
  /** The whole of the present assignments, each time they change. */
  reconcile(assignments: Assignment[]): void;
  heed(attempt: HeldAttempt, directive: Directive): void;
  held(): HeldAttempt[];
  /** Whether new assignments are taken. */
  setTaking(isTaking: boolean): void;
  stopAll(reason: StopReason): void;
  /** Takes nothing new, waits `graceMs` for what runs, then interrupts it and waits for its end. */
  drain(graceMs: number): Promise<void>;
  counts(): Counts;
}
export type Counts = Record<"running" | "slots" | "started", number> &
  Record<Outcome["kind"] | "unreported", number>;

type SupervisorOptions = {
  slots: number;
  clock: Clock;
  logger: Logger;
  start: (assignment: Assignment) => RunningAttempt;
  /** Gives back an attempt that the backend believes to run here and that does not. */
  disown: (held: HeldAttempt) => void;
  onEnd: (outcome: Outcome | undefined) => void;
};

/** Attempts whose end is remembered, so that a late assignment does not start them again. */
const REMEMBERED_MAX = 1_000;
/** The stop ladder, the last log and the report, all together. */
const STOP_MS_MAX = 15_000;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new AttemptSupervisor(options);
}

class AttemptSupervisor implements Supervisor {
  readonly #options: SupervisorOptions;
  readonly #running = new Map<string, RunningAttempt>();
  /** Highest token taken of each job, oldest first. */
  readonly #taken = new Map<string, number>();
  readonly #totals = {
    started: 0,
    succeeded: 0,
    failed: 0,
    canceled: 0,
    interrupted: 0,
    stopped: 0,
    asked: 0,
    unreported: 0,
  };
  #assignments: Assignment[] = [];
  #isTaking = true;
  /** Once leaving, nothing is taken again, whatever the backend says. */
  #isLeaving = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  reconcile(assignments: Assignment[]): void {
    this.#assignments = assignments;
    for (const [jobId, attempt] of this.#running) {
      const mine = assignments.find((a) => a.jobId === jobId && a.token === attempt.held.token);
      if (mine === undefined) attempt.stop("abandon");
      else if (mine.cancelRequested) attempt.stop("cancel");
      else if (mine.stop !== undefined) attempt.stop(mine.stop);
      else attempt.told(mine.steered ?? 0);
    }
    this.#takeNew();
  }

  heed(held: HeldAttempt, directive: Directive): void {
    const attempt = this.#running.get(held.jobId);
    if (attempt?.held.token !== held.token) return;
    switch (directive) {
      case "continue":
        return;
      case "cancel":
        attempt.stop("cancel");
        return;
      case "stop":
        attempt.stop("abandon");
        return;
    }
  }

  held(): HeldAttempt[] {
    return [...this.#running.values()].map((attempt) => attempt.held);
  }

  setTaking(isTaking: boolean): void {
    this.#isTaking = isTaking;
    this.#takeNew();
  }

  stopAll(reason: StopReason): void {
    for (const attempt of this.#running.values()) attempt.stop(reason);
  }

  async drain(graceMs: number): Promise<void> {
    const { clock, logger } = this.#options;
    this.#isLeaving = true;
    logger.info("draining", { running: this.#running.size, graceMs });
    if (graceMs > 0) await within(clock, graceMs, this.#allDone());
    this.stopAll("shutdown");
    await within(clock, STOP_MS_MAX, this.#allDone());
  }

  counts(): Counts {
    return { running: this.#running.size, slots: this.#options.slots, ...this.#totals };
  }

  #takeNew(): void {
    for (const assignment of this.#assignments) {
      const { jobId, token, started, cancelRequested } = assignment;
      const isKnown = (this.#taken.get(jobId) ?? -1) >= token;
      if (isKnown || this.#running.has(jobId)) continue;
      if (started) this.#disown({ jobId, token });
      else if (this.#mayTake() && !cancelRequested) this.#begin(assignment);
    }
  }

  #mayTake(): boolean {
    return this.#isTaking && !this.#isLeaving && this.#running.size < this.#options.slots;
  }

  #begin(assignment: Assignment): void {
    this.#remember(assignment);
    this.#totals.started += 1;
    const attempt = this.#options.start(assignment);
    this.#running.set(assignment.jobId, attempt);
    void attempt.done.then((outcome) => {
      this.#running.delete(assignment.jobId);
      this.#totals[outcome?.kind ?? "unreported"] += 1;
      this.#options.onEnd(outcome);
      this.#takeNew();
    });
  }

  #disown(held: HeldAttempt): void {
    this.#remember(held);
    this.#options.logger.warn("attemptDisowned", { ...held });
    this.#options.disown(held);
  }

  #remember({ jobId, token }: HeldAttempt): void {
    this.#taken.delete(jobId);
    this.#taken.set(jobId, token);
    const oldest = this.#taken.keys().next().value;
    if (this.#taken.size > REMEMBERED_MAX && oldest !== undefined) this.#taken.delete(oldest);
  }

  #allDone(): Promise<unknown> {
    return Promise.all([...this.#running.values()].map((attempt) => attempt.done));
  }
}

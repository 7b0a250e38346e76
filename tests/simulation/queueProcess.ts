/**
 * One process of an executor, as executor/ behaves: it registers, keeps its lease by heartbeats, takes
 * what its subscription shows, reports until it is heard, and kills its runs when it may no longer
 * trust its lease. It can be killed, frozen and cut off at any moment.
 */
import type { Value } from "convex/values";
import type { Identity } from "../../embedded/functions/types.js";
import type { Assignment, HeartbeatReply } from "../../convex/protocol/executor.js";
import { FAILURE_REASONS, type FailureReason, type Outcome } from "../../convex/protocol/job.js";
import { LEASE_TRUST_SHARE } from "../../convex/protocol/limits.js";
import { claimsOf, type Machine } from "./queueMachine.js";
import type { JobId, Stage } from "./queueStage.js";

type Run = {
  jobId: JobId;
  token: number;
  stage: "starting" | "working" | "ending" | "gone";
  /** Log entries sent so far. */
  seq: number;
};
type Stop = "abandon" | "cancel" | "shutdown" | "leaseLost";

const RETRY_MS = 2_000;
const LEAVE_MS = 12_000;
const WORK_MS_MAX = 60_000;

export class Process {
  isDead = false;
  readonly #stage: Stage;
  readonly #machine: Machine;
  readonly #identity: Identity;
  readonly #boot: string;
  readonly #runs = new Map<JobId, Run>();
  readonly #taken = new Map<JobId, number>();
  #assignments: readonly Assignment[] = [];
  #seenTs = -1;
  #frozenUntil = 0;
  #acknowledgedAt = 0;
  #isRegistered = false;
  #isTrusted = false;
  #isDraining = false;
  #isLeaving = false;

  constructor(stage: Stage, machine: Machine, boot: string) {
    this.#stage = stage;
    this.#machine = machine;
    this.#boot = boot;
    const bootAt = stage.now() + machine.spec.offsetMs;
    this.#identity = claimsOf(machine.executorId, boot, bootAt);
  }

  register(): void {
    const sentAt = this.#stage.now();
    const { slots, leaseMs, labels } = this.#machine.spec;
    const registration = { slots, leaseMs, labels, version: "0.1.0", cliVersion: "2.1.197" };
    this.#call(
      "executors:register",
      { registration },
      {
        onReply: () => {
          this.#isRegistered = true;
          this.#acknowledge(sentAt);
          this.#beatAfter(leaseMs / 3);
          this.#machine.onAssignments();
        },
        onLost: () => {
          this.#when(RETRY_MS, "registers again", () => {
            this.register();
          });
        },
      },
    );
  }

  /** Killed: nothing of it goes on, but what it had sent. */
  die(): void {
    this.isDead = true;
    this.#runs.clear();
  }

  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#stage.now() + ms);
  }

  thaw(): void {
    this.#frozenUntil = 0;
  }

  /** Ends by itself: what runs is interrupted, then it says that it goes. */
  shutDown(): void {
    this.#isLeaving = true;
    for (const run of this.#runs.values()) this.#stop(run, "shutdown");
    this.#when(LEAVE_MS, "leaves", () => {
      this.#call("executors:goOffline", {}, {});
      this.die();
    });
  }

  /** What the subscription shows now. */
  async look(): Promise<void> {
    if (this.isDead || !this.#isRegistered) return;
    const asked = this.#stage.now();
    const answer = await this.#stage.ask({
      ...{ name: "executors:assignments", args: {}, identity: this.#identity },
    });
    if (!answer.ok) {
      this.#refused(answer.code, undefined);
      return;
    }
    // What executors:assignments returns.
    const assignments = answer.value as Assignment[];
    this.#when(1 + this.#stage.random.int(200), "sees its assignments", () => {
      if (asked < this.#seenTs) return;
      this.#seenTs = asked;
      this.#assignments = assignments;
      this.#reconcile();
    });
  }

  #reconcile(): void {
    for (const run of this.#runs.values()) {
      const mine = this.#assignments.find((a) => a.jobId === run.jobId && a.token === run.token);
      if (mine === undefined) this.#stop(run, "abandon");
      else if (mine.cancelRequested) this.#stop(run, "cancel");
    }
    this.#takeNew();
  }

  #takeNew(): void {
    for (const { jobId, token, started, cancelRequested } of this.#assignments) {
      if ((this.#taken.get(jobId) ?? -1) >= token || this.#runs.has(jobId)) continue;
      const mayTake = this.#isTrusted && !this.#isDraining && !this.#isLeaving;
      if (started) {
        this.#taken.set(jobId, token);
        const run: Run = { jobId, token, stage: "gone", seq: 0 };
        this.#report(run, expired, false);
      } else if (mayTake && this.#runs.size < this.#machine.spec.slots && !cancelRequested) {
        this.#taken.set(jobId, token);
        const run: Run = { jobId, token, stage: "starting", seq: 0 };
        this.#runs.set(jobId, run);
        this.#start(run);
      }
    }
  }

  #start(run: Run): void {
    this.#call("executors:start", claim(run), {
      onReply: () => {
        if (run.stage !== "starting") return;
        run.stage = "working";
        this.#work(run);
      },
      onLost: () => {
        if (run.stage === "starting") this.#start(run);
      },
      run,
    });
  }

  /** The clone, the CLI, its log; at the end an outcome, or never one. */
  #work(run: Run): void {
    const { random } = this.#stage;
    const isCalm = this.#stage.isHealing();
    const workMs = isCalm
      ? 500
      : 100 + random.int(random.chance(0.1) ? 5 * WORK_MS_MAX : WORK_MS_MAX);
    this.#when(workMs / 4, `${this.#of(run)} is cloned`, () => {
      if (run.stage === "working") this.#tell(run, "executors:phase", { phase: "running" });
    });
    for (let i = random.int(3); i > 0; i -= 1) {
      this.#when(random.int(workMs), `${this.#of(run)} logs`, () => {
        this.#log(run);
      });
    }
    if (!isCalm && random.chance(0.03)) return;
    this.#when(workMs, `${this.#of(run)} is done`, () => {
      if (run.stage !== "working") return;
      this.#report(run, outcomeOf(this.#stage), true);
    });
  }

  #log(run: Run): void {
    if (run.stage !== "working") return;
    const { random } = this.#stage;
    const count = 1 + random.int(3);
    const size = random.chance(0.1) ? 12_000 : 20;
    const entries = Array.from({ length: count }, (_, i) => ({
      ...{ at: this.#stage.now() + this.#machine.spec.offsetMs, kind: "text" },
      text: String(run.seq + i).padEnd(size, "."),
    }));
    const { seq } = run;
    run.seq += count;
    this.#tell(run, "logs:append", { seq, entries });
  }

  #tell(run: Run, name: string, more: Record<string, Value>): void {
    this.#call(name, { ...claim(run), ...more }, { run });
  }

  /** Reports an end until somebody answers. */
  #report(run: Run, outcome: Outcome, isMine: boolean): void {
    if (isMine) run.stage = "ending";
    this.#call(
      "executors:finish",
      { ...claim(run), outcome, report },
      {
        onReply: () => {
          this.#forget(run);
        },
        onLost: () => {
          this.#when(RETRY_MS, `${this.#of(run)} is reported again`, () => {
            const isStill = isMine ? this.#runs.get(run.jobId) === run : true;
            if (isStill) this.#report(run, outcome, isMine);
          });
        },
        run,
      },
    );
  }

  #stop(run: Run, why: Stop): void {
    if (run.stage === "ending" || run.stage === "gone") {
      if (why === "abandon") this.#forget(run);
      return;
    }
    switch (why) {
      case "abandon":
        this.#forget(run);
        return;
      case "cancel":
        this.#report(run, { kind: "canceled" }, true);
        return;
      case "shutdown":
        this.#report(run, { kind: "interrupted", reason: "shutdown" }, true);
        return;
      case "leaseLost":
        this.#report(run, expired, true);
    }
  }

  #forget(run: Run): void {
    run.stage = "gone";
    if (this.#runs.get(run.jobId) !== run) return;
    this.#runs.delete(run.jobId);
    this.#takeNew();
  }

  #beatAfter(ms: number): void {
    this.#when(ms, "beats", () => {
      this.#beat();
    });
  }

  #beat(): void {
    const intervalMs = this.#machine.spec.leaseMs / 3;
    const held = [...this.#runs.values()].map(claim);
    const sentAt = this.#stage.now();
    this.#call(
      "executors:heartbeat",
      { held },
      {
        onReply: (value) => {
          // What executors:heartbeat returns.
          const { drain, directives } = value as HeartbeatReply;
          this.#acknowledge(sentAt);
          this.#isDraining = drain;
          for (const [i, { jobId, token }] of held.entries()) {
            const run = this.#runs.get(jobId);
            if (run?.token !== token) continue;
            if (directives[i] === "stop") this.#stop(run, "abandon");
            if (directives[i] === "cancel") this.#stop(run, "cancel");
          }
          this.#takeNew();
          this.#beatAfter(Math.max(0, sentAt + intervalMs - this.#stage.now()));
        },
        onLost: () => {
          this.#beatAfter(intervalMs / 4);
        },
      },
    );
  }

  #acknowledge(sentAt: number): void {
    if (sentAt < this.#acknowledgedAt) return;
    this.#acknowledgedAt = sentAt;
    const trustMs = this.#machine.spec.leaseMs * LEASE_TRUST_SHARE;
    const left = sentAt + trustMs - this.#stage.now();
    this.#isTrusted = left > 0;
    this.#when(Math.max(0, left), "looks at its lease", () => {
      if (this.#acknowledgedAt !== sentAt) return;
      this.#isTrusted = false;
      for (const run of this.#runs.values()) this.#stop(run, "leaseLost");
    });
  }

  #refused(code: string, run: Run | undefined): void {
    if (code === "SUPERSEDED" || code === "REVOKED") this.die();
    else if (run !== undefined) this.#forget(run);
  }

  #call(
    name: string,
    args: Record<string, Value>,
    on: { onReply?: (value: unknown) => void; onLost?: () => void; run?: Run },
  ): void {
    if (this.isDead) return;
    this.#stage.send({
      ...{ from: this.#boot, name, args, identity: this.#identity },
      isCutOff: () => this.#machine.isCutOff(),
      onReply: (value) => {
        this.#when(0, "reads an answer", () => on.onReply?.(value));
      },
      onRefused: (code) => {
        this.#when(0, "reads a refusal", () => {
          this.#refused(code, on.run);
        });
      },
      onLost: () => {
        this.#when(0, "gives an answer up", () => on.onLost?.());
      },
    });
  }

  /** At a time of its own clock; later when it is frozen then, never when it is dead. */
  #when(ms: number, what: string, act: () => void): void {
    const awake = (): void => {
      if (this.isDead) return;
      const left = this.#frozenUntil - this.#stage.now();
      if (left > 0) this.#stage.later(left, `${this.#boot} thaws`, awake);
      else act();
    };
    if (ms === 0) awake();
    else this.#stage.later(ms * this.#machine.spec.rate, `${this.#boot} ${what}`, awake);
  }

  #of(run: Run): string {
    return `${this.#stage.trace.name("job", run.jobId)}#${run.token}`;
  }
}

const claim = ({ jobId, token }: Run) => ({ jobId, token });
const expired: Outcome = { kind: "failed", reason: "leaseExpired", message: "could not renew" };
const report = {
  ...{ costUsd: 0.25, turns: 1, permissionDenials: 0 },
  tokens: { input: 1, output: 2, cacheRead: 3, cacheCreation: 4 },
};

function outcomeOf(stage: Stage): Outcome {
  const { random } = stage;
  if (stage.isHealing() || random.chance(0.7)) return { kind: "succeeded" };
  if (random.chance(0.1)) return { kind: "canceled" };
  if (random.chance(0.1)) return { kind: "interrupted", reason: "shutdown" };
  const reason = random.pick<FailureReason>(["cliError", ...FAILURE_REASONS]);
  return { kind: "failed", reason, message: "as the simulation says" };
}

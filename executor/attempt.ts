import type { Assignment, HeldAttempt, Work } from "../convex/protocol/executor.js";
import type { Resume } from "../convex/protocol/checkpoint.js";
import type { AttemptReport, Outcome } from "../convex/protocol/job.js";
import { TIMEOUT_MS_DEFAULT } from "../convex/protocol/limits.js";
import { runAttemptCli } from "./attemptCli.js";
import {
  failed,
  hasCode,
  isStale,
  redactOutcome,
  redactReport,
  stoppedOutcome,
  type StopReason,
} from "./attemptEnding.js";
import { type AttemptLog, openAttemptLog } from "./attemptLog.js";
import type { Backend } from "./backend.js";
import { type AttemptContext, checkOut, checkpointerOf, goOnFrom } from "./attemptSource.js";
import type { Checkpointer } from "./checkpoint.js";
import type { Clock } from "./clock.js";
import { collect } from "./collecting.js";
import type { CliLogin } from "./config.js";
import type { GitRules } from "./git.js";
import { insist } from "./insist.js";
import { type IssuedSecrets, issuedSecrets } from "./issuedSecrets.js";
import type { Jail } from "./jail/jail.js";
import type { Logger } from "./logger.js";
import { sweepProcesses } from "./processTree.js";
import { watchQuota } from "./quota.js";
import type { Redactor } from "./redact.js";
import { carryOrders, type Orders } from "./orders.js";
import { createWorkspace, removeWorkspace, type Workspace } from "./workspace.js";

export type { StopReason };

export type AttemptDependencies = {
  backend: Backend;
  clock: Clock;
  logger: Logger;
  redactor: Redactor;
  /** Markers of the attempts that may have processes, for whoever has to end them in a hurry. */
  markers: Set<string>;
  tempDir: string;
  workspaceBytesMax: number;
  /** Folder of what the deployment has not acknowledged. */
  journals: string;
  git: GitRules;
  jail: Jail;
  cli: {
    file: string | undefined;
    login: CliLogin;
    /** The machine has no login: the deployment is asked for one. */
    isLoginMissing?: boolean;
    searchPath: string;
    isRoot: boolean;
    /** The CLI is told what the clone's CLAUDE.md says. */
    projectNotes: boolean;
    /** A CLI that says and answers nothing for this long is stopped. */
    answerMs: number;
  };
};

export interface RunningAttempt {
  readonly held: HeldAttempt;
  stop(reason: StopReason): void;
  /** People gave the job so many commands by now. */
  told(count: number): void;
  /** Resolves, never rejects, when everything of the attempt is gone; undefined: nothing was reported. */
  readonly done: Promise<Outcome | undefined>;
}

/** The last checkpoint of an attempt that is stopped or has failed. */
const LAST_CHECKPOINT_MS = 5_000;

/** Whether an outcome's changes and conversation are worth keeping. */
const isWorth = ({ kind }: Outcome): boolean =>
  kind === "succeeded" || kind === "failed" || kind === "stopped";

/** Starts an attempt: its steps run by themselves until `done`. */
export function startAttempt(assignment: Assignment, deps: AttemptDependencies): RunningAttempt {
  const stopping = new AbortController();
  const held = { jobId: assignment.jobId, token: assignment.token };
  let isLeaving = false;
  const abort = (reason: StopReason): void => {
    if (stopping.signal.aborted) return;
    deps.logger.info("attemptStopping", { ...held, reason });
    stopping.abort(reason);
  };
  const stop = (reason: StopReason): void => {
    if (reason === "budget") steps.freeze();
    if (reason !== "shutdown") abort(reason);
    else if (!isLeaving) {
      isLeaving = true;
      void steps.leave().finally(() => {
        abort(reason);
      });
    }
  };
  const steps = new Steps(assignment, deps, { stopping, stop });
  steps.orders.told(assignment.steered ?? 0);
  return { held, stop, told: steps.orders.told, done: live(steps) };
}

async function live(steps: Steps): Promise<Outcome | undefined> {
  try {
    const work = await steps.start();
    if (work === undefined) return undefined;
    const outcome = await steps.run(work).catch(steps.failInternally);
    return await steps.finish(outcome);
  } finally {
    await steps.cleanUp();
  }
}

type Control = { stopping: AbortController; stop: (reason: StopReason) => void };

/** The steps of one attempt over what they share. Each ends early once `stopping` is aborted. */
class Steps {
  readonly #deps: AttemptDependencies;
  readonly #held: HeldAttempt;
  readonly #attempt: number;
  readonly #control: Control;
  readonly #log: AttemptLog;
  readonly #secrets: IssuedSecrets;
  #workspace: Workspace | undefined;
  #checkpoints: Checkpointer | undefined;
  #cancelTimeout: () => void = () => undefined;
  #cancelQuota: () => void = () => undefined;
  readonly #context: AttemptContext;
  readonly orders: Orders;
  readonly #report: AttemptReport = {
    costUsd: 0,
    tokens: { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 },
    turns: 0,
    permissionDenials: 0,
  };

  constructor(assignment: Assignment, deps: AttemptDependencies, control: Control) {
    const { jobId, token, attempt } = assignment;
    this.#deps = deps;
    this.#held = { jobId, token };
    this.#attempt = attempt;
    this.#control = control;
    this.#secrets = issuedSecrets(this.#held, { ...deps, signal: control.stopping.signal });
    this.#log = openAttemptLog({
      ...{ ...deps, held: this.#held },
      onFailure: (error, event) => {
        this.#heed(error, event);
      },
    });
    this.#context = {
      ...{ deps, held: this.#held, secrets: this.#secrets, report: this.#report },
      ...{ signal: this.#signal, startedAt: 0 },
      mark: (text) => {
        this.#mark(text);
      },
      log: this.#log,
      enter: (phase, more) => {
        this.#enter(phase, more);
      },
      heed: (error, event) => {
        this.#heed(error, event);
      },
    };
    this.orders = carryOrders({ ...deps, ...this.#context });
  }

  /** Undefined when the assignment is no longer ours or the backend does not answer for it. */
  async start(): Promise<Work | undefined> {
    try {
      const work = await this.#deps.backend.start(this.#held);
      const timeoutMs = work.limits.timeoutMs ?? TIMEOUT_MS_DEFAULT;
      this.#context.startedAt = this.#deps.clock.monotonic();
      this.#cancelTimeout = this.#deps.clock.after(timeoutMs, () => {
        this.#control.stop("timeout");
      });
      this.#deps.logger.info("attemptStarted", { ...this.#held, attempt: this.#attempt });
      return work;
    } catch (error) {
      this.#heed(error, "startRefused");
      return undefined;
    }
  }

  /** Goes on from the checkpoint that was offered; where that cannot be done, begins at the beginning. */
  async run(work: Work): Promise<Outcome> {
    if (work.resume !== undefined) {
      const outcome = await this.#live(work, work.resume);
      if (outcome !== "unusable") return outcome;
      await this.#removeWorkspace();
    }
    const outcome = await this.#live(work, undefined);
    return outcome === "unusable" ? failed("internal", "A run without a past is lost.") : outcome;
  }

  async #live(work: Work, resume: Resume | undefined): Promise<Outcome | "unusable"> {
    const { tempDir, clock } = this.#deps;
    const { jobId } = this.#held;
    const workspace = await createWorkspace({ tempDir, jobId, attempt: this.#attempt, clock });
    this.#workspace = workspace;
    this.#deps.markers.add(workspace.marker);
    this.#watchQuota(workspace);
    const cloned = await checkOut(this.#context, work, workspace);
    if (cloned !== undefined) return cloned;
    const restored =
      resume === undefined ? undefined : await goOnFrom(this.#context, resume, workspace);
    if (resume !== undefined && restored === undefined) return this.#stopped() ?? "unusable";
    const sessionId = resume?.sessionId ?? work.sessionId;
    this.#checkpoints = checkpointerOf(this.#context, workspace, { sessionId, restored });
    const outcome = await runAttemptCli(this.#context, {
      ...{ work: { ...work, sessionId }, workspace, resume, checkpoints: this.#checkpoints },
      orders: this.orders,
    });
    if (outcome === "unusable") return outcome;
    // Where it ended it can be followed up, retried, or gone on with by a person's answer.
    const isAsking = outcome.kind === "asked";
    const asked = isAsking ? outcome.call.toolUseId : undefined;
    const isKept = isAsking || isWorth(outcome);
    if (isKept) await this.#checkpoints.flush(LAST_CHECKPOINT_MS * (isAsking ? 6 : 1), asked);
    this.#checkpoints.stop();
    this.#report.checkpoints = this.#checkpoints.counts();
    if (isWorth(outcome)) {
      this.#enter("collecting");
      await collect(this.#context, workspace, work.artifacts);
    }
    return outcome;
  }

  #watchQuota({ root }: Workspace): void {
    const { clock, workspaceBytesMax } = this.#deps;
    this.#cancelQuota = watchQuota({
      ...{ folder: root, bytesMax: workspaceBytesMax, clock },
      onOver: () => {
        this.#control.stop("quota");
      },
      onError: (error) => {
        this.#heed(error, "quotaUnknown");
      },
    });
  }

  /** What a stop does to the run is kept by no checkpoint: the job goes on from before. */
  freeze(): void {
    this.#checkpoints?.stop();
  }

  /** Before a shutdown stops the run: keeps how far it has come. */
  async leave(): Promise<void> {
    await this.#checkpoints?.flush(LAST_CHECKPOINT_MS);
    this.#checkpoints?.stop();
  }

  readonly failInternally = (error: unknown): Outcome => {
    if (isStale(error)) this.#heed(error, "secretRefused");
    const reason = hasCode(error, "ENOSPC") ? "diskFull" : "internal";
    this.#deps.logger.error("attemptBroke", { ...this.#held, why: String(error) });
    return this.#stopped() ?? failed(reason, `The executor could not go on: ${String(error)}`);
  };

  /** Delivers the outcome, as often as it takes while the attempt is ours. */
  async finish(outcome: Outcome): Promise<Outcome | undefined> {
    const { backend, clock, logger, redactor } = this.#deps;
    this.#cancelTimeout();
    if (this.#isAbandoned()) return undefined;
    this.#mark(outcome.kind === "failed" ? `failed: ${outcome.reason}` : outcome.kind);
    const clean = redactOutcome(outcome, redactor);
    const report = redactReport(this.#report, redactor);
    const ending = { outcome: clean, report };
    await this.#log.close(ending);
    if (this.#isAbandoned()) return undefined;
    this.#isDelivered = await insist(
      clock,
      () => backend.finish(this.#held, ending),
      (error) => {
        this.#heed(error, "finishRefused");
        return !this.#isAbandoned();
      },
    );
    if (!this.#isDelivered) return undefined;
    logger.info("attemptFinished", { ...this.#held, outcome: outcome.kind });
    return outcome;
  }

  async cleanUp(): Promise<void> {
    this.#cancelTimeout();
    this.#checkpoints?.stop();
    await this.#log.stop(this.#isDelivered || this.#isAbandoned());
    this.#secrets.forget();
    await this.#removeWorkspace();
  }

  async #removeWorkspace(): Promise<void> {
    this.#cancelQuota();
    if (this.#workspace === undefined) return;
    const { root, marker } = this.#workspace;
    try {
      await sweepProcesses(marker, this.#deps.clock);
      this.#deps.markers.delete(marker);
      await removeWorkspace(root);
    } catch (error) {
      // The next start of the executor removes it.
      this.#deps.logger.error("cleanUpFailed", { ...this.#held, folder: root, why: String(error) });
    }
  }

  get #signal(): AbortSignal {
    return this.#control.stopping.signal;
  }

  /** Tells the backend which phase began; nothing waits for the answer. */
  #enter(phase: "running" | "collecting", more: { spawnedAt?: number } = {}): void {
    const { commit } = this.#report;
    const step = { phase, ...more, ...(commit === undefined ? {} : { commit }) };
    this.#deps.backend.phase(this.#held, step).catch((error: unknown) => {
      this.#heed(error, "phaseRefused");
    });
  }

  /** A stale token ends the attempt; anything else is for the log. */
  #heed(error: unknown, event: string): void {
    this.#deps.logger.warn(event, { ...this.#held, why: String(error) });
    if (isStale(error)) this.#control.stop("abandon");
    this.#isStale ||= isStale(error);
  }
  #isStale = false;
  #isDelivered = false;

  #isAbandoned(): boolean {
    return this.#isStale || this.#signal.reason === "abandon";
  }

  /** The outcome that the first stop asks for. */
  #stopped(): Outcome | undefined {
    return stoppedOutcome(this.#signal);
  }

  #mark(text: string): void {
    this.#log.mark(text);
  }
}

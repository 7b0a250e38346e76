import type { Assignment, HeldAttempt, Work } from "../convex/protocol/executor.js";
import type { AttemptReport, FailureReason, Outcome } from "../convex/protocol/job.js";
import { MESSAGE_CHARS_MAX, TIMEOUT_MS_DEFAULT } from "../convex/protocol/limits.js";
import type { LogKind } from "../convex/protocol/log.js";
import { type Backend, BackendError } from "./backend.js";
import { type Baseline, collectChanges, takeBaseline } from "./changes.js";
import { buildCommand } from "./claude/command.js";
import { classify, type Facts, NO_FACTS, observe, reportOf } from "./claude/outcome.js";
import { runCli } from "./claude/process.js";
import { cap, parseLine, toLogEntries } from "./claude/stream.js";
import { type Clock, pause } from "./clock.js";
import type { CliLogin } from "./config.js";
import { cloneRepository, type GitRules } from "./git.js";
import { type IssuedSecrets, issuedSecrets } from "./issuedSecrets.js";
import type { Logger } from "./logger.js";
import { createLogShipper, type LogShipper } from "./logShipper.js";
import { MARKER_VARIABLE, sweepProcesses } from "./processTree.js";
import type { Redactor } from "./redact.js";
import { createWorkspace, removeWorkspace, type Workspace } from "./workspace.js";

/** Why an attempt is stopped from outside; the first one counts. */
export type StopReason =
  /** A person asked for it. */
  | "cancel"
  /** This executor is going down. */
  | "shutdown"
  /** The job's own bound. */
  | "timeout"
  /** The trust deadline passed: the backend may have given the job away. */
  | "leaseLost"
  /** The token is stale: stop, and report nothing. */
  | "abandon";

export type AttemptDependencies = {
  backend: Backend;
  clock: Clock;
  logger: Logger;
  redactor: Redactor;
  /** Markers of the attempts that may have processes, for whoever has to end them in a hurry. */
  markers: Set<string>;
  tempDir: string;
  git: GitRules;
  cli: {
    file: string | undefined;
    login: CliLogin;
    /** The machine has no login: the deployment is asked for one. */
    isLoginMissing?: boolean;
    searchPath: string;
    isRoot: boolean;
  };
};

export interface RunningAttempt {
  readonly held: HeldAttempt;
  stop(reason: StopReason): void;
  /** Resolves, never rejects, when everything of the attempt is gone; undefined: nothing was reported. */
  readonly done: Promise<Outcome | undefined>;
}

const LOG_FLUSH_MS = 5_000;
const FINISH_TRIES_MAX = 20;
const FINISH_RETRY_MS_MAX = 5_000;
const COLLECT_MS_MAX = 90_000;

/** Starts an attempt: its steps run by themselves until `done`. */
export function startAttempt(assignment: Assignment, deps: AttemptDependencies): RunningAttempt {
  const stopping = new AbortController();
  const held = { jobId: assignment.jobId, token: assignment.token };
  const stop = (reason: StopReason): void => {
    if (stopping.signal.aborted) return;
    deps.logger.info("attemptStopping", { ...held, reason });
    stopping.abort(reason);
  };
  return { held, stop, done: live(new Steps(assignment, deps, { stopping, stop })) };
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
  readonly #log: LogShipper;
  readonly #secrets: IssuedSecrets;
  #workspace: Workspace | undefined;
  #cancelTimeout: () => void = () => undefined;
  #report: AttemptReport = {
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
    this.#log = createLogShipper({
      clock: deps.clock,
      append: (seq, entries) => deps.backend.appendLog(this.#held, seq, entries),
      isFinal: isStale,
      onFailure: (error) => {
        this.#heed(error, "logRefused");
      },
    });
  }

  /** Undefined when the assignment is no longer ours or the backend does not answer for it. */
  async start(): Promise<Work | undefined> {
    try {
      const work = await this.#deps.backend.start(this.#held);
      const timeoutMs = work.limits.timeoutMs ?? TIMEOUT_MS_DEFAULT;
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

  async run(work: Work): Promise<Outcome> {
    const { tempDir } = this.#deps;
    const workspace = await createWorkspace({
      tempDir,
      jobId: this.#held.jobId,
      attempt: this.#attempt,
    });
    this.#workspace = workspace;
    this.#deps.markers.add(workspace.marker);
    const cloned = await this.#clone(work, workspace);
    if (cloned !== undefined) return cloned;
    const outcome = await this.#runCli(work, workspace);
    if (outcome.kind === "succeeded" || outcome.kind === "failed") await this.#collect(workspace);
    return outcome;
  }

  /** Undefined when the commit is checked out. */
  async #clone(work: Work, workspace: Workspace): Promise<Outcome | undefined> {
    const { clock, git } = this.#deps;
    this.#mark(`cloning ${describe(work)}`);
    const startedAt = clock.monotonic();
    const issued = work.repository.kind === "local" ? null : await this.#secrets.get("clone");
    const result = await cloneRepository(work, {
      rules: git,
      folder: workspace.repo,
      home: workspace.home,
      marker: { [MARKER_VARIABLE]: workspace.marker },
      clock,
      signal: this.#signal,
      credential: issued === null ? undefined : { username: "x-access-token", ...issued },
    });
    this.#report.cloneMs = Math.round(clock.monotonic() - startedAt);
    const stopped = this.#stopped();
    if (stopped !== undefined) return stopped;
    if (!result.ok) return failed(result.failure.reason, result.failure.message);
    this.#report.commit = result.commit;
    this.#mark(`checked out ${result.commit}`);
    await takeBaseline(this.#baseline(workspace, result.commit), this.#gitTools(workspace)).catch(
      (error: unknown) => {
        this.#heed(error, "baselineFailed");
      },
    );
    return this.#stopped();
  }

  async #runCli(work: Work, workspace: Workspace): Promise<Outcome> {
    const { clock, cli, redactor } = this.#deps;
    if (cli.file === undefined) return failed("cliMissing", "This executor has no claude binary.");
    const command = buildCommand({
      ...cli,
      login: await this.#login(),
      file: cli.file,
      work,
      folders: workspace,
      marker: workspace.marker,
    });
    let facts: Facts = NO_FACTS;
    const stderr = redactor.stream();
    const startedAt = clock.monotonic();
    const run = await runCli(command, {
      marker: workspace.marker,
      clock,
      signal: this.#signal,
      onSpawn: () => {
        this.#enter("running", { spawnedAt: clock.now() });
      },
      onLine: (line) => {
        const event = parseLine(line);
        facts = observe(facts, event);
        for (const entry of toLogEntries(event, clock.now())) this.#write(entry.kind, entry.text);
      },
      onStderr: (piece) => {
        this.#writeLines(stderr.push(piece));
      },
    });
    this.#writeLines(stderr.end());
    this.#report = {
      ...this.#report,
      ...reportOf(run, facts),
      cliMs: Math.round(clock.monotonic() - startedAt),
    };
    if (run.droppedLines > 0) this.#mark(`${run.droppedLines} events were too long to be read`);
    if (run.sweptProcesses > 0) this.#mark(`${run.sweptProcesses} left-over processes ended`);
    if (!run.isClean) this.#deps.logger.error("processesLeft", { ...this.#held });
    return this.#stopped() ?? classify(run, facts);
  }

  /** The machine's own login; the deployment's where the machine has none. */
  async #login(): Promise<CliLogin> {
    const { login, isLoginMissing } = this.#deps.cli;
    const issued = isLoginMissing === true ? await this.#secrets.get("claude") : null;
    if (issued === null) return login;
    const { form, secret } = issued;
    return form === "apiKey" ? { ...login, apiKey: secret } : { ...login, oauthToken: secret };
  }

  /** A run is worth its result also when its changes cannot be told. */
  async #collect(workspace: Workspace): Promise<void> {
    const { commit } = this.#report;
    if (commit === undefined) return;
    this.#enter("collecting");
    try {
      const baseline = this.#baseline(workspace, commit);
      const changes = await collectChanges(baseline, this.#gitTools(workspace));
      const patch = this.#deps.redactor.text(changes.patch);
      this.#report.changes = { ...changes, patch };
      const { files, insertions, deletions } = changes;
      this.#mark(`changed ${files} files, +${insertions} -${deletions}`);
    } catch (error) {
      this.#heed(error, "collectFailed");
      this.#mark("the changes could not be collected");
    }
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
    await this.#log.flush(LOG_FLUSH_MS);
    const clean = redactOutcome(outcome, redactor);
    const report = { ...this.#report };
    if (report.result !== undefined) report.result = redactor.text(report.result);
    for (let tries = 1; tries <= FINISH_TRIES_MAX && !this.#isAbandoned(); tries += 1) {
      try {
        await backend.finish(this.#held, { outcome: clean, report });
        logger.info("attemptFinished", { ...this.#held, outcome: outcome.kind });
        return outcome;
      } catch (error) {
        this.#heed(error, "finishRefused");
        await pause(clock, Math.min(FINISH_RETRY_MS_MAX, 100 * 2 ** tries));
      }
    }
    return undefined;
  }

  async cleanUp(): Promise<void> {
    this.#cancelTimeout();
    this.#log.stop();
    this.#secrets.forget();
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

  #baseline(workspace: Workspace, commit: string): Baseline {
    return { gitFolder: workspace.gitFolder, repo: workspace.repo, commit };
  }

  #gitTools(workspace: Workspace): Parameters<typeof collectChanges>[1] {
    const { clock, git } = this.#deps;
    return {
      searchPath: git.searchPath,
      home: workspace.home,
      marker: { [MARKER_VARIABLE]: workspace.marker },
      clock,
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(COLLECT_MS_MAX)]),
    };
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

  #isAbandoned(): boolean {
    return this.#isStale || this.#signal.reason === "abandon";
  }

  /** The outcome that the first stop asks for. */
  #stopped(): Outcome | undefined {
    if (!this.#signal.aborted) return undefined;
    // Only `stop` aborts, always with a StopReason.
    const reason = this.#signal.reason as StopReason;
    switch (reason) {
      case "cancel":
        return { kind: "canceled" };
      case "shutdown":
        return { kind: "interrupted", reason: "shutdown" };
      case "timeout":
        return failed("timedOut", "The attempt took longer than its job allows.");
      case "leaseLost":
      case "abandon":
        return failed("leaseExpired", "The executor could not renew its lease in time.");
    }
  }

  #mark(text: string): void {
    this.#write("marker", text);
  }
  #writeLines(text: string): void {
    for (const line of text.split("\n")) if (line !== "") this.#write("stderr", line);
  }
  #write(kind: LogKind, text: string): void {
    const { clock, redactor } = this.#deps;
    this.#log.add({ at: clock.now(), kind, text: redactor.text(text) });
  }
}

function isStale(error: unknown): boolean {
  return error instanceof BackendError && error.code === "STALE_LEASE";
}

function failed(reason: FailureReason, message: string): Outcome {
  return { kind: "failed", reason, message: cap(message, MESSAGE_CHARS_MAX) };
}

function redactOutcome(outcome: Outcome, redactor: Redactor): Outcome {
  if (outcome.kind !== "failed") return outcome;
  return { ...outcome, message: redactor.text(outcome.message) };
}

function describe({ repository, ref }: Work): string {
  const { kind } = repository;
  if (kind === "local") return `${repository.path} at ${ref}`;
  return `${repository.host}/${repository.owner}/${repository.name} at ${ref}`;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

import type { Resume } from "../convex/protocol/checkpoint.js";
import type { HeldAttempt, Work } from "../convex/protocol/executor.js";
import type { AttemptReport, Outcome } from "../convex/protocol/job.js";
import type { AttemptDependencies } from "./attempt.js";
import type { AttemptLog } from "./attemptLog.js";
import { describe, failed, stoppedOutcome } from "./attemptEnding.js";
import { type Baseline, type GitTools, takeBaseline } from "./changes.js";
import { type Checkpointer, createCheckpointer } from "./checkpoint.js";
import { prepareTree } from "./checkpointTree.js";
import { cloneRepository } from "./git.js";
import type { IssuedSecrets } from "./issuedSecrets.js";
import { MARKER_VARIABLE } from "./processTree.js";
import { type Restored, restore } from "./restore.js";
import type { Workspace } from "./workspace.js";

/** What the steps of an attempt share that make the place it starts from. */
export type AttemptContext = {
  deps: AttemptDependencies;
  held: HeldAttempt;
  secrets: IssuedSecrets;
  /** Filled in as facts become known. */
  report: AttemptReport;
  signal: AbortSignal;
  /** By the monotonic clock. */
  startedAt: number;
  /** Writes a line into the job's log. */
  mark: (text: string) => void;
  log: Pick<AttemptLog, "add" | "stderr" | "endStderr">;
  /** Tells the backend which phase began; nothing waits for the answer. */
  enter: (phase: "running" | "collecting", more?: { spawnedAt?: number }) => void;
  /** Logs an error; a stale token ends the attempt. */
  heed: (error: unknown, event: string) => void;
};

const PREPARE_MS_MAX = 90_000;

/** Clones the commit and prepares what changes are compared with. Undefined when all is there. */
export async function checkOut(
  context: AttemptContext,
  work: Work,
  workspace: Workspace,
): Promise<Outcome | undefined> {
  const { deps, secrets, report, signal, mark, heed } = context;
  const { clock, git } = deps;
  mark(`cloning ${describe(work)}`);
  const startedAt = clock.monotonic();
  const issued = work.repository.kind === "local" ? null : await secrets.get("clone");
  const options = {
    ...{ rules: git, folder: workspace.repo, home: workspace.home, clock, signal },
    marker: { [MARKER_VARIABLE]: workspace.marker },
    credential: issued === null ? undefined : { username: "x-access-token", ...issued },
  };
  let result = await cloneRepository(work, options);
  if (!result.ok && result.failure.reason === "refNotFound" && work.commit !== undefined) {
    mark(`commit ${work.commit} is gone: taking what ${work.ref} names now`);
    const { repository, ref } = work;
    result = await cloneRepository({ repository, ref }, options);
  }
  report.cloneMs = Math.round(clock.monotonic() - startedAt);
  const stopped = stoppedOutcome(signal);
  if (stopped !== undefined) return stopped;
  if (!result.ok) return failed(result.failure.reason, result.failure.message);
  report.commit = result.commit;
  mark(`checked out ${result.commit}`);
  const baseline = baselineOf(workspace, result.commit);
  await takeBaseline(baseline, gitTools(context, workspace, PREPARE_MS_MAX))
    .then(() => prepareTree(baseline))
    .catch((error: unknown) => {
      heed(error, "baselineFailed");
    });
  return stoppedOutcome(signal);
}

/** Puts the clone into the state of the checkpoint. Undefined when it cannot be used, which is told. */
export async function goOnFrom(
  context: AttemptContext,
  resume: Resume,
  workspace: Workspace,
): Promise<Restored | undefined> {
  const { deps, held, report } = context;
  const startedAt = deps.clock.monotonic();
  try {
    if (report.commit !== resume.commit) throw new Error(`its commit ${resume.commit} is gone`);
    const tools = gitTools(context, workspace);
    const restored = await restore(resume, { ...workspace, tools });
    const ms = Math.round(deps.clock.monotonic() - startedAt);
    deps.logger.info("restored", { ...held, turns: resume.turns, ms });
    return restored;
  } catch (error) {
    await tellResumption(context, resume, error);
    return undefined;
  }
}

/** Tells everybody whether the run goes on from the checkpoint: without an error, it does. */
export async function tellResumption(
  context: AttemptContext,
  resume: Resume,
  error?: unknown,
): Promise<void> {
  const { deps, held, startedAt, mark, heed } = context;
  const { attempt: from, seq, turns } = resume;
  const resumed = error === undefined;
  const place = `attempt ${from}, after ${turns} turns`;
  const message = error instanceof Error ? error.message : String(error);
  mark(resumed ? `goes on from ${place}` : `cannot go on from ${place}: ${message}`);
  const why = resumed ? {} : { why: deps.redactor.text(message) };
  const ms = Math.round(deps.clock.monotonic() - startedAt);
  await deps.backend
    .restored(held, { from, seq, turns, resumed, ms, ...why })
    .catch((refusal: unknown) => {
      heed(refusal, "resumptionRefused");
    });
}

/** Keeps how far the run comes from here. */
export function checkpointerOf(
  context: AttemptContext,
  workspace: Workspace,
  session: { sessionId: string; restored: Restored | undefined },
): Checkpointer {
  const { deps, held, report, mark, heed } = context;
  return createCheckpointer({
    ...{ ...deps, held, ...session },
    ...{ cwd: workspace.repo, folder: workspace.root },
    baseline: baselineOf(workspace, report.commit ?? ""),
    tools: gitTools(context, workspace),
    onSkip: (why) => {
      mark(`no checkpoint: ${why}`);
    },
    onError: (error) => {
      heed(error, "checkpointSkipped");
    },
  });
}

export function baselineOf(workspace: Workspace, commit: string): Baseline {
  return { gitFolder: workspace.gitFolder, repo: workspace.repo, commit };
}

/** What git over a clone needs; with `ms`, all its calls together end by then. */
export function gitTools(context: AttemptContext, workspace: Workspace, ms?: number): GitTools {
  const { clock, git, jail } = context.deps;
  const { signal } = context;
  return {
    confine: (call) => jail.aroundGit(call, workspace),
    ...{ searchPath: git.searchPath, home: workspace.home, clock },
    marker: { [MARKER_VARIABLE]: workspace.marker },
    signal: ms === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(ms)]),
  };
}

/** Follows a job for a command: its log as talk, its end as data, its exit code. */
import type { JobState } from "../convex/protocol/job.js";
import type { JobDetail } from "../convex/protocol/view.js";
import type { Backend, JobId } from "./backend.js";
import type { Context } from "./context.js";
import { exitCodes } from "./errors.js";
import { followJob } from "./follow.js";
import { interrupted } from "./interrupt.js";
import { describeJob } from "./jobText.js";

export type Following = {
  backend: Backend;
  jobId: JobId;
  quiet: boolean;
  json: boolean;
  /** Whether the first Ctrl-C cancels the job; else it only ends the watching. */
  cancelOnInterrupt: boolean;
};

/** Resolves with the exit code that says how the job ended. */
export async function follow(
  { backend, jobId, quiet, json, cancelOnInterrupt }: Following,
  { output, signal }: Context,
): Promise<number> {
  const silent = { ...output, say: () => undefined, progress: () => undefined };
  const ended = followJob({ backend, jobId, output: quiet ? silent : output });
  const job = await untilInterrupt(ended, signal, async () => {
    output.say(`watch it again with: fondation jobs watch ${jobId}`);
    if (!cancelOnInterrupt) return false;
    output.say(`canceling job ${jobId}; Ctrl-C again leaves it to itself`);
    await backend.cancel(jobId);
    return true;
  });
  if (job === null) return exitCodes.interrupted;
  output.data(json ? JSON.stringify(job) : describeJob(job));
  return exitCodeOf(job.state);
}

/** Waits for the job's end, also past Ctrl-C where that is what `onInterrupt` says. */
async function untilInterrupt(
  ended: Promise<JobDetail>,
  signal: AbortSignal,
  onInterrupt: () => Promise<boolean>,
): Promise<JobDetail | null> {
  const first = await Promise.race([ended, interrupted(signal)]);
  if (first !== null) return first;
  // Nobody may wait for it any more: a failure of what is left behind is nobody's news.
  ended.catch(() => undefined);
  return (await onInterrupt()) ? ended : null;
}

/** How a job's state is told to a script. */
function exitCodeOf(state: JobState): number {
  switch (state.kind) {
    case "succeeded":
      return exitCodes.succeeded;
    case "canceled":
      return exitCodes.canceled;
    case "failed":
      return LOST.has(state.reason) ? exitCodes.lost : exitCodes.failed;
    case "pending":
    case "waiting":
    case "assigned":
    case "running":
    case "backoff":
      return exitCodes.failed;
  }
}

const LOST: ReadonlySet<string> = new Set([
  "timedOut",
  "tooManyInterruptions",
  "leaseExpired",
  "notStarted",
]);

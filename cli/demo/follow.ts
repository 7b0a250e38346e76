/** Follows one job: its state as a progress line, its log as it is written, until it ends. */
import type { JobState } from "../../convex/protocol/job.js";
import type { LogEntry, LogTail } from "../../convex/protocol/log.js";
import type { JobDetail } from "../../convex/protocol/view.js";
import type { Backend, JobId, Unsubscribe } from "../backend.js";
import type { Output } from "../output.js";
import { formatEntry } from "./formatEntry.js";

export type Follow = {
  backend: Pick<Backend, "watchJob" | "watchLogTail" | "getLogTail" | "getLogChunk">;
  jobId: JobId;
  output: Output;
};

/** Resolves with the job when its state is terminal and its whole log was shown. */
export async function followJob(follow: Follow): Promise<JobDetail> {
  const { backend, jobId, output } = follow;
  const log = new AttemptLog(follow);
  let unsubscribe: Unsubscribe | undefined;
  try {
    const ended = await new Promise<JobDetail>((resolve, reject) => {
      unsubscribe = backend.watchJob(jobId, {
        onValue: (job) => {
          output.progress(describeProgress(job));
          log.follow(job.attempt, reject);
          if (isTerminal(job.state)) resolve(job);
        },
        onError: reject,
      });
    });
    await log.finish(ended.attempt);
    return ended;
  } finally {
    unsubscribe?.();
    log.stop();
    output.endProgress();
  }
}

/** Whether nothing more will happen by itself. */
export function isTerminal(state: JobState): boolean {
  return state.kind === "succeeded" || state.kind === "failed" || state.kind === "canceled";
}

const STEPS = ["queued", "cloning", "running", "collecting", "done"] as const;

/** "step 3 of 5: running": where the job is, for people. */
export function describeProgress({ state, attempt, attemptsMax }: JobDetail): string {
  const step = stepOf(state);
  const which = attempt > 1 ? `, attempt ${String(attempt)} of ${String(attemptsMax)}` : "";
  const why =
    state.kind === "backoff"
      ? ` again after ${state.reason}`
      : step === "done"
        ? `, ${state.kind}`
        : "";
  const number = STEPS.indexOf(step) + 1;
  return `step ${String(number)} of ${String(STEPS.length)}: ${step}${why}${which}`;
}

function stepOf(state: JobState): (typeof STEPS)[number] {
  switch (state.kind) {
    case "pending":
    case "assigned":
    case "backoff":
      return "queued";
    case "running":
      return state.phase;
    case "succeeded":
    case "failed":
    case "canceled":
      return "done";
  }
}

/** Shows the log of the newest attempt in order, each entry once. */
class AttemptLog {
  private readonly from: Follow;
  private attempt = 0;
  private nextSeq = 0;
  private chunksShown = 0;
  private unsubscribe: Unsubscribe | undefined;
  /** Updates are shown one after the other: fetching a chunk must not let a newer tail overtake it. */
  private queue: Promise<void> = Promise.resolve();

  constructor(from: Follow) {
    this.from = from;
  }

  follow(attempt: number, onError: (error: Error) => void): void {
    if (attempt === this.attempt || attempt === 0) return;
    this.unsubscribe?.();
    this.attempt = attempt;
    this.queue = this.queue.then(() => {
      this.nextSeq = 0;
      this.chunksShown = 0;
    });
    if (attempt > 1) this.from.output.say(`attempt ${String(attempt)}`);
    const { backend, jobId } = this.from;
    this.unsubscribe = backend.watchLogTail(
      { jobId, attempt },
      {
        onValue: (tail) => {
          this.queue = this.queue.then(() => this.show(attempt, tail));
          this.queue.catch(onError);
        },
        onError,
      },
    );
  }

  /** Shows what is still missing of the last attempt. */
  async finish(attempt: number): Promise<void> {
    this.stop();
    await this.queue;
    if (attempt === 0) return;
    await this.show(attempt, await this.from.backend.getLogTail(this.from.jobId, attempt));
  }

  stop(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
  }

  private async show(attempt: number, { sealedChunks, tailSeq, tail }: LogTail): Promise<void> {
    if (attempt !== this.attempt) return;
    const { backend, jobId } = this.from;
    for (; this.chunksShown < sealedChunks; this.chunksShown += 1) {
      const chunk = await backend.getLogChunk({ jobId, attempt, index: this.chunksShown });
      this.print(chunk.firstSeq, chunk.entries);
    }
    this.print(tailSeq, tail);
  }

  private print(firstSeq: number, entries: readonly LogEntry[]): void {
    for (const entry of entries.slice(Math.max(this.nextSeq - firstSeq, 0))) {
      this.from.output.say(formatEntry(entry));
    }
    this.nextSeq = Math.max(this.nextSeq, firstSeq + entries.length);
  }
}

/** Follows one job: its state as a progress line, its log as it is written, until it ends. */
import type { JobState } from "../convex/protocol/job.js";
import type { LogEntry, LogTail } from "../convex/protocol/log.js";
import type { JobDetail } from "../convex/protocol/view.js";
import type { Backend, JobId, Unsubscribe } from "./backend.js";
import type { Output } from "./output.js";
import { formatEntry } from "./formatEntry.js";

export type Follow = {
  backend: Pick<Backend, "watchJob" | "watchLogTail" | "getLogTail" | "getLogChunk">;
  jobId: JobId;
  output: Output;
  /** Takes the entries of the log; unless told, they are talk. */
  onEntry?: (entry: LogEntry) => void;
};

/** Resolves with the job when its state is terminal and its whole log was shown. */
export async function followJob(follow: Follow): Promise<JobDetail> {
  const { backend, jobId, output } = follow;
  const log = new JobLog(follow);
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
    await log.finish();
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
function describeProgress({ state, attempt, attemptsMax }: JobDetail): string {
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
    case "waiting":
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

/** Shows the logs of the attempts one after the other, each entry once and in order. */
class JobLog {
  private readonly from: Follow;
  private shown: AttemptShown = newlyShown(0);
  private unsubscribe: Unsubscribe | undefined;
  /** Updates are shown one after the other: fetching a chunk must not let a newer tail overtake it. */
  private queue: Promise<void> = Promise.resolve();

  constructor(from: Follow) {
    this.from = from;
  }

  follow(attempt: number, onError: (error: Error) => void): void {
    if (attempt === this.shown.attempt) return;
    this.unsubscribe?.();
    const earlier = this.shown;
    const shown = newlyShown(attempt);
    this.shown = shown;
    const { backend, jobId, output } = this.from;
    const enqueue = (show: () => Promise<void>): void => {
      this.queue = this.queue.then(show);
      this.queue.catch(onError);
    };
    if (earlier.attempt > 0) {
      enqueue(async () => {
        await this.showRest(earlier);
        output.say(`attempt ${String(attempt)}`);
      });
    }
    this.unsubscribe = backend.watchLogTail(
      { jobId, attempt },
      {
        onValue: (tail) => {
          enqueue(() => this.show(shown, tail));
        },
        onError,
      },
    );
  }

  /** Shows what is still missing of the last attempt. */
  async finish(): Promise<void> {
    this.stop();
    await this.queue;
    if (this.shown.attempt > 0) await this.showRest(this.shown);
  }

  stop(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
  }

  private async showRest(shown: AttemptShown): Promise<void> {
    const { backend, jobId } = this.from;
    await this.show(shown, await backend.getLogTail(jobId, shown.attempt));
  }

  private async show(shown: AttemptShown, { sealedChunks, tailSeq, tail }: LogTail): Promise<void> {
    const { backend, jobId } = this.from;
    const { attempt } = shown;
    for (; shown.chunks < sealedChunks; shown.chunks += 1) {
      const chunk = await backend.getLogChunk({ jobId, attempt, index: shown.chunks });
      this.print(shown, chunk);
    }
    this.print(shown, { firstSeq: tailSeq, entries: tail });
  }

  private print(shown: AttemptShown, { firstSeq, entries }: Numbered): void {
    for (const entry of entries.slice(Math.max(shown.nextSeq - firstSeq, 0))) {
      if (this.from.onEntry === undefined) this.from.output.say(formatEntry(entry));
      else this.from.onEntry(entry);
    }
    shown.nextSeq = Math.max(shown.nextSeq, firstSeq + entries.length);
  }
}

/** Entries with the sequence number of the first. */
type Numbered = { firstSeq: number; entries: readonly LogEntry[] };

/** How much of an attempt's log was shown: sealed chunks, and the number of the entry to come. */
type AttemptShown = { attempt: number; nextSeq: number; chunks: number };

const newlyShown = (attempt: number): AttemptShown => ({ attempt, nextSeq: 0, chunks: 0 });

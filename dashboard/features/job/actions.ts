/** What a person may do to a job, when, and how the page shows it before the backend has answered. */
import { useMutation } from "convex/react";
import { useRef, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import type { JobState } from "../../../convex/protocol/job.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { readError } from "../../lib/errors.js";
import { isTerminal } from "../../lib/stateLook.js";
import { tellDone, tellFailed } from "../../ui/toast.js";
import type { JobId } from "./job.js";

export type Action = "cancel" | "retry" | "hold" | "release" | "requeue";
/** What an optimistic update uses of the client's store. */
type Store = {
  getQuery(query: typeof api.jobs.get, args: { jobId: string }): JobDetail | undefined;
  setQuery(query: typeof api.jobs.get, args: { jobId: string }, job: JobDetail): void;
};
type Guess = (job: JobDetail) => Partial<JobDetail>;

/** What is said once the backend has acknowledged it, by the state it left the job in. */
const TOLD: Record<Action, (state: JobState) => string> = {
  cancel: ({ kind }) => (kind === "canceled" ? "The job is canceled" : "The job is being canceled"),
  retry: () => "The job is back in the queue",
  hold: () => "The job is held",
  release: () => "The job is released",
  requeue: () => "The job is back in the queue",
};

const pending: JobState = { kind: "pending" };

/** What each action will most likely make of the job; the backend's word replaces it. */
const GUESSES: Record<Action, Guess> = {
  cancel: ({ state }) =>
    state.kind === "running"
      ? { cancelRequested: true }
      : { state: { kind: "canceled", endedAt: Date.now() } },
  retry: () => ({ state: pending, cancelRequested: false }),
  hold: () => ({ state: { kind: "waiting", reason: "approval", since: Date.now() } }),
  release: () => ({ state: pending }),
  requeue: () => ({ state: pending }),
};

function foresee(action: Action) {
  return (store: Store, { jobId }: { jobId: JobId }): void => {
    const job = store.getQuery(api.jobs.get, { jobId });
    if (job === undefined) return;
    store.setQuery(api.jobs.get, { jobId }, { ...job, ...GUESSES[action](job) });
  };
}

/** Acts on a job: shown at once, told when acknowledged, taken back with the reason when refused. */
export function useJobActions(jobId: JobId) {
  const mutations = {
    cancel: useMutation(api.jobs.cancel).withOptimisticUpdate(foresee("cancel")),
    retry: useMutation(api.jobs.retry).withOptimisticUpdate(foresee("retry")),
    hold: useMutation(api.jobs.hold).withOptimisticUpdate(foresee("hold")),
    release: useMutation(api.jobs.release).withOptimisticUpdate(foresee("release")),
    requeue: useMutation(api.jobs.requeue).withOptimisticUpdate(foresee("requeue")),
  };
  const [busy, setBusy] = useState<Action | null>(null);
  // Not the state: a second click comes before the first one has rendered.
  const isBusy = useRef(false);
  const act = async (action: Action): Promise<void> => {
    if (isBusy.current) return;
    isBusy.current = true;
    setBusy(action);
    try {
      tellDone(TOLD[action](await mutations[action]({ jobId })));
    } catch (error) {
      tellFailed(`The backend refused to ${action} the job`, readError(error).message);
    } finally {
      isBusy.current = false;
      setBusy(null);
    }
  };
  return { act, busy };
}

/** Why the action makes no sense now; undefined when it does. */
export function whyNot(action: Action, job: JobDetail): string | undefined {
  const { state, cancelRequested } = job;
  if (isTerminal(state.kind)) return whyNotEnded(action, state.kind === "succeeded");
  const isHeld = state.kind === "waiting" && state.reason === "approval";
  switch (action) {
    case "cancel":
      return cancelRequested ? "It is being canceled already." : undefined;
    case "retry":
      return "Only a job that failed or was canceled can be retried.";
    case "hold":
      if (state.kind === "assigned" || state.kind === "running") {
        return "It is with an executor. Cancel it or send it back to the queue.";
      }
      return isHeld ? "It is held already." : undefined;
    case "release":
      return isHeld ? undefined : "Nobody holds it.";
    case "requeue":
      if (isHeld) return "It is held: release it.";
      return cancelRequested ? "It is being canceled." : undefined;
  }
}

function whyNotEnded(action: Action, hasSucceeded: boolean): string | undefined {
  if (action !== "retry") return "The job has ended.";
  return hasSucceeded ? "It succeeded. To run it again, rerun it with edits." : undefined;
}

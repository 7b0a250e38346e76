/** What people say to a job under way, and how the page shows it before the backend has answered. */
import { useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { SteeringKind, SteeringView } from "../../../convex/protocol/steering.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { isTerminal } from "../../lib/stateLook.js";
import { useMe } from "../../session/me.js";
import type { AnswerStore } from "../../session/optimistic.js";
import { tellDone, tellOutcome } from "../../ui/toast.js";
import type { JobId } from "./job.js";

/** At most 100 things that were said to the job, oldest first. */
export function useSaid(jobId: JobId): SteeringView[] | undefined {
  return useQuery(api.steering.list, { jobId });
}

/** The three ways to steer a run: shown at once, told when acknowledged, taken back when refused. */
export function useSteer(jobId: JobId) {
  const by = `user:${useMe().username}`;
  const message = useMutation(api.steering.message).withOptimisticUpdate(foresee("message", by));
  const interrupt = useMutation(api.steering.interrupt).withOptimisticUpdate(
    foresee("interrupt", by),
  );
  const stop = useMutation(api.steering.stopAfterTurn).withOptimisticUpdate(
    foresee("stopAfterTurn", by),
  );
  return {
    /** Hands out whether the backend took it. */
    say: (text: string): Promise<boolean> =>
      tellOutcome(message({ jobId, text }), {
        done: "The message is on its way to the run",
        failed: "The message was not taken",
      }),
    /** Rejects with what the backend refuses. */
    interrupt: async (text: string): Promise<void> => {
      await interrupt({ jobId, ...(text === "" ? {} : { text }) });
      tellDone("The run is being interrupted");
    },
    stop: (): Promise<boolean> =>
      tellOutcome(stop({ jobId }), {
        done: "The run is stopped after this turn",
        failed: "The run was not asked to stop",
      }),
  };
}

/** Follows an ended job up; hands out the new one. Rejects with what the backend refuses. */
export function useFollowUp(jobId: JobId) {
  const followUp = useMutation(api.jobs.followUp);
  return async (text: string): Promise<JobId> => {
    const next = await followUp({ jobId, text });
    tellDone("The follow-up is in the queue");
    return next.jobId;
  };
}

function foresee(kind: SteeringKind, by: string) {
  return (store: AnswerStore, { jobId, text }: { jobId: JobId; text?: string }): void => {
    const said = store.getQuery(api.steering.list, { jobId });
    if (said === undefined) return;
    // A key for this list alone: the backend's row, with its own id, takes its place.
    const steeringId = `new-${said.length}` as SteeringView["steeringId"];
    const at = Date.now();
    const what = text === undefined ? {} : { text };
    const row = { steeringId, kind, ...what, by, at, state: "sent", stateAt: at } as const;
    store.setQuery(api.steering.list, { jobId }, [...said, row]);
  };
}

/** Why the job takes no command of this kind now; undefined when it does. */
export function whyNotSteer(kind: SteeringKind, job: JobDetail): string | undefined {
  const { state, cancelRequested } = job;
  if (isTerminal(state.kind)) return "The job has ended. Follow it up to say more.";
  if (cancelRequested) return "It is being canceled.";
  return kind === "message" || state.kind === "running" ? undefined : "Nothing runs just now.";
}

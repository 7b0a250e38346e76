/** What the page of one job reads. */
import { useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { AttemptView, JobDetail, LeaseView } from "../../../convex/protocol/view.js";
import { formatId } from "../../lib/format.js";
import { useGlance } from "../../session/glance.js";

/** Half of what passes between two heartbeats by default; at least so often within a lease. */
const LEASE_PAUSE_MS_MAX = 10_000;
const LOOKS_IN_LEASE = 6;
const leasePauseMs = (lease: LeaseView | null | undefined): number =>
  Math.min(LEASE_PAUSE_MS_MAX, (lease?.leaseMs ?? LEASE_PAUSE_MS_MAX) / LOOKS_IN_LEASE);

export type JobId = JobDetail["jobId"];
type ExecutorId = AttemptView["executorId"];

/** The job with its latest attempt; undefined while it loads. Throws what the backend refuses. */
export function useJob(jobId: string) {
  return useQuery(api.jobs.get, { jobId });
}

/** The first 100 events of the job's timeline, oldest first. */
export function useEvents(jobId: JobId) {
  return useQuery(api.jobs.events, { jobId });
}

/** Why the job does not run; undefined while that is not known, or where it runs or has ended. */
export function useWaiting({ jobId, state }: JobDetail) {
  const waits = state.kind === "pending" || state.kind === "waiting" || state.kind === "backoff";
  return useQuery(api.jobs.waiting, waits ? { jobId } : "skip");
}

/** The lease of the executor that has the job; undefined and null where there is none. */
export function useLease({ jobId, state }: JobDetail) {
  const isHeld = state.kind === "assigned" || state.kind === "running";
  return useGlance(api.jobs.lease, isHeld ? { jobId } : "skip", leasePauseMs);
}

/** At most 100 attempts, newest first. */
export function useAttempts(jobId: JobId) {
  return useQuery(api.jobs.attempts, { jobId });
}

/** One attempt of the job; null when there is none of that number. The latest costs no query. */
export function useAttempt(job: JobDetail, attempt: number): AttemptView | null | undefined {
  const isLatest = attempt === job.attempt;
  const attempts = useQuery(api.jobs.attempts, isLatest ? "skip" : { jobId: job.jobId });
  if (isLatest) return job.latest;
  return attempts === undefined ? undefined : (attempts.find((a) => a.attempt === attempt) ?? null);
}

/** What the job was asked to do. */
export function usePrompt(jobId: JobId) {
  return useQuery(api.jobs.prompt, { jobId });
}

/** Names executors; one that is gone by the start of its id. */
export function useExecutorNames(): (executorId: ExecutorId) => string {
  const executors = useQuery(api.executors.list, {});
  return (executorId) =>
    executors?.find((each) => each.executorId === executorId)?.name ?? formatId(executorId);
}

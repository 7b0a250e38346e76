/** What the jobs list reads and does: the only place of the feature that talks to the backend. */
import { useMutation, usePaginatedQuery, useQuery } from "convex/react";
import { useEffect, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import { JOB_STATE_KINDS } from "../../../convex/protocol/job.js";
import type { BulkAction, BulkFilter } from "../../../convex/protocol/queue.js";
import type { JobView } from "../../../convex/protocol/view.js";
import { readError } from "../../lib/errors.js";

const PAGE_JOBS = 50;
/** A filter may leave pages short: so many are fetched by themselves to fill a screen. */
const FILL_ROWS = 30;
const FILL_PAGES_MAX = 8;

export type JobId = JobView["jobId"];
/** What became of one job of a bulk action. */
export type Outcome = { jobId: JobId; ok: boolean; detail: string };

/** The list as it was last seen. */
let left: { key: string; jobs: JobView[] } = { key: "", jobs: [] };

/** The jobs that meet the filter, newest first. `looked` is how many were looked at for them, about. */
export function useJobs(filter: BulkFilter) {
  const { state: word, ...rest } = filter;
  const state = JOB_STATE_KINDS.find((kind) => kind === word);
  const args = state === undefined ? rest : { ...rest, state };
  const key = JSON.stringify(filter);
  const [before] = useState(() => (left.key === key ? left : null));
  const { results, status, loadMore } = usePaginatedQuery(api.jobs.list, args, {
    initialNumItems: Math.max(PAGE_JOBS, before?.jobs.length ?? 0),
  });
  const [fetched, setFetched] = useState({ key, pages: 1 });
  const pages = fetched.key === key ? fetched.pages : 1;
  useEffect(() => {
    if (status !== "LoadingFirstPage") left = { key, jobs: results };
  }, [status, key, results]);
  const more = (): void => {
    setFetched({ key, pages: pages + 1 });
    loadMore(PAGE_JOBS);
  };
  const isShort = status === "CanLoadMore" && results.length < FILL_ROWS && pages < FILL_PAGES_MAX;
  useEffect(() => {
    if (!isShort) return undefined;
    const timer = setTimeout(() => {
      setFetched({ key, pages: pages + 1 });
      loadMore(PAGE_JOBS);
    });
    return () => {
      clearTimeout(timer);
    };
  }, [isShort, key, pages, loadMore]);
  const looked = pages * PAGE_JOBS;
  // Who comes back finds the rows as they were left, and the place among them, until the live ones are there.
  if (status === "LoadingFirstPage" && before?.key === key) {
    return { jobs: before.jobs, status: "LoadingMore" as const, isLive: false, looked, more };
  }
  return { jobs: results, status, isLive: status !== "LoadingFirstPage", looked, more };
}

/** How many jobs are in each state, and how many ended in each within a day, as of the last roll-up. */
export function useStateCounts(): Record<string, number> | undefined {
  const states = useQuery(api.metrics.now, {})?.states;
  const ended = useQuery(api.metrics.summary, { range: "day" })?.figures.jobs;
  return states === undefined ? undefined : { ...states, ...ended };
}

/** Cancels or retries one job; hands out what became of it, and never throws what the backend refuses. */
export function useActOnJob(): (action: "cancel" | "retry", jobId: JobId) => Promise<Outcome> {
  const cancel = useMutation(api.jobs.cancel);
  const retry = useMutation(api.jobs.retry);
  return async (action, jobId) => {
    try {
      const state = await (action === "cancel" ? cancel : retry)({ jobId });
      return { jobId, ok: true, detail: state.kind };
    } catch (error) {
      return { jobId, ok: false, detail: readError(error).message };
    }
  };
}

/** Starts an action over all jobs that meet a filter, in the background of the backend. */
export function useStartBulk() {
  const start = useMutation(api.bulk.start);
  return (action: BulkAction, filter: BulkFilter) => start({ action, filter });
}

/** How far an operation is, and how to end it. */
export function useOperation(operationId: string) {
  return {
    operation: useQuery(api.bulk.get, { operationId }),
    cancel: useMutation(api.bulk.cancel),
    outcomes: usePaginatedQuery(api.bulk.outcomes, { operationId }, { initialNumItems: PAGE_JOBS }),
  };
}

/** What the overview reads: bounded queries over the queue, its figures and its alerts. */
import { useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

/** Rows of the lists of running and failed jobs. */
const ROWS = 6;
/** Waiting jobs looked at for those that a person holds. */
const HELD_SEEN = 100;
const newest = { numItems: ROWS, cursor: null };

/** The queue as it is now, and whether it is paused or stopped. */
export function useQueue() {
  return {
    now: useQuery(api.metrics.now, {}),
    status: useQuery(api.queue.status, {}),
    stop: useQuery(api.emergency.status, {}),
  };
}

/** The last 24 hours, hour by hour and in one. */
export function useDay() {
  return {
    series: useQuery(api.metrics.series, { range: "day" }),
    summary: useQuery(api.metrics.summary, { range: "day" }),
  };
}

/** Alerts that are open or on the way to it. */
export function useOpenAlerts() {
  return useQuery(api.alerts.list, {})?.filter(({ status }) => status === "open");
}

/** How many jobs wait for a person to let them go, up to a page of them; undefined while it loads. */
export function useHeldJobs(): number | undefined {
  const paginationOpts = { numItems: HELD_SEEN, cursor: null };
  const page = useQuery(api.jobs.list, { state: "waiting", paginationOpts })?.page;
  return page?.filter(({ state }) => state.kind === "waiting" && state.reason === "approval")
    .length;
}

/** Calls that wait for a person to allow them, the most urgent first; undefined while they load. */
export function useOpenQuestions() {
  return useQuery(api.questions.open, {});
}

export function useExecutors() {
  return useQuery(api.executors.list, {});
}

/** The newest jobs that run, and those that failed. */
export function useLatestJobs() {
  return {
    running: useQuery(api.jobs.list, { state: "running", paginationOpts: newest })?.page,
    failed: useQuery(api.jobs.list, { state: "failed", paginationOpts: newest })?.page,
    any: useQuery(api.jobs.list, { paginationOpts: { numItems: 1, cursor: null } })?.page,
    succeeded: useQuery(api.jobs.list, {
      state: "succeeded",
      paginationOpts: { numItems: 1, cursor: null },
    })?.page,
  };
}

/** What the jobs pages read and do: the only place of the feature that talks to the backend. */
import { usePaginatedQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { JobStateKind } from "../../../convex/protocol/job.js";

const PAGE_ROWS = 50;

/** Jobs, newest first, of one state or of all; more on demand. */
export function useJobs(state: JobStateKind | undefined) {
  return usePaginatedQuery(api.jobs.list, state === undefined ? {} : { state }, {
    initialNumItems: PAGE_ROWS,
  });
}

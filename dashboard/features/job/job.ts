/** What the page of one job reads. */
import { useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

/** The job with its latest attempt; undefined while it loads. Throws what the backend refuses. */
export function useJob(jobId: string) {
  return useQuery(api.jobs.get, { jobId });
}

/** After how many days data is deleted, and runs by hand. */
import { useAction, useMutation, useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";

export function useRetention() {
  return useQuery(api.retention.settings, {});
}

export function useRetentionActions() {
  const prune = useAction(api.retention.pruneNow);
  return {
    configure: useMutation(api.retention.configure),
    /** Counts what a run with these days would delete; nothing is changed. */
    count: (days: Readonly<Record<string, number>>) => prune({ dryRun: true, days }),
    prune: () => prune({}),
  };
}

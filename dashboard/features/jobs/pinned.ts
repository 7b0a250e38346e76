import { useState } from "react";
import type { JobView } from "../../../convex/protocol/view.js";

/**
 * Keeps the rows of a list where they are while it is read: jobs submitted after it was opened are
 * counted, and shown when the reader asks for them. Rows that are there change in place.
 */
export function usePinned(jobs: readonly JobView[], key: string, isLive: boolean) {
  const newest = jobs[0]?.submittedAt ?? 0;
  const [pin, setPin] = useState<{ key: string; at: number } | null>(null);
  // Pinned at the first rows for a filter, which older pages may hold; set while rendering, as React asks
  // for derived state.
  if (isLive && jobs.length > 0 && pin?.key !== key) setPin({ key, at: newest });
  const until = pin?.key === key ? pin.at : Infinity;
  const shown = jobs.filter(({ submittedAt }) => submittedAt <= until);
  return {
    shown,
    unseen: jobs.length - shown.length,
    showAll: () => {
      setPin({ key, at: newest });
    },
  };
}

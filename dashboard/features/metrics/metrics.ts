/** What the page of metrics reads, and the ranges it knows. */
import { useQuery } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import type { Range } from "../../../convex/protocol/metrics.js";
import { searchSchema, searchWord } from "../../lib/search.js";

export const RANGE_TITLES = [
  ["hour", "Hour"],
  ["day", "24 hours"],
  ["week", "7 days"],
  ["month", "30 days"],
  ["quarter", "90 days"],
] as const satisfies readonly (readonly [Range, string])[];

export const metricsSearch = searchSchema({
  range: searchWord(["hour", "day", "week", "month", "quarter"]),
});

/** All figures of a range; undefined while any of them loads. */
export function useMetrics(range: Range) {
  const series = useQuery(api.metrics.series, { range });
  const summary = useQuery(api.metrics.summary, { range });
  const spend = useQuery(api.metrics.spend, { range });
  const now = useQuery(api.metrics.now, {});
  if (series === undefined || summary === undefined || spend === undefined || now === undefined) {
    return undefined;
  }
  return { series, figures: summary.figures, spend, now };
}

export type Metrics = NonNullable<ReturnType<typeof useMetrics>>;

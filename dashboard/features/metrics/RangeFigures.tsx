import type { ReactNode } from "react";
import type { Percentiles } from "../../../convex/protocol/metrics.js";
import {
  formatCompact,
  formatCount,
  formatDuration,
  formatMoney,
  formatShare,
  NOTHING,
  plural,
} from "../../lib/format.js";
import { Figure } from "../../ui/Page.js";
import { Elapsed } from "../../ui/Time.js";
import type { Metrics } from "./metrics.js";

/** Fewer samples than this say little of a percentile. */
const SAMPLES_FEW = 20;

/** The range in one look. */
export function RangeFigures({ metrics }: { metrics: Metrics }): ReactNode {
  const { figures, spend, now } = metrics;
  const { succeeded, failed, canceled } = figures.jobs;
  const { tokens } = spend;
  const all = tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation;
  return (
    <dl className="m-0 grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-6">
      <Figure
        name="Succeeded"
        value={succeeded + failed === 0 ? NOTHING : formatShare(succeeded / (succeeded + failed))}
        note={`${formatCount(succeeded)} succeeded, ${formatCount(failed)} failed, ${formatCount(canceled)} canceled`}
      />
      <Times name="Wait" times={figures.wait} />
      <Times name="Run" times={figures.run} />
      <Figure
        name="Oldest waiting"
        value={
          now.oldestPendingSince === null ? NOTHING : <Elapsed from={now.oldestPendingSince} />
        }
        note={`${formatDuration(figures.queue.oldestMsMax)} at most, as counted`}
      />
      <Figure
        name="Retries"
        value={formatCount(figures.retries)}
        note={`${plural(figures.attempts.expired, "attempt")} reclaimed from lost executors`}
      />
      <Figure
        name="Spend"
        value={formatMoney(spend.costUsd)}
        note={`${formatCompact(all)} tokens, ${formatCompact(tokens.output)} of them written; by list price`}
      />
    </dl>
  );
}

/** The median, and beside it what few took longer than. */
function Times({ name, times }: { name: string; times: Percentiles }): ReactNode {
  const show = (ms: number | null): string => (ms === null ? NOTHING : formatDuration(ms));
  return (
    <Figure
      name={`${name}, median`}
      value={show(times.p50Ms)}
      note={
        times.count === 0 ? (
          "no sample"
        ) : (
          <>
            p95 {show(times.p95Ms)}, p99 {show(times.p99Ms)}
            {times.count < SAMPLES_FEW && `; only ${plural(times.count, "sample")}`}
          </>
        )
      }
    />
  );
}

import { Download as Icon } from "lucide-react";
import type { ReactNode } from "react";
import type { Range } from "../../../convex/protocol/metrics.js";
import { saveFile } from "../../lib/download.js";
import { Button } from "../../ui/Button.js";
import type { Metrics } from "./metrics.js";

type Props = { metrics: Metrics; range: Range };

/** The series as a file for a spreadsheet. */
export function Download({ metrics, range }: Props): ReactNode {
  return (
    <Button
      icon={<Icon size={15} aria-hidden />}
      onClick={() => {
        saveFile(`fondation-${range}.csv`, new Blob([csvOf(metrics)], { type: "text/csv" }));
      }}
    >
      Download CSV
    </Button>
  );
}

/** One line a bucket: numbers and times alone, so nothing needs quotes. Times in ms, money in dollars. */
function csvOf({ series }: Metrics): string {
  const head =
    "from,submitted,succeeded,failed,canceled,retries,reclaimed,waitP50Ms,waitP95Ms,waitP99Ms,runP50Ms,runP95Ms,runP99Ms,pendingMax,oldestMsMax,costUsd";
  const lines = series.points.map((point) => {
    const { start, submitted, jobs, retries, attempts, wait, run, queue, costUsd } = point;
    return [
      new Date(start).toISOString(),
      ...[submitted, jobs.succeeded, jobs.failed, jobs.canceled, retries, attempts.expired],
      ...[wait.p50Ms, wait.p95Ms, wait.p99Ms, run.p50Ms, run.p95Ms, run.p99Ms],
      ...[queue.pendingMax, queue.oldestMsMax, costUsd],
    ].join(",");
  });
  return `${[head, ...lines].join("\n")}\n`;
}

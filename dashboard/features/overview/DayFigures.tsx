import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Figures, QueueNow, Series } from "../../../convex/protocol/metrics.js";
import {
  formatCount,
  formatDuration,
  formatMoney,
  formatShare,
  NOTHING,
  plural,
} from "../../lib/format.js";
import { Figure } from "../../ui/Page.js";
import { Sparkline } from "../../ui/Sparkline.js";
import { Loading } from "../../ui/States.js";
import { Elapsed } from "../../ui/Time.js";
import { useDay, useQueue } from "./overview.js";

/** The queue now and the last 24 hours, in five figures. */
export function DayFigures(): ReactNode {
  const { now } = useQueue();
  const { series, summary } = useDay();
  if (now === undefined || series === undefined || summary === undefined) {
    return <Loading what="figures" rows={2} />;
  }
  return (
    <dl className="m-0 grid grid-cols-2 gap-3 lg:grid-cols-5">
      <Queued now={now} />
      <Running now={now} />
      <Succeeded figures={summary.figures} points={series.points} />
      <Waits figures={summary.figures} points={series.points} />
      <Spend figures={summary.figures} points={series.points} />
    </dl>
  );
}

type Day = { figures: Figures; points: Series["points"] };

const FIGURE_LINK = "text-text no-underline hover:underline";

function Queued({ now }: { now: QueueNow }): ReactNode {
  return (
    <Figure
      name="Queued"
      value={
        <Link to="/jobs" search={{ state: "pending" }} className={FIGURE_LINK}>
          {formatCount(now.pendingUpTo)}
        </Link>
      }
      note={
        now.oldestPendingSince === null ? (
          "nothing waits for a slot"
        ) : (
          <>
            oldest <Elapsed from={now.oldestPendingSince} />
          </>
        )
      }
    />
  );
}

function Running({ now }: { now: QueueNow }): ReactNode {
  const count = (state: string): number => now.states[state] ?? 0;
  return (
    <Figure
      name="Running"
      value={
        <Link to="/jobs" search={{ state: "running" }} className={FIGURE_LINK}>
          {formatCount(count("assigned") + count("running"))}
        </Link>
      }
      note={`of ${plural(now.slots, "slot")} on ${plural(now.executorsOnline, "executor")}`}
    />
  );
}

/** Of the jobs that came to an end of their own: canceled ones say nothing. */
function Succeeded({ figures, points }: Day): ReactNode {
  const { succeeded, failed } = figures.jobs;
  const ended = succeeded + failed;
  return (
    <Figure
      name="Succeeded, 24 h"
      value={ended === 0 ? NOTHING : formatShare(succeeded / ended)}
      note={
        <>
          {formatCount(succeeded)} of {plural(ended, "ended job")}
          <Sparkline
            values={points.map(({ jobs }) => jobs.succeeded)}
            name="Succeeded jobs by the hour"
          />
        </>
      }
    />
  );
}

function Waits({ figures: { wait, run }, points }: Day): ReactNode {
  return (
    <Figure
      name="Wait p95, 24 h"
      value={wait.p95Ms === null ? NOTHING : formatDuration(wait.p95Ms)}
      note={
        <>
          {run.p95Ms === null ? "no run yet" : `run p95 ${formatDuration(run.p95Ms)}`}
          <Sparkline
            values={points.map(({ queue }) => queue.pendingMax)}
            name="Most jobs in the queue by the hour"
          />
        </>
      }
    />
  );
}

function Spend({ figures: { costUsd, attempts }, points }: Day): ReactNode {
  return (
    <Figure
      name="Spend, 24 h"
      value={formatMoney(costUsd)}
      note={
        <>
          {plural(attempts.succeeded + attempts.failed, "attempt")}, by list price
          <Sparkline values={points.map((point) => point.costUsd)} name="Spend by the hour" />
        </>
      }
    />
  );
}

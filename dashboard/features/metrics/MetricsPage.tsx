import { getRouteApi, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Range } from "../../../convex/protocol/metrics.js";
import { cx } from "../../lib/cx.js";
import { PageHead } from "../../ui/Page.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { Time } from "../../ui/Time.js";
import { Charts } from "./Charts.js";
import { Download } from "./Download.js";
import { RangeFigures } from "./RangeFigures.js";
import { Reasons } from "./Reasons.js";
import { Spending } from "./Spending.js";
import { RANGE_TITLES, useMetrics } from "./metrics.js";

const route = getRouteApi("/signedIn/metrics");

/** How the queue did over an hour, a day, or up to a quarter. */
export function MetricsPage(): ReactNode {
  const { range = "day" } = route.useSearch();
  const title = RANGE_TITLES.find(([name]) => name === range)?.[1] ?? "";
  const metrics = useMetrics(range);
  const rolledAt = metrics?.series.rolledAt ?? null;
  return (
    <>
      <PageHead
        title="Metrics"
        tabTitle={`Metrics, ${title.toLowerCase()}`}
        actions={
          metrics !== undefined && rolledAt !== null && <Download metrics={metrics} range={range} />
        }
      >
        {rolledAt !== null && (
          <>
            Counted until <Time at={rolledAt} />; the last stretch is still in progress.
          </>
        )}
      </PageHead>
      <RangeLinks active={range} />
      {metrics === undefined ? (
        <Loading what="metrics" rows={8} />
      ) : rolledAt === null ? (
        <EmptyState title="Nothing is counted yet">
          The queue is counted once a minute; the first figures come with the next minute.
        </EmptyState>
      ) : (
        <div className="flex flex-col gap-4">
          <RangeFigures metrics={metrics} />
          <Charts metrics={metrics} />
          <div className="grid gap-4 xl:grid-cols-2">
            <Reasons figures={metrics.figures} />
            <Spending spend={metrics.spend} />
          </div>
        </div>
      )}
    </>
  );
}

function RangeLinks({ active }: { active: Range }): ReactNode {
  return (
    <nav aria-label="Range" className="mb-4 flex flex-wrap gap-1.5">
      {RANGE_TITLES.map(([range, title]) => (
        <Link
          key={range}
          to="/metrics"
          search={{ range }}
          aria-current={range === active ? "true" : undefined}
          className={cx(
            "inline-flex min-h-7 items-center rounded-full border px-3 text-[13px] no-underline",
            range === active
              ? "border-accent bg-accent-soft font-medium text-text"
              : "border-line text-muted hover:border-line-strong hover:text-text",
          )}
        >
          {title}
        </Link>
      ))}
    </nav>
  );
}

import { useMemo, type ReactNode } from "react";
import { formatCount, formatDuration, formatMoney } from "../../lib/format.js";
import { Chart, type ChartLine } from "../../ui/Chart.js";
import type { Metrics } from "./metrics.js";

const HOUR_MS = 3_600_000;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const both = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

type Series = Metrics["series"];
type Point = Series["points"][number];
type Drawn = {
  title: string;
  kind: "bars" | "lines";
  format: (value: number) => string;
  lines: readonly (readonly [string, ChartLine["tone"], (point: Point) => number | null])[];
};

const wholeCount = (n: number): string => (Number.isInteger(n) ? formatCount(n) : "");

const DRAWN: readonly Drawn[] = [
  {
    title: "Ended jobs",
    kind: "bars",
    format: wholeCount,
    lines: [
      ["succeeded", "good", ({ jobs }) => jobs.succeeded],
      ["failed", "bad", ({ jobs }) => jobs.failed],
      ["canceled", "calm", ({ jobs }) => jobs.canceled],
    ],
  },
  {
    title: "Queue",
    kind: "lines",
    format: wholeCount,
    lines: [
      ["most jobs waiting for a slot", "warn", ({ queue }) => queue.pendingMax],
      ["slots on offer, mean", "live", ({ queue }) => queue.slotsMean],
    ],
  },
  {
    title: "Wait for a slot",
    kind: "lines",
    format: formatDuration,
    lines: [
      ["median", "live", ({ wait }) => wait.p50Ms],
      ["p95", "warn", ({ wait }) => wait.p95Ms],
      ["p99", "bad", ({ wait }) => wait.p99Ms],
    ],
  },
  {
    title: "Run of an attempt",
    kind: "lines",
    format: formatDuration,
    lines: [
      ["median", "live", ({ run }) => run.p50Ms],
      ["p95", "warn", ({ run }) => run.p95Ms],
      ["p99", "bad", ({ run }) => run.p99Ms],
    ],
  },
  {
    title: "Oldest waiting job",
    kind: "lines",
    format: formatDuration,
    lines: [["age at most", "warn", ({ queue }) => queue.oldestMsMax]],
  },
  {
    title: "Retries and reclaims",
    kind: "bars",
    format: wholeCount,
    lines: [
      ["attempts after which the job went on", "warn", ({ retries }) => retries],
      ["attempts reclaimed from lost executors", "bad", ({ attempts }) => attempts.expired],
    ],
  },
  {
    title: "Spend",
    kind: "bars",
    format: formatMoney,
    lines: [["by list price", "held", ({ costUsd }) => costUsd]],
  },
];

/** The range over time, each figure as a chart and as a table. */
export function Charts({ metrics: { series } }: { metrics: Metrics }): ReactNode {
  const charts = useMemo(() => chartsOf(series), [series]);
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      {charts.map((chart) => (
        <Chart key={chart.title} {...chart} />
      ))}
    </div>
  );
}

function chartsOf({ points, bucketMs }: Series) {
  const isWithinDay = points.length * bucketMs <= 24 * HOUR_MS;
  const format = isWithinDay ? clock : bucketMs > HOUR_MS ? day : both;
  const times = points.map(({ start }) => start);
  return DRAWN.map(({ lines, ...drawn }) => ({
    ...drawn,
    times,
    formatTime: (ms: number) => format.format(ms),
    lines: lines.map(([name, tone, read]) => ({ name, tone, values: points.map(read) })),
  }));
}

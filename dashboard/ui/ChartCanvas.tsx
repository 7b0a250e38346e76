import { memo, useEffect, useRef, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Tone } from "../lib/stateLook.js";
import type { ChartProps } from "./Chart.js";

const HEIGHT = 172;
const BAR_SHARE = 0.7;
const BAR_WIDTH_MAX = 40;

type CanvasProps = ChartProps & { onHover: (bucket: number | null) => void };

/** What uPlot draws. Memoized: it is drawn anew for other props, and not for each move of the mouse. */
export const ChartCanvas = memo(Canvas);

function Canvas(props: CanvasProps): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const { title, lines, times } = props;
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    let plot = draw(element, props);
    // A canvas knows no style sheet: another theme is drawn anew.
    const again = new MutationObserver(() => {
      plot.destroy();
      plot = draw(element, props);
    });
    again.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    // uPlot keeps its first width.
    const sized = new ResizeObserver(() => {
      plot.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    sized.observe(element);
    return () => {
      again.disconnect();
      sized.disconnect();
      plot.destroy();
    };
  }, [props]);
  const names = lines.map(({ name }) => name).join(", ");
  return (
    <div
      ref={box}
      role="img"
      aria-label={`${title}: ${names}, ${times.length} points in time; the table below says the same`}
      className="h-44 overflow-hidden"
    />
  );
}

function draw(element: HTMLDivElement, props: CanvasProps): uPlot {
  const { times, format, formatTime, onHover } = props;
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(`--${name}`);
  const axis = {
    stroke: color("muted"),
    font: '12px "Liberation Sans", sans-serif',
    ticks: { show: false },
  };
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      padding: [8, 22, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 90,
          values: (_, at) => at.map((seconds) => formatTime(seconds * 1_000)),
        },
        {
          ...axis,
          size: 64,
          grid: { stroke: color("line"), width: 1 },
          values: (_, at) => at.map(format),
        },
      ],
      series: [{}, ...seriesOf(props, color)],
      hooks: {
        setCursor: [
          ({ cursor }) => {
            onHover(cursor.idx ?? null);
          },
        ],
      },
    },
    [times.map((ms) => ms / 1_000), ...valuesOf(props)],
    element,
  );
}

function seriesOf({ kind, lines }: CanvasProps, color: (name: Tone) => string): uPlot.Series[] {
  const bars = uPlot.paths.bars?.({ size: [BAR_SHARE, BAR_WIDTH_MAX], align: 1 });
  if (kind === "lines" || bars === undefined) {
    return lines.map(({ tone, values }) => ({
      stroke: color(tone),
      width: 1.75,
      // A value between two gaps is on no line.
      points: { show: true, size: 5, fill: color(tone), filter: () => lonely(values) },
    }));
  }
  // The whole pile is drawn first, what is below it over it.
  return [...lines].reverse().map(({ tone }) => ({
    stroke: color(tone),
    fill: color(tone),
    width: 0,
    paths: bars,
    points: { show: false },
  }));
}

const isGap = (value: number | null | undefined): boolean => value === null || value === undefined;

function lonely(values: readonly (number | null)[]): number[] {
  return [...values.keys()].filter(
    (at) => !isGap(values[at]) && isGap(values[at - 1]) && isGap(values[at + 1]),
  );
}

/** What is drawn: of bars the sums from below. */
function valuesOf({ kind, lines }: CanvasProps): (number | null)[][] {
  if (kind === "lines") return lines.map(({ values }) => [...values]);
  const piles: number[][] = [];
  for (const { values } of lines) {
    const below = piles.at(-1);
    piles.push(values.map((value, at) => (value ?? 0) + (below?.[at] ?? 0)));
  }
  return piles.reverse();
}

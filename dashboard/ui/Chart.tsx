import { lazy, Suspense, useState, type ReactNode } from "react";
import { TONE_TEXT, type Tone } from "../lib/stateLook.js";
import { Panel } from "./Page.js";
import { Table, Td, Th } from "./Table.js";

// The library that draws is bigger than the rest of such a page: it comes after its figures.
const ChartCanvas = lazy(async () => ({ default: (await import("./ChartCanvas.js")).ChartCanvas }));

/** A figure over time; null where nothing was measured. */
export type ChartLine = { name: string; tone: Tone; values: readonly (number | null)[] };

export type ChartProps = {
  title: string;
  /** Beginning of each bucket, ms. */
  times: readonly number[];
  lines: readonly ChartLine[];
  /** Bars stand on each other; lines cross. */
  kind: "bars" | "lines";
  format: (value: number) => string;
  formatTime: (ms: number) => string;
};

/** A chart with its legend, and the same as a table for who cannot see it or wants the figures. */
export function Chart(props: ChartProps): ReactNode {
  const { title, times, lines, format, formatTime } = props;
  const [hovered, setHovered] = useState<number | null>(null);
  const at = hovered === null ? undefined : times[hovered];
  return (
    <Panel title={title} className="min-w-0">
      <p aria-hidden className="m-0 mb-2 flex flex-wrap gap-x-4 text-[13px] text-muted">
        {lines.map(({ name, tone, values }) => (
          <span key={name} className="inline-flex items-center gap-1.5">
            <span className={`${TONE_TEXT[tone]} size-2.5 rounded-xs bg-current`} />
            {name}
            {hovered !== null && (
              <span className="text-text tabular-nums">{show(values[hovered], format)}</span>
            )}
          </span>
        ))}
        {at !== undefined && <span className="text-text tabular-nums">{formatTime(at)}</span>}
      </p>
      <div className="h-44">
        <Suspense>
          <ChartCanvas {...props} onHover={setHovered} />
        </Suspense>
      </div>
      <details className="mt-2 text-[13px]">
        <summary className="cursor-pointer py-1 text-muted">As a table</summary>
        <div className="max-h-72 overflow-y-auto">
          <Table name={title}>
            <thead>
              <tr>
                <Th>From</Th>
                {lines.map(({ name }) => (
                  <Th key={name} end>
                    {name}
                  </Th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, row) => (
                <tr key={time}>
                  <Td className="whitespace-nowrap">{formatTime(time)}</Td>
                  {lines.map(({ name, values }) => (
                    <Td key={name} end>
                      {show(values[row], format)}
                    </Td>
                  ))}
                </tr>
              ))}
            </tbody>
          </Table>
        </div>
      </details>
    </Panel>
  );
}

const show = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? "—" : format(value);

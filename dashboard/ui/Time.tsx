import type { ReactNode } from "react";
import {
  formatDuration,
  formatElapsed,
  formatExact,
  formatRelative,
  NOTHING,
} from "../lib/format.js";
import { useNow } from "../lib/now.js";

/**
 * How long ago, ticking; the exact time with its zone on hover. `at` in ms since the epoch. What is `past` has
 * happened, whatever this browser's clock says.
 */
export function Time({
  at,
  past = false,
}: {
  at: number | null | undefined;
  past?: boolean;
}): ReactNode {
  const now = useNow();
  if (at === null || at === undefined) return <Nothing />;
  return (
    <time
      dateTime={new Date(at).toISOString()}
      title={formatExact(at)}
      className="whitespace-nowrap tabular-nums"
    >
      {formatRelative(past ? Math.min(at, now) : at, now)}
    </time>
  );
}

/** A length of time that is over, ms. */
export function Duration({ ms }: { ms: number | null | undefined }): ReactNode {
  if (ms === null || ms === undefined) return <Nothing />;
  return <span className="whitespace-nowrap tabular-nums">{formatDuration(ms)}</span>;
}

/** From a time until another one, or, while that is not known, until now and ticking. */
export function Elapsed({ from, to }: { from: number; to?: number | undefined }): ReactNode {
  return to === undefined ? <Ticking from={from} /> : <Duration ms={to - from} />;
}

function Ticking({ from }: { from: number }): ReactNode {
  const now = useNow();
  return <span className="whitespace-nowrap tabular-nums">{formatElapsed(now - from)}</span>;
}

/** There is no value. */
export function Nothing(): ReactNode {
  return (
    <span className="text-muted">
      <span aria-hidden>{NOTHING}</span>
      <span className="sr-only">none</span>
    </span>
  );
}

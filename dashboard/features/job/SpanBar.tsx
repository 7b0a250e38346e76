import type { ReactNode } from "react";
import { cx } from "../../lib/cx.js";
import { formatDuration, formatElapsed } from "../../lib/format.js";
import type { Span } from "./phases.js";

const LOOKS: Record<string, string> = {
  queued: "bg-calm",
  assigned: "bg-line-strong",
  started: "bg-line-strong",
  cloning: "bg-held",
  running: "bg-live",
  collecting: "bg-good",
};
/** A part that took no time can be seen all the same. */
const SHARE_MIN = 0.015;

/** How an attempt's time was spent: a bar for the eye, the same as words for everybody. */
export function SpanBar({ spans }: { spans: readonly Span[] }): ReactNode {
  const all = Math.max(
    1,
    spans.reduce((sum, { ms }) => sum + ms, 0),
  );
  return (
    <div>
      <div aria-hidden className="flex h-2 gap-0.5 overflow-hidden rounded-full">
        {spans.map(({ name, ms, isOpen }) => (
          <span
            key={name}
            className={cx(LOOKS[name] ?? "bg-calm", isOpen && "animate-pulse")}
            style={{ flexGrow: Math.max(SHARE_MIN, ms / all) }}
          />
        ))}
      </div>
      <ul className="m-0 mt-2 flex list-none flex-wrap gap-x-3.5 gap-y-0.5 p-0 text-[13px]">
        {spans.map(({ name, ms, isOpen }) => (
          <li key={name} className="flex items-center gap-1.5 whitespace-nowrap">
            <span aria-hidden className={cx("size-2 rounded-full", LOOKS[name] ?? "bg-calm")} />
            <span className="text-muted">{name}</span>
            <span className="tabular-nums">{isOpen ? formatElapsed(ms) : formatDuration(ms)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

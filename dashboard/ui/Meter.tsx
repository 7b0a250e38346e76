import type { ReactNode } from "react";

/** So many of so many, as blocks: slots of an executor. */
export function Meter({ name, used, all }: { name: string; used: number; all: number }): ReactNode {
  return (
    <span
      className="inline-flex items-center gap-2"
      role="img"
      aria-label={`${name}: ${used} of ${all}`}
    >
      <span aria-hidden className="inline-flex flex-wrap gap-0.5">
        {Array.from({ length: all }, (_, at) => (
          <span
            key={at}
            className={
              at < used
                ? "h-3 w-2 rounded-xs bg-accent"
                : "h-3 w-2 rounded-xs border border-line-strong bg-ground"
            }
          />
        ))}
      </span>
      <span aria-hidden className="text-[13px] tabular-nums">
        {used}/{all}
      </span>
    </span>
  );
}

import type { ReactNode } from "react";
import { cx } from "../lib/cx.js";
import { TONE_SOFT, TONE_TEXT, type Tone } from "../lib/stateLook.js";

type BannerProps = { tone: Tone; icon?: ReactNode; children: ReactNode; actions?: ReactNode };

/** A sentence that matters to the whole page. */
export function Banner({ tone, icon, children, actions }: BannerProps): ReactNode {
  return (
    <div
      className={cx(
        "flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg px-4 py-2.5",
        TONE_SOFT[tone],
        TONE_TEXT[tone],
      )}
    >
      {icon}
      <div className="min-w-0 flex-1">{children}</div>
      {actions}
    </div>
  );
}

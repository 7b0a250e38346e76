import type { ReactNode } from "react";
import type { JobStateKind } from "../../convex/protocol/job.js";
import { cx } from "../lib/cx.js";
import { JOB_LOOK, TONE_SOFT, TONE_TEXT, type Look, type Tone } from "../lib/stateLook.js";

/** A short word on a ground of its tone. */
export function Badge({
  tone = "calm",
  children,
}: {
  tone?: Tone;
  children: ReactNode;
}): ReactNode {
  return (
    <span
      className={cx(
        "inline-flex items-center gap-1 rounded px-1.5 py-px text-[12px] leading-5 font-medium whitespace-nowrap",
        TONE_SOFT[tone],
        TONE_TEXT[tone],
      )}
    >
      {children}
    </span>
  );
}

/** A state by icon, word and colour. */
export function LookBadge({ look, note }: { look: Look; note?: string | undefined }): ReactNode {
  const { Icon, word, tone, isMoving } = look;
  return (
    <Badge tone={tone}>
      <Icon
        size={13}
        strokeWidth={2.25}
        aria-hidden
        className={isMoving === true ? "animate-[spin_2.4s_linear_infinite]" : ""}
      />
      {word}
      {note !== undefined && <span className="font-normal">· {note}</span>}
    </Badge>
  );
}

/** A job's state; the note is a detail such as the phase. */
export function StateBadge({
  state,
  note,
}: {
  state: JobStateKind;
  note?: string | undefined;
}): ReactNode {
  return <LookBadge look={JOB_LOOK[state]} note={note} />;
}

import { useEffect, useRef, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { cx } from "../../lib/cx.js";
import { TONE_TEXT } from "../../lib/stateLook.js";
import { Panel } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Time } from "../../ui/Time.js";
import { useEvents } from "./job.js";
import { storyOf, type Row } from "./timeline.js";

/** What happened to the job and why, over all attempts; the latest in sight. */
export function Timeline({ job }: { job: JobDetail }): ReactNode {
  const events = useEvents(job.jobId);
  const story = events === undefined ? undefined : storyOf(events, job.latest);
  const box = useRef<HTMLDivElement>(null);
  const length = story?.length ?? 0;
  useEffect(() => {
    box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [length]);
  return (
    <Panel title="Timeline">
      {story === undefined ? (
        <Loading what="the timeline" rows={3} />
      ) : (
        <div
          ref={box}
          role="region"
          aria-label="Events"
          tabIndex={0}
          className="relative -m-2 max-h-52 overflow-y-auto p-2"
        >
          <ol className="m-0 list-none p-0">
            {story.map((row) => (
              <Line key={row.key} row={row} />
            ))}
          </ol>
        </div>
      )}
    </Panel>
  );
}

function Line({ row: { at, title, cause, by, tone } }: { row: Row }): ReactNode {
  return (
    <li className="group relative grid grid-cols-[0.75rem_minmax(0,1fr)_auto] gap-x-2.5 pb-2.5 last:pb-0">
      <span aria-hidden className={cx("mt-[0.4rem] flex justify-center", TONE_TEXT[tone])}>
        <span className="size-2 rounded-full bg-current" />
        <span className="absolute top-4 bottom-0 w-px bg-line group-last:hidden" />
      </span>
      <span className="min-w-0 break-words">
        {title}
        {by !== "" && <span className="text-muted"> · {by}</span>}
        {cause !== undefined && cause !== "" && (
          <span className="block text-[13px] text-muted">{cause}</span>
        )}
      </span>
      <span className="text-[13px] text-muted">
        <Time past at={at} />
      </span>
    </li>
  );
}

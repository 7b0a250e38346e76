/** What the page of schedules reads and does. */
import { useConvex, useMutation, useQuery } from "convex/react";
import type { AnswerStore } from "../../session/optimistic.js";
import { useEffect, useState } from "react";
import { api } from "../../../convex/_generated/api.js";
import type { Cadence, scheduleView } from "../../../convex/protocol/queue.js";
import { readError } from "../../lib/errors.js";

export type Schedule = typeof scheduleView.type;
/** Typing is over when nothing came for this long. */
const PAUSE_MS = 250;

export function useSchedules(): Schedule[] | undefined {
  return useQuery(api.schedules.list, {});
}

type Change = Partial<Pick<Schedule, "paused" | "nextAt">>;

/** Shows a change of one schedule at once; the backend's answer replaces it, a refusal takes it back. */
function showing(change: Change) {
  return (store: AnswerStore, { scheduleId }: { scheduleId: string }): void => {
    const before = store.getQuery(api.schedules.list, {});
    if (before === undefined) return;
    const after = before.map((one) =>
      one.scheduleId === scheduleId ? { ...one, ...change } : one,
    );
    store.setQuery(api.schedules.list, {}, after);
  };
}

const paused = showing({ paused: true, nextAt: null });
const resumed = showing({ paused: false });

/** What can be done with schedules. */
export function useScheduleActions() {
  return {
    pause: useMutation(api.schedules.pause).withOptimisticUpdate(paused),
    resume: useMutation(api.schedules.resume).withOptimisticUpdate(resumed),
    runNow: useMutation(api.schedules.runNow),
    remove: useMutation(api.schedules.remove),
    create: useMutation(api.schedules.create),
    update: useMutation(api.schedules.update),
  };
}

export type Preview = { times: readonly number[] } | { problem: string };

/** When a cadence fires next, as the backend reckons it, or what is wrong with it; undefined until it says. */
export function usePreview(cadence: Cadence): Preview | undefined {
  const convex = useConvex();
  const key = JSON.stringify(cadence);
  const [answer, setAnswer] = useState<{ key: string; preview: Preview }>();
  useEffect(() => {
    let isStale = false;
    const tell = (preview: Preview): void => {
      if (!isStale) setAnswer({ key, preview });
    };
    const timer = setTimeout(() => {
      // Asked, not subscribed to: what is wrong with half an expression is an answer, not a failed page.
      convex
        .query(api.schedules.preview, { cadence: JSON.parse(key) as Cadence, after: Date.now() })
        .then(
          (times) => {
            tell({ times });
          },
          (error: unknown) => {
            tell({ problem: readError(error).message });
          },
        );
    }, PAUSE_MS);
    return () => {
      isStale = true;
      clearTimeout(timer);
    };
  }, [convex, key]);
  return answer?.key === key ? answer.preview : undefined;
}

/** How the time of an attempt was spent. Pure; the clock is an argument. */
import type { AttemptView, JobDetail } from "../../../convex/protocol/view.js";

export type Span = { name: string; ms: number; isOpen: boolean };

/**
 * Consecutive spans of one attempt: in the queue (of the first attempt alone; later ones wait for many
 * reasons), on its way to the executor, and each phase. Clocks may differ: nothing is negative.
 */
export function spansOf(job: JobDetail, attempt: AttemptView, now: number): Span[] {
  const { assignedAt, startedAt, phases, end } = attempt;
  const marks: { name: string; at: number }[] = [
    ...(attempt.attempt === 1 ? [{ name: "queued", at: job.submittedAt }] : []),
    { name: "assigned", at: assignedAt },
    ...(startedAt === undefined || phases[0]?.phase === "cloning"
      ? []
      : [{ name: "started", at: startedAt }]),
    ...phases.map(({ phase, at }) => ({ name: phase, at })),
  ];
  return marks.map(({ name, at }, index) => {
    const next = marks[index + 1]?.at ?? end?.at;
    return { name, ms: Math.max(0, (next ?? now) - at), isOpen: next === undefined };
  });
}

/** From the start of an attempt to its end, or to now; null before it started. */
export function ranMs({ startedAt, end }: AttemptView, now: number): number | null {
  return startedAt === undefined ? null : Math.max(0, (end?.at ?? now) - startedAt);
}

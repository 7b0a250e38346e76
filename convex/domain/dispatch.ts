/**
 * Pairs waiting jobs with free slots. Both come in their order (jobs: priority, then commit order;
 * slots: ordinal first, so that work spreads over executors before it piles up on one); neither is
 * used twice, and what has no partner waits.
 */
export function choose<Job, Slot>(
  jobs: readonly Job[],
  slots: readonly Slot[],
): { job: Job; slot: Slot }[] {
  const pairs: { job: Job; slot: Slot }[] = [];
  for (const [i, job] of jobs.entries()) {
    const slot = slots[i];
    if (slot === undefined) break;
    pairs.push({ job, slot });
  }
  return pairs;
}

/** What the dispatcher waits for once a pass is done. */
export type Rest = "scheduled" | "needsJobs" | "needsSlots";

/** Goes on while both are left; else sleeps until the one that is lacking appears. */
export function rest(hasJobs: boolean, hasSlots: boolean): Rest {
  if (hasJobs && hasSlots) return "scheduled";
  return hasSlots ? "needsJobs" : "needsSlots";
}

/** Whether news of this kind wakes a dispatcher in this status. */
export function isWokenBy(status: Rest, news: "job" | "slot"): boolean {
  return status === (news === "job" ? "needsJobs" : "needsSlots");
}

/** Ordinals of an executor's slots that nothing occupies. */
export function freeOrdinals(slots: number, occupied: readonly number[]): number[] {
  return Array.from({ length: slots }, (_, ordinal) => ordinal).filter(
    (o) => !occupied.includes(o),
  );
}

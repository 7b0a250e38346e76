import type { JobSpec, JobStateKind } from "../protocol/job.js";
import { JOB_STATE_KINDS } from "../protocol/job.js";
import type { BulkFilter } from "../protocol/queue.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { labelsOf } from "./labels.js";
import { nameOf } from "./repository.js";

/** Checks a filter: it must say something, and its state must be one. */
export function checkFilter(filter: BulkFilter): Checked<BulkFilter> {
  const { state, from, to } = filter;
  if (Object.keys(filter).length === 0) {
    return refused("The filter is empty: it would mean every job. Give at least one condition.");
  }
  if (state !== undefined && findState(state) === undefined) {
    return refused(`${quote(state)} is no state; choose from ${JOB_STATE_KINDS.join(", ")}.`);
  }
  if (![from ?? 0, to ?? 0].every(Number.isFinite)) {
    return refused("A time of the filter is no time: give ms since the epoch.");
  }
  if (from !== undefined && to !== undefined && from >= to) {
    return refused("The filter's time range is empty: from must be before to.");
  }
  return passed(filter);
}

export function findState(text: string): JobStateKind | undefined {
  return JOB_STATE_KINDS.find((kind) => kind === text);
}

/** Whether a job meets a filter, the time range aside. */
export function matches(
  filter: BulkFilter,
  job: { state: { kind: string }; spec: JobSpec; lane: string; submittedBy: string },
): boolean {
  const { state, repository, label, submittedBy } = filter;
  return (
    (state === undefined || job.state.kind === state) &&
    (repository === undefined || nameOf(job.spec.repository) === repository) &&
    (label === undefined || labelsOf(job.lane).includes(label)) &&
    (submittedBy === undefined || job.submittedBy === submittedBy)
  );
}

import type { JobSpec, JobStateKind } from "../protocol/job.js";
import { JOB_STATE_KINDS } from "../protocol/job.js";
import { SEARCH_CHARS_MAX } from "../protocol/limits.js";
import type { BulkFilter } from "../protocol/queue.js";
import { type Checked, passed, quote, refused } from "./checked.js";
import { labelsOf } from "./labels.js";
import { nameOf } from "./repository.js";

/** Checks a filter: it must say something, and its state must be one. */
export function checkFilter(filter: BulkFilter): Checked<BulkFilter> {
  const { state, from, to, text } = filter;
  if (Object.keys(filter).length === 0) {
    return refused("The filter is empty: it would mean every job. Give at least one condition.");
  }
  if (state !== undefined && findState(state) === undefined) {
    return refused(`${quote(state)} is no state; choose from ${JOB_STATE_KINDS.join(", ")}.`);
  }
  if (text !== undefined && text.length > SEARCH_CHARS_MAX) {
    return refused(`The text to look for is longer than ${SEARCH_CHARS_MAX} characters.`);
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

type Matched = {
  _id: string;
  title?: string;
  state: { kind: string };
  spec: JobSpec;
  lane: string;
  submittedBy: string;
};

/** Whether a job meets a filter, batch and time range aside. */
export function matches(filter: BulkFilter, job: Matched): boolean {
  const { state, repository, label, submittedBy, text } = filter;
  return (
    (state === undefined || job.state.kind === state) &&
    (repository === undefined || nameOf(job.spec.repository) === repository) &&
    (label === undefined || labelsOf(job.lane).includes(label)) &&
    (submittedBy === undefined || job.submittedBy === submittedBy) &&
    (text === undefined || mentions(job, text.toLowerCase()))
  );
}

function mentions({ _id, title, spec }: Matched, words: string): boolean {
  const texts = [_id, title ?? "", nameOf(spec.repository), spec.ref];
  return texts.some((one) => one.toLowerCase().includes(words));
}

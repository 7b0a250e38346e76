import { LABEL_CHARS_MAX, LABELS_MAX } from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";

/**
 * Labels route jobs: an executor must carry all labels of a job. Jobs with the same set of labels
 * form a lane, executors with the same set a pool; both are written as one text, so that an index
 * can be searched by it.
 */

const SEPARATOR = "\n";

/** The text of a set of labels: sorted, each once. */
export function signature(labels: readonly string[]): string {
  return [...new Set(labels)].sort().join(SEPARATOR);
}

/** The labels of a signature. */
export function labelsOf(text: string): string[] {
  return text === "" ? [] : text.split(SEPARATOR);
}

/** Whether executors of this pool may run jobs of this lane. */
export function fits(lane: string, pool: string): boolean {
  const carried = labelsOf(pool);
  return labelsOf(lane).every((label) => carried.includes(label));
}

/** Checks the labels of a job. */
export function checkLabels(labels: readonly string[] | undefined): Checked<string[]> {
  const given = labels ?? [];
  if (given.length > LABELS_MAX) {
    return refused(`${given.length} labels; a job has at most ${LABELS_MAX}.`);
  }
  const bad = given.find((l) => l.length > LABEL_CHARS_MAX || !/^[A-Za-z0-9][\w.:=/-]*$/.test(l));
  if (bad === undefined) return passed(labelsOf(signature(given)));
  return refused(
    `The label ${quote(bad)} is not 1 to ${LABEL_CHARS_MAX} letters, digits and . _ : = / - with a letter or digit first.`,
  );
}

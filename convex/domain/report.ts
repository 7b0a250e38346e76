import type { AttemptReport, Changes, Outcome } from "../protocol/job.js";
import {
  ARTIFACT_NAME_CHARS_MAX,
  CALL_CHARS_MAX,
  CHANGED_FILES_MAX,
  DENIALS_SHOWN_MAX,
  MESSAGE_CHARS_MAX,
  PATCH_CHARS_MAX,
  RESULT_CHARS_MAX,
  USAGE_WINDOWS_MAX,
  WINDOW_NAME_CHARS_MAX,
} from "../protocol/limits.js";

/**
 * A report that fits one document. Executors cut their reports themselves; a result is too dear to
 * refuse because one did not.
 */
export function clipReport(report: AttemptReport): AttemptReport {
  const clipped = { ...report };
  if (report.result !== undefined) clipped.result = report.result.slice(0, RESULT_CHARS_MAX);
  if (report.structuredOutput !== undefined) {
    clipped.structuredOutput = report.structuredOutput.slice(0, RESULT_CHARS_MAX);
  }
  if (report.denied !== undefined) {
    const denied = report.denied.slice(0, DENIALS_SHOWN_MAX);
    clipped.denied = denied.map((call) => call.slice(0, CALL_CHARS_MAX));
  }
  if (report.deferred !== undefined) clipped.deferred = report.deferred.slice(0, CALL_CHARS_MAX);
  if (report.changes !== undefined) clipped.changes = clipChanges(report.changes);
  if (report.artifacts?.why !== undefined) {
    const why = report.artifacts.why.slice(0, MESSAGE_CHARS_MAX);
    clipped.artifacts = { ...report.artifacts, why };
  }
  if (report.windows !== undefined) {
    clipped.windows = report.windows
      .slice(0, USAGE_WINDOWS_MAX)
      .map(({ window, status, ...reset }) => ({
        window: window.slice(0, WINDOW_NAME_CHARS_MAX),
        status: status.slice(0, WINDOW_NAME_CHARS_MAX),
        ...reset,
      }));
  }
  return clipped;
}

function clipChanges(changes: Changes): Changes {
  const clipped = { ...changes };
  if (changes.patch.length > PATCH_CHARS_MAX) {
    clipped.patch = changes.patch.slice(0, PATCH_CHARS_MAX);
    clipped.patchTruncated = true;
  }
  if (changes.byFile !== undefined) {
    clipped.byFile = changes.byFile
      .slice(0, CHANGED_FILES_MAX)
      .map((file) => ({ ...file, path: file.path.slice(0, ARTIFACT_NAME_CHARS_MAX) }));
  }
  return clipped;
}

/** An outcome whose message fits. */
export function clipOutcome(outcome: Outcome): Outcome {
  if (outcome.kind !== "failed") return outcome;
  return { ...outcome, message: outcome.message.slice(0, MESSAGE_CHARS_MAX) };
}

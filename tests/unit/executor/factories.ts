import type { Assignment, HeldAttempt } from "../../../convex/protocol/executor.js";
import type { Logger } from "../../../executor/logger.js";

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Ids are opaque text to an executor; only the backend's types brand them. */
export const aJobId = (text = "job1"): Assignment["jobId"] => text as Assignment["jobId"];

export function aHeld(more: Partial<HeldAttempt> = {}): HeldAttempt {
  return { jobId: aJobId(), token: 1, ...more };
}

export function anAssignment(more: Partial<Assignment> = {}): Assignment {
  return {
    jobId: aJobId(),
    attempt: 1,
    token: 1,
    started: false,
    cancelRequested: false,
    ...more,
  };
}

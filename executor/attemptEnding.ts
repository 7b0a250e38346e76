import type { Stop } from "../convex/protocol/budget.js";
import type { Work } from "../convex/protocol/executor.js";
import type { AttemptReport, FailureReason, Outcome } from "../convex/protocol/job.js";
import { MESSAGE_CHARS_MAX } from "../convex/protocol/limits.js";
import { BackendError } from "./backend.js";
import { cap } from "./claude/stream.js";
import type { Redactor } from "./redact.js";

/** Why an attempt is stopped from outside; the first one counts. */
export type StopReason =
  /** A person asked for it. */
  | "cancel"
  /** This executor is going down. */
  | "shutdown"
  /** The job's own bound. */
  | "timeout"
  /** The trust deadline passed: the backend may have given the job away. */
  | "leaseLost"
  /** Its files are more than a workspace may hold. */
  | "quota"
  /** It has crossed a line of spending: its job's, or a budget's. */
  | Stop
  /** The token is stale: stop, and report nothing. */
  | "abandon";

/** The outcome that a stop asks for. */
function outcomeOf(reason: StopReason): Outcome {
  switch (reason) {
    case "cancel":
      return { kind: "canceled" };
    case "shutdown":
      return { kind: "interrupted", reason: "shutdown" };
    case "timeout":
      return failed("timedOut", "The attempt took longer than its job allows.");
    case "quota":
      return failed(
        "workspaceTooLarge",
        "It was stopped: its files took more room than this executor's WORKSPACE_MB_MAX allows.",
      );
    case "maxBudget":
      return failed("maxBudget", "It was stopped: it has cost what its job may.");
    case "budget":
      return failed(
        "budget",
        "It was stopped: it has cost what was set aside, and a budget is used up.",
      );
    case "leaseLost":
    case "abandon":
      return failed("leaseExpired", "The executor could not renew its lease in time.");
  }
}

/** The outcome that the first stop of an attempt asks for; undefined: nobody stopped it. */
export function stoppedOutcome(signal: AbortSignal): Outcome | undefined {
  if (!signal.aborted) return undefined;
  // Only an attempt's `stop` aborts it, always with a StopReason.
  return outcomeOf(signal.reason as StopReason);
}

/** Whether a call was refused because the attempt is no longer ours. */
export function isStale(error: unknown): boolean {
  return error instanceof BackendError && error.code === "STALE_LEASE";
}

export function failed(reason: FailureReason, message: string): Outcome {
  return { kind: "failed", reason, message: cap(message, MESSAGE_CHARS_MAX) };
}

export function redactOutcome(outcome: Outcome, redactor: Redactor): Outcome {
  if (outcome.kind === "asked") {
    const { toolUseId, tool, input } = outcome.call;
    return { ...outcome, call: { toolUseId, tool, input: redactor.text(input) } };
  }
  if (outcome.kind !== "failed") return outcome;
  return { ...outcome, message: redactor.text(outcome.message) };
}

/** A report with no secret in any of its texts; a patch is clean already. */
export function redactReport(report: AttemptReport, redactor: Redactor): AttemptReport {
  const { result, structuredOutput, denied, deferred } = report;
  return {
    ...report,
    ...(result === undefined ? {} : { result: redactor.text(result) }),
    ...(structuredOutput === undefined
      ? {}
      : { structuredOutput: redactor.text(structuredOutput) }),
    ...(denied === undefined ? {} : { denied: denied.map((call) => redactor.text(call)) }),
    ...(deferred === undefined ? {} : { deferred: redactor.text(deferred) }),
  };
}

/** What an attempt works on, in words. */
export function describe({ repository, ref }: Pick<Work, "repository" | "ref">): string {
  const { kind } = repository;
  if (kind === "local") return `${repository.path} at ${ref}`;
  return `${repository.host}/${repository.owner}/${repository.name} at ${ref}`;
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

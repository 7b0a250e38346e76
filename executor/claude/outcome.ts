import type { AttemptReport, FailureReason, Outcome } from "../../convex/protocol/job.js";
import type { UsageLimit, UsageWindow } from "../../convex/protocol/credential.js";
import {
  DENIALS_SHOWN_MAX,
  MESSAGE_CHARS_MAX,
  QUESTION_INPUT_CHARS_MAX,
  RESULT_CHARS_MAX,
  USAGE_WINDOWS_MAX,
} from "../../convex/protocol/limits.js";
import type { CliRun } from "./process.js";
import { cap, type ClaudeEvent, type CliResult, toIso } from "./stream.js";
import { type CliUsage, laterUsage, NO_USAGE } from "./usage.js";

/** What the events of one run add up to. Pure: a new value for each event. */
export type Facts = Readonly<{
  model: string | undefined;
  sessionId: string | undefined;
  /** Code on the last answer of the main conversation that was an error. */
  error: string | undefined;
  /** The account's limit is used up, until then if it is known. */
  rejectedLimit: UsageLimit | undefined;
  /** The last word on each window of usage. */
  windows: readonly UsageWindow[];
  /** The last one counts: its sums run over the whole process. */
  result: CliResult | undefined;
  /** What the CLI answered last when it was asked; a run that is killed has no other account. */
  usage: CliUsage;
}>;

export const NO_FACTS: Facts = {
  model: undefined,
  sessionId: undefined,
  error: undefined,
  rejectedLimit: undefined,
  windows: [],
  result: undefined,
  usage: NO_USAGE,
};

export function observe(facts: Facts, event: ClaudeEvent): Facts {
  switch (event.type) {
    case "init":
      return { ...facts, model: event.model, sessionId: event.sessionId };
    case "assistant":
      return event.isSubagent ? facts : { ...facts, error: event.error };
    case "rateLimit": {
      const { limit: window, status, resetsAtMs } = event;
      const reset = resetsAtMs === undefined ? {} : { resetsAt: resetsAtMs };
      const others = facts.windows.filter((each) => each.window !== window);
      return {
        ...facts,
        rejectedLimit: status === "rejected" ? { window, ...reset } : undefined,
        windows: [...others, { window, status, ...reset }].slice(-USAGE_WINDOWS_MAX),
      };
    }
    case "result": {
      // One a turn: the sums run over the process, the count of turns does not.
      const turns = (facts.result?.turns ?? 0) + event.result.turns;
      return { ...facts, result: { ...event.result, turns } };
    }
    case "toolResults":
    case "apiRetry":
    case "modelFallback":
    case "other":
    case "unreadable":
      return facts;
  }
}

/**
 * How a run that nobody stopped ended. `result.subtype` is "success" for API errors and exit code 0
 * does not mean that work was done; so the order is: our own bounds, the result's `is_error`, the
 * error code of the last answer, the HTTP status, and only then the exit code.
 */
export function classify(
  run: CliRun,
  facts: Facts,
  { needsOutput } = { needsOutput: false },
): Outcome {
  if (run.isOutputTooLarge) {
    return failed("outputTooLarge", "The CLI wrote more output than one attempt may.");
  }
  const { result } = facts;
  if (run.isStalled) {
    return failed("stalled", "The CLI said nothing and answered nothing, and was ended.");
  }
  if (result === undefined) return classifyWithoutResult(run);
  if (run.isStopAsked && CUT_SHORT.has(result.terminalReason ?? "")) return { kind: "stopped" };
  if (!result.isError) return classifyCompleted(result, needsOutput);
  const reason = reasonOf(result, facts);
  const outcome = failed(reason, messageOf(reason, result, facts));
  return reason === "usageLimit" ? { ...outcome, limit: facts.rejectedLimit ?? {} } : outcome;
}

/** The part of the report that the CLI itself accounts for. */
export function reportOf(run: CliRun, facts: Facts): AttemptReport {
  const { result, model } = facts;
  const sessionId = result?.sessionId ?? facts.sessionId;
  const report: AttemptReport = {
    ...laterUsage(facts.usage, result?.usage ?? NO_USAGE),
    ...(result === undefined ? { turns: 0, permissionDenials: 0 } : toldBy(result)),
  };
  if (facts.windows.length > 0) report.windows = [...facts.windows];
  if (model !== undefined) report.model = model;
  if (sessionId !== undefined) report.sessionId = sessionId;
  if (run.exit.kind === "exited") report.exitCode = run.exit.code;
  if (run.exit.kind === "signaled") report.signal = run.exit.signal;
  return report;
}

/** What the result says besides its cost. */
function toldBy(result: CliResult) {
  const { turns, text, denied, deferred, structuredOutput } = result;
  return {
    turns,
    result: cap(text, RESULT_CHARS_MAX),
    permissionDenials: denied.length,
    ...(denied.length === 0 ? {} : { denied: denied.slice(0, DENIALS_SHOWN_MAX) }),
    ...(deferred === undefined ? {} : { deferred }),
    ...(structuredOutput === undefined
      ? {}
      : { structuredOutput: cap(structuredOutput, RESULT_CHARS_MAX) }),
  };
}

function classifyWithoutResult(run: CliRun): Outcome {
  const { exit } = run;
  const said = run.stderr.trim() === "" ? "" : ` It said: ${run.stderr.trim()}`;
  switch (exit.kind) {
    case "missing":
      return failed("cliMissing", `The claude binary cannot be run: ${exit.message}`);
    case "notSpawned":
      return failed("internal", `The claude process could not be made: ${exit.message}`);
    case "signaled":
      return failed("cliKilled", `The CLI was killed by ${exit.signal}.${said}`);
    case "exited":
      break;
  }
  if (/ENOSPC|No space left on device/.test(run.stderr)) {
    return failed("diskFull", `The executor's disk is full.${said}`);
  }
  // 128 + signal: the CLI caught the signal and left by itself.
  if (exit.code > 128) {
    return failed("cliKilled", `The CLI was ended by signal ${exit.code - 128}.${said}`);
  }
  if (exit.code === 0) return failed("noResult", `The CLI ended without a result.${said}`);
  return failed("cliError", `The CLI ended with exit code ${exit.code} and no result.${said}`);
}

/** How a turn ends that a person had end: with its hook's word, or in the middle. */
const CUT_SHORT: ReadonlySet<string> = new Set([
  ...["hook_stopped", "aborted_tools", "aborted_streaming"],
]);

function classifyCompleted(result: CliResult, needsOutput: boolean): Outcome {
  const { asked } = result;
  if (asked !== undefined && result.terminalReason === "tool_deferred") {
    const input = cap(JSON.stringify(asked.input ?? null), QUESTION_INPUT_CHARS_MAX);
    return { kind: "asked", call: { toolUseId: asked.id, tool: asked.name, input } };
  }
  if (result.turns === 0) {
    return failed("noResult", `The CLI took no turn. It said: ${result.text}`);
  }
  if (result.subtype === "success" && result.terminalReason === "completed") {
    if (!needsOutput || result.structuredOutput !== undefined) return { kind: "succeeded" };
    const what = "The run ended without the structured output that the job asks for.";
    return failed("noStructuredOutput", `${what} It said: ${result.text}`);
  }
  return failed("cliError", `The run ended early: ${result.terminalReason ?? result.subtype}.`);
}

/** Codes of `assistant.error` that decide by themselves. */
const REASON_OF_ERROR: Readonly<Record<string, FailureReason>> = {
  authentication_failed: "cliAuth",
  oauth_org_not_allowed: "cliAuth",
  billing_error: "usageLimit",
  overloaded: "apiError",
  server_error: "apiError",
  invalid_request: "apiRejected",
  model_not_found: "apiRejected",
  max_output_tokens: "apiRejected",
};
const REASON_OF_SUBTYPE: Readonly<Record<string, FailureReason>> = {
  error_max_turns: "maxTurns",
  error_max_budget_usd: "maxBudget",
  error_max_structured_output_retries: "noStructuredOutput",
};
/** The only case that the CLI tells by words alone: an account's spending limit. */
const SPENDING_LIMIT = /reached your specified API usage limits/i;

function reasonOf(result: CliResult, facts: Facts): FailureReason {
  const bySubtype = REASON_OF_SUBTYPE[result.subtype];
  if (bySubtype !== undefined) return bySubtype;
  if (facts.error === "rate_limit" || result.apiErrorStatus === 429) {
    // Without a time of reset it is a passing throttle, as with API keys: the credential rests a little.
    return "usageLimit";
  }
  const byError = facts.error === undefined ? undefined : REASON_OF_ERROR[facts.error];
  return byError ?? reasonOfStatus(result);
}

function reasonOfStatus(result: CliResult): FailureReason {
  const status = result.apiErrorStatus;
  if (status === undefined) return "cliError";
  if (status === 401 || status === 403) return "cliAuth";
  if (status >= 500) return "apiError";
  return SPENDING_LIMIT.test(result.text) ? "usageLimit" : "apiRejected";
}

function messageOf(reason: FailureReason, result: CliResult, facts: Facts): string {
  const said = result.text === "" ? result.subtype : result.text;
  const resetsAt = facts.rejectedLimit?.resetsAt;
  if (reason !== "usageLimit" || resetsAt === undefined) return said;
  return `${said} (the limit ends at ${toIso(resetsAt)})`;
}

function failed(reason: FailureReason, message: string): Extract<Outcome, { kind: "failed" }> {
  return { kind: "failed", reason, message: cap(message, MESSAGE_CHARS_MAX) };
}

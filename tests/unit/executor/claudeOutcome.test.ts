import { describe, expect, it } from "vitest";
import { classify, NO_FACTS, observe, reportOf } from "../../../executor/claude/outcome.js";
import type { CliRun } from "../../../executor/claude/process.js";
import { parseLine } from "../../../executor/claude/stream.js";

function aRun(more: Partial<CliRun> = {}): CliRun {
  return {
    exit: { kind: "exited", code: 0 },
    stderr: "",
    isOutputTooLarge: false,
    isStalled: false,
    isStopAsked: false,
    droppedLines: 0,
    sweptProcesses: 0,
    isClean: true,
    ...more,
  };
}
const exited = (code: number): CliRun => aRun({ exit: { kind: "exited", code } });
const factsOf = (...events: object[]) =>
  events.map((event) => parseLine(JSON.stringify(event))).reduce(observe, NO_FACTS);

const done = {
  type: "result",
  subtype: "success",
  is_error: false,
  terminal_reason: "completed",
  num_turns: 2,
  result: "Done.",
};
const apiError = (status: number | null, text = "API Error") => ({
  ...done,
  is_error: true,
  api_error_status: status,
  result: text,
  num_turns: 1,
});
const answer = (error: string) => ({
  type: "assistant",
  error,
  message: { content: [{ type: "text", text: "x" }] },
});
const limit = (resetsAt?: number) => ({
  type: "rate_limit_event",
  rate_limit_info: {
    status: "rejected",
    rateLimitType: "five_hour",
    ...(resetsAt === undefined ? {} : { resetsAt }),
  },
});

describe("exit and events → outcome", () => {
  it("success → succeeded", () => {
    expect(classify(exited(0), factsOf(done))).toEqual({ kind: "succeeded" });
  });

  it("a call put off → asked, with what was to be called", () => {
    const facts = factsOf({
      ...{ ...done, terminal_reason: "tool_deferred", result: "" },
      deferred_tool_use: { id: "t1", name: "Bash", input: { command: "git push" } },
    });
    expect(classify(exited(0), facts)).toEqual({
      kind: "asked",
      call: { toolUseId: "t1", tool: "Bash", input: '{"command":"git push"}' },
    });
  });

  it.each(["hook_stopped", "aborted_tools", "aborted_streaming"])(
    "ended by %s because a person asked → stopped, and else not",
    (reason) => {
      const isError = reason !== "hook_stopped";
      const facts = factsOf({ ...done, is_error: isError, terminal_reason: reason });
      expect(classify(aRun({ isStopAsked: true }), facts)).toEqual({ kind: "stopped" });
      expect(classify(aRun(), facts)).toMatchObject({ kind: "failed" });
      expect(classify(aRun({ isStopAsked: true }), factsOf(done))).toEqual({ kind: "succeeded" });
    },
  );

  it("denied tools → succeeded, with their number in the report", () => {
    const facts = factsOf({ ...done, permission_denials: [{ tool_name: "Bash" }, {}] });
    expect(classify(exited(0), facts)).toEqual({ kind: "succeeded" });
    expect(reportOf(exited(0), facts).permissionDenials).toBe(2);
  });

  const rows: [string, CliRun, object[], string][] = [
    ["deferred by a hook", exited(0), [{ ...done, terminal_reason: "tool_deferred" }], "cliError"],
    [
      "--max-turns",
      exited(1),
      [
        {
          type: "result",
          subtype: "error_max_turns",
          is_error: true,
          terminal_reason: "max_turns",
          errors: ["Reached maximum number of turns (3)"],
        },
      ],
      "maxTurns",
    ],
    [
      "budget",
      exited(1),
      [
        {
          type: "result",
          subtype: "error_max_budget_usd",
          is_error: true,
          errors: ["Reached maximum budget ($1)"],
        },
      ],
      "maxBudget",
    ],
    [
      "no credentials",
      exited(1),
      [answer("authentication_failed"), apiError(null, "Not logged in · Please run /login")],
      "cliAuth",
    ],
    [
      "401 with an API key",
      exited(1),
      [answer("authentication_failed"), apiError(401, "Invalid API key")],
      "cliAuth",
    ],
    [
      "401 with a login, refresh fails",
      exited(1),
      [answer("authentication_failed"), apiError(null, "Not logged in")],
      "cliAuth",
    ],
    [
      "401 with a login, nothing to refresh with",
      exited(1),
      [answer("authentication_failed"), apiError(401)],
      "cliAuth",
    ],
    ["401 without a code", exited(1), [apiError(401)], "cliAuth"],
    ["403", exited(1), [answer("authentication_failed"), apiError(403)], "cliAuth"],
    [
      "login of a refused organization",
      exited(1),
      [answer("oauth_org_not_allowed"), apiError(403)],
      "cliAuth",
    ],
    [
      "400 credit balance",
      exited(1),
      [answer("billing_error"), apiError(400, "Credit balance is too low")],
      "usageLimit",
    ],
    [
      "400 spending limit",
      exited(1),
      [
        answer("unknown"),
        apiError(400, "API Error: 400 You have reached your specified API usage limits."),
      ],
      "usageLimit",
    ],
    ["400 other", exited(1), [answer("unknown"), apiError(400)], "apiRejected"],
    [
      "prompt too long",
      exited(1),
      [answer("invalid_request"), { ...apiError(400), terminal_reason: "prompt_too_long" }],
      "apiRejected",
    ],
    ["413", exited(1), [answer("invalid_request"), apiError(413)], "apiRejected"],
    ["404 model", exited(1), [answer("model_not_found"), apiError(404)], "apiRejected"],
    ["refusal", exited(1), [answer("invalid_request"), apiError(null)], "apiRejected"],
    ["cut at max_tokens", exited(1), [answer("max_output_tokens"), apiError(null)], "apiRejected"],
    [
      "429 of a subscription with a time of reset",
      exited(1),
      [limit(1_800_000_000), answer("rate_limit"), apiError(429, "You've hit your session limit")],
      "usageLimit",
    ],
    [
      "429 of a subscription without one",
      exited(1),
      [limit(), answer("rate_limit"), apiError(429)],
      "usageLimit",
    ],
    ["429 with an API key", exited(1), [answer("rate_limit"), apiError(429)], "usageLimit"],
    ["500", exited(1), [answer("server_error"), apiError(500)], "apiError"],
    ["529", exited(1), [answer("overloaded"), apiError(529)], "apiError"],
    ["529 without a code", exited(1), [apiError(529)], "apiError"],
    [
      "refused connection",
      exited(1),
      [answer("server_error"), apiError(null, "Unable to connect to API")],
      "apiError",
    ],
    [
      "time-out of a request",
      exited(1),
      [answer("server_error"), apiError(null, "Request timed out")],
      "apiError",
    ],
    [
      "interrupted by somebody else",
      exited(1),
      [
        {
          type: "result",
          subtype: "error_during_execution",
          is_error: true,
          terminal_reason: "aborted_tools",
          errors: ["x"],
        },
      ],
      "cliError",
    ],
    [
      "structured output never valid",
      exited(1),
      [{ type: "result", subtype: "error_max_structured_output_retries", is_error: true }],
      "noStructuredOutput",
    ],
    [
      "an unknown slash command",
      exited(0),
      [{ ...done, num_turns: 0, terminal_reason: undefined, result: "Unknown command" }],
      "noResult",
    ],
    ["SIGINT while waiting for the model", exited(0), [], "noResult"],
    ["a prompt of spaces only", exited(0), [], "noResult"],
    ["SIGTERM", exited(143), [], "cliKilled"],
    ["SIGHUP", exited(129), [], "cliKilled"],
    ["SIGKILL", aRun({ exit: { kind: "signaled", signal: "SIGKILL" } }), [], "cliKilled"],
    ["no prompt", exited(1), [], "cliError"],
    [
      "a usage error",
      aRun({ exit: { kind: "exited", code: 1 }, stderr: "error: unknown option" }),
      [],
      "cliError",
    ],
    [
      "a full disk",
      aRun({ exit: { kind: "exited", code: 1 }, stderr: "ENOSPC: no space left on device" }),
      [],
      "diskFull",
    ],
    ["no binary", aRun({ exit: { kind: "missing", message: "ENOENT" } }), [], "cliMissing"],
    [
      "no process to be had",
      aRun({ exit: { kind: "notSpawned", message: "EAGAIN" } }),
      [],
      "internal",
    ],
    [
      "a missing working directory",
      aRun({ exit: { kind: "notSpawned", message: "ENOENT" } }),
      [],
      "internal",
    ],
    ["endless output", aRun({ isOutputTooLarge: true }), [done], "outputTooLarge"],
    ["no sign of life", aRun({ isStalled: true }), [], "stalled"],
  ];
  it.each(rows)("%s", (...[, run, events, reason]) => {
    expect(classify(run, factsOf(...events))).toMatchObject({ kind: "failed", reason });
  });

  it("not a git directory, or one of another owner → succeeded: the CLI does not mind", () => {
    expect(classify(exited(0), factsOf(done))).toEqual({ kind: "succeeded" });
  });

  it("an error of an earlier answer does not count once a later one is good", () => {
    const facts = factsOf(
      answer("server_error"),
      { type: "assistant", message: { content: [] } },
      done,
    );
    expect(classify(exited(0), facts)).toEqual({ kind: "succeeded" });
  });

  it("an error inside a subagent is not the run's", () => {
    const inner = { ...answer("rate_limit"), parent_tool_use_id: "t1" };
    expect(factsOf(inner).error).toBeUndefined();
  });

  it("names the end of a usage limit", () => {
    const facts = factsOf(
      limit(1_800_000_000),
      answer("rate_limit"),
      apiError(429, "hit your limit"),
    );
    expect(classify(exited(1), facts)).toMatchObject({
      message: "hit your limit (the limit ends at 2027-01-15T08:00:00.000Z)",
    });
  });

  it("says what the CLI said when it died without a result", () => {
    const run = aRun({ exit: { kind: "exited", code: 1 }, stderr: "error: bad flag\n" });
    expect(classify(run, NO_FACTS)).toMatchObject({
      message: "The CLI ended with exit code 1 and no result. It said: error: bad flag",
    });
  });
});

describe("exit and events → report", () => {
  it("counts tokens of every model, subagents included, from the last result; turns from all", () => {
    const usage = {
      inputTokens: 10,
      outputTokens: 1,
      cacheReadInputTokens: 5,
      cacheCreationInputTokens: 2,
    };
    const facts = factsOf(
      { type: "system", subtype: "init", session_id: "s1", model: "big" },
      { ...done, total_cost_usd: 9, modelUsage: { big: usage } },
      { ...done, num_turns: 4, total_cost_usd: 0.5, modelUsage: { big: usage, small: usage } },
    );
    expect(reportOf(exited(0), facts)).toEqual({
      result: "Done.",
      costUsd: 0.5,
      tokens: { input: 20, output: 2, cacheRead: 10, cacheCreation: 4 },
      turns: 6,
      model: "big",
      sessionId: "s1",
      exitCode: 0,
      permissionDenials: 0,
    });
  });

  it("is empty but for the signal when there was no result", () => {
    const run = aRun({ exit: { kind: "signaled", signal: "SIGKILL" } });
    expect(reportOf(run, NO_FACTS)).toEqual({
      costUsd: 0,
      tokens: { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 },
      turns: 0,
      permissionDenials: 0,
      signal: "SIGKILL",
    });
  });
});

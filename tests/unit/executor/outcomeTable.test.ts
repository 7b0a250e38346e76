/** The table of outcomes, a test a row, over what the pinned CLI did: `npm run record:streams`. */
import { describe, expect, it } from "vitest";
import { POLICIES } from "../../../convex/domain/retry.js";
import type { FailureReason } from "../../../convex/protocol/job.js";
import { classify, NO_FACTS, observe, reportOf } from "../../../executor/claude/outcome.js";
import { parseLine } from "../../../executor/claude/stream.js";
import { recordings } from "../../support/recordings.js";
import { RESETS_AT_S, SCENARIOS } from "../../support/streamScenarios.js";

const recorded = recordings();

function replay(name: string) {
  const recording = recorded[name];
  if (recording === undefined) throw new Error(`${name} was not recorded`);
  const run = {
    ...recording.run,
    ...{ isOutputTooLarge: false, isStalled: false, droppedLines: 0, sweptProcesses: 0 },
    isClean: true,
  };
  const lines = recording.events.map((event) => parseLine(JSON.stringify(event)));
  const facts = lines.reduce(observe, NO_FACTS);
  const needsOutput = SCENARIOS[name]?.outputSchema !== undefined;
  return { outcome: classify(run, facts, { needsOutput }), report: reportOf(run, facts) };
}

/** What the queue does with a reason. */
function decision(reason: FailureReason): "fail" | "hold" | "unhealthy" | "retry" {
  const { retryable, parks, isExecutorUnhealthy } = POLICIES[reason];
  if (!retryable) return "fail";
  if (parks) return "hold";
  return isExecutorUnhealthy ? "unhealthy" : "retry";
}

const SUCCEEDED = [
  "success",
  "tools denied",
  "structured output",
  "a prompt like a command",
  "not a git directory",
  // Over stdin it is a message like any other; the queue takes no such job.
  "prompt of whitespace only",
];
const FAILED: [string, FailureReason, ReturnType<typeof decision>, RegExp][] = [
  ["--max-turns", "maxTurns", "fail", /maximum number of turns \(1\)/],
  ["budget", "maxBudget", "fail", /maximum budget \(\$0\.1\)/],
  ["structured output that never comes", "noStructuredOutput", "retry", /without.*It said: 42/],
  ["structured output that is never valid", "noStructuredOutput", "retry", /after 5 attempts/],
  ["no credentials", "cliAuth", "unhealthy", /Not logged in/],
  ["401 API key", "cliAuth", "unhealthy", /Invalid API key/],
  ["401 OAuth, nothing to refresh with", "cliAuth", "unhealthy", /Failed to authenticate/],
  ["403", "cliAuth", "unhealthy", /Failed to authenticate/],
  ["400 credit balance", "usageLimit", "hold", /Credit balance is too low/],
  ["400 spend limit text", "usageLimit", "hold", /specified API usage limits/],
  ["400 other", "apiRejected", "fail", /something is wrong/],
  ["prompt too long", "apiRejected", "fail", /too long/i],
  ["413", "apiRejected", "fail", /too large/i],
  ["404 model", "apiRejected", "fail", /model/],
  ["refusal", "apiRejected", "fail", /Usage Policy/],
  ["max_tokens cut", "apiRejected", "fail", /output token maximum/],
  ["429, subscription, with its reset", "usageLimit", "hold", /the limit ends at 2096-10-02/],
  ["429, subscription, without", "usageLimit", "hold", /temporarily limiting requests/],
  ["429, API key", "usageLimit", "hold", /429/],
  ["500", "apiError", "retry", /500/],
  ["529", "apiError", "retry", /529|overloaded/i],
  ["refused connection", "apiError", "retry", /Unable to connect/],
  ["cut stream", "apiError", "retry", /API Error/],
  ["time-out", "apiError", "retry", /timed out/i],
  ["SIGINT during a tool", "noResult", "retry", /without a result/],
  ["SIGINT while waiting for the model", "noResult", "retry", /without a result/],
  ["SIGTERM", "cliKilled", "retry", /signal 15/],
  ["SIGHUP", "cliKilled", "retry", /signal 1\./],
  ["SIGKILL", "cliKilled", "retry", /SIGKILL/],
  ["missing cwd", "internal", "retry", /could not be made/],
  ["no binary", "cliMissing", "unhealthy", /cannot be run/],
];

describe("the real CLI's stream → outcome", () => {
  it("deferred by hook → asked, with the call that waits", () => {
    expect(replay("deferred by hook").outcome).toMatchObject({
      kind: "asked",
      call: { tool: expect.any(String) as string },
    });
  });

  it.each(SUCCEEDED)("%s → done", (name) => {
    expect(replay(name).outcome).toEqual({ kind: "succeeded" });
  });

  it.each(FAILED)("%s → %s: %s", (...[name, reason, what, message]) => {
    const { outcome } = replay(name);
    expect(outcome).toMatchObject({ kind: "failed", reason });
    expect(outcome).toHaveProperty("message", expect.stringMatching(message));
    expect(decision(reason)).toBe(what);
  });

  it("each scenario has its row, and is recorded", () => {
    const rows = ["deferred by hook", ...SUCCEEDED, ...FAILED.map(([name]) => name)].sort();
    expect(Object.keys(SCENARIOS).sort()).toEqual(rows);
    expect(Object.keys(recorded).sort()).toEqual(rows);
  });
});

describe("the real CLI's stream → what people see of it", () => {
  it("tools denied are named and counted", () => {
    const { permissionDenials, denied } = replay("tools denied").report;
    expect([permissionDenials, denied]).toEqual([1, ["Bash rm -rf build"]]);
  });

  it("a call that was put off is named", () => {
    expect(replay("deferred by hook").report.deferred).toBe("Bash git push");
  });

  it("structured output is handed out as JSON", () => {
    expect(replay("structured output").report.structuredOutput).toBe('{"answer":"42"}');
  });

  it("cost and tokens are those of all models", () => {
    const { costUsd, tokens, turns } = replay("success").report;
    expect(costUsd).toBeGreaterThan(0);
    expect(tokens).toEqual({ input: 2_000, output: 200, cacheRead: 0, cacheCreation: 0 });
    expect(turns).toBe(2);
  });

  it("a usage limit tells its window and its reset to the second", () => {
    const { outcome, report } = replay("429, subscription, with its reset");
    const resetsAt = RESETS_AT_S * 1_000;
    expect(outcome).toMatchObject({ limit: { window: "five_hour", resetsAt } });
    expect(report.windows).toMatchObject([{ window: "five_hour", status: "rejected", resetsAt }]);
  });
});

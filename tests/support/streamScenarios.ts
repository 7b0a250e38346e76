/**
 * The rows of the table of outcomes that a run of the executor can come to, each as what has to be
 * arranged for it with the real CLI and a scripted API.
 */
import type { Fault, Script, Step } from "../../cli/demo/messagesScript.js";
import type { ToolCall, Verdict } from "../../executor/claude/control.js";

export type Scenario = {
  script?: Script;
  /** How the CLI logs in; an API key unless told. */
  login?: "subscription" | "none";
  prompt?: string;
  limits?: { maxTurns?: number; maxBudgetUsd?: number };
  outputSchema?: string;
  /** More arguments and variables. */
  args?: string[];
  env?: Record<string, string>;
  judge?: (call: ToolCall) => Verdict;
  /** What is done to the process once the API has been asked at the gate "now", or the tool runs. */
  signal?: NodeJS.Signals;
  when?: "model" | "tool";
  /** Nobody listens where the API should be. */
  hasNoApi?: boolean;
  /** The folder it is to run in is gone; there is no such program. */
  isFolderGone?: boolean;
  isProgramGone?: boolean;
};

/** Seconds; far enough ahead that nobody sees it pass. */
export const RESETS_AT_S = 4_000_000_000;

const bash = (command: string) => ({ name: "Bash", input: { command, description: "Work" } });
const steps = (...list: Step[]): Script => ({ steps: list });
const always = (fault: Fault): Script => steps({ faults: [{ ...fault, times: 1_000 }], text: "x" });
type HttpFault = Extract<Fault, { kind: "http" }>;
const http = (status: number, type: string, message: string): HttpFault => ({
  ...{ kind: "http", status, type, message },
});
const invalid = (message: string): Script => always(http(400, "invalid_request_error", message));
const usedUp = {
  "anthropic-ratelimit-unified-status": "rejected",
  "anthropic-ratelimit-unified-reset": String(RESETS_AT_S),
  "anthropic-ratelimit-unified-representative-claim": "five_hour",
  "anthropic-ratelimit-unified-5h-status": "rejected",
  "anthropic-ratelimit-unified-5h-reset": String(RESETS_AT_S),
};
const tooMany = "This request would exceed your account's rate limit. Please try again later.";
const schema = JSON.stringify({
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
});
const output = (input: Record<string, unknown>) => ({ name: "StructuredOutput", input });
const running = steps({ tools: [bash("sleep 86400")] }, { text: "x" });
const thinking = steps({ text: "x", gate: "now" });

export const SCENARIOS: Record<string, Scenario> = {
  success: { script: steps({ tools: [bash("true")] }, { text: "Done." }) },
  "tools denied": {
    script: steps({ tools: [bash("rm -rf build")] }, { text: "I may not." }),
    args: ["--settings", JSON.stringify({ permissions: { deny: ["Bash(rm:*)"] } })],
  },
  "deferred by hook": {
    script: steps({ tools: [bash("git push")] }, { text: "x" }),
    judge: () => ({ kind: "defer" }),
  },
  "--max-turns": {
    script: steps({ tools: [bash("true")] }, { tools: [bash("true")] }, { text: "x" }),
    limits: { maxTurns: 1 },
  },
  budget: {
    script: steps({ tools: [bash("true")], usage: { input_tokens: 100_000 } }, { text: "x" }),
    limits: { maxBudgetUsd: 0.1 },
  },
  "structured output": {
    script: steps({ tools: [output({ answer: "42" })] }, { text: "Done." }),
    outputSchema: schema,
  },
  "structured output that never comes": {
    script: steps({ text: "42" }, { text: "42" }, { text: "42" }),
    outputSchema: schema,
  },
  "structured output that is never valid": {
    script: steps(...Array.from({ length: 9 }, () => ({ tools: [output({ reply: 42 })] }))),
    outputSchema: schema,
  },
  "no credentials": { login: "none", script: thinking },
  "401 API key": { script: always(http(401, "authentication_error", "invalid x-api-key")) },
  "401 OAuth, nothing to refresh with": {
    login: "subscription",
    script: always(http(401, "authentication_error", "OAuth authentication is invalid")),
  },
  "403": { script: always(http(403, "permission_error", "Your account may not use this")) },
  "400 credit balance": {
    script: invalid("Your credit balance is too low to access the Anthropic API."),
  },
  "400 spend limit text": {
    script: invalid("You have reached your specified API usage limits. Access returns on the 1st."),
  },
  "400 other": { script: invalid("messages.0: something is wrong") },
  "prompt too long": { script: invalid("prompt is too long: 210000 tokens > 200000 maximum") },
  "413": { script: always(http(413, "request_too_large", "Request exceeds the maximum size")) },
  "404 model": { script: always(http(404, "not_found_error", "model: claude-none")) },
  refusal: { script: steps({ text: "", stopReason: "refusal" }) },
  "max_tokens cut": {
    script: steps(
      ...Array.from({ length: 9 }, (): Step => ({ text: "cut", stopReason: "max_tokens" })),
    ),
  },
  "429, subscription, with its reset": {
    login: "subscription",
    script: always({ ...http(429, "rate_limit_error", tooMany), headers: usedUp }),
  },
  "429, subscription, without": {
    login: "subscription",
    script: always(http(429, "rate_limit_error", "Too many requests")),
  },
  "429, API key": { script: always(http(429, "rate_limit_error", "Too many requests")) },
  "500": { script: always(http(500, "api_error", "Internal server error")) },
  "529": { script: always(http(529, "overloaded_error", "Overloaded")) },
  "refused connection": { hasNoApi: true },
  "cut stream": { script: always({ kind: "disconnect", at: "headers" }) },
  "time-out": {
    script: always({ kind: "hang", at: "connect" }),
    env: { API_TIMEOUT_MS: "1000" },
  },
  "SIGINT during a tool": { script: running, signal: "SIGINT", when: "tool" },
  "SIGINT while waiting for the model": { script: thinking, signal: "SIGINT", when: "model" },
  SIGTERM: { script: running, signal: "SIGTERM", when: "tool" },
  SIGHUP: { script: running, signal: "SIGHUP", when: "tool" },
  SIGKILL: { script: running, signal: "SIGKILL", when: "tool" },
  "prompt of whitespace only": { prompt: "  \n ", script: steps({ text: "x" }) },
  "a prompt like a command": { prompt: "/nothing-like-it", script: steps({ text: "x" }) },
  "missing cwd": { isFolderGone: true },
  "no binary": { isProgramGone: true },
  "not a git directory": { script: steps({ text: "Done." }) },
};

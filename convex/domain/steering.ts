import type { Approval, AskedCall } from "../protocol/steering.js";
import {
  APPROVAL_MS_DEFAULT,
  APPROVAL_MS_MAX,
  APPROVAL_MS_MIN,
  APPROVAL_TOOL_CHARS_MAX,
  APPROVAL_TOOLS_MAX,
  QUESTION_INPUT_CHARS_MAX,
  STEERING_CHARS_MAX,
  TOOL_CHARS_MAX,
} from "../protocol/limits.js";
import { type Checked, passed, quote, refused } from "./checked.js";

/** Checks what a person says to a run: some text, within the bound. */
export function checkText(text: string): Checked<string> {
  if (text.trim() === "") return refused("The text is empty. Say what the run is to do.");
  if (text.length > STEERING_CHARS_MAX) {
    return refused(
      `The text has ${text.length} characters; at most ${STEERING_CHARS_MAX} are allowed. ` +
        "Put long material into the repository and name the file.",
    );
  }
  if (text.includes("\0")) return refused("The text has a NUL character; remove it.");
  return passed(text);
}

const TOOL = /^(?:\*|[A-Za-z_][\w-]*\*?)(?:\([^()\0-\x1f][^\0-\x1f]*\))?$/;

/** Checks which calls of tools of a job wait for a person; no tools is no option. */
export function checkApproval(approval: Approval | undefined): Checked<Approval | undefined> {
  if (approval === undefined || approval.tools.length === 0) return passed(undefined);
  const { tools, answerMs } = approval;
  if (tools.length > APPROVAL_TOOLS_MAX) {
    return refused(`approval names ${tools.length} tools; at most ${APPROVAL_TOOLS_MAX}.`);
  }
  const bad = tools.find((tool) => tool.length > APPROVAL_TOOL_CHARS_MAX || !TOOL.test(tool));
  if (bad !== undefined) {
    return refused(
      `approval names ${quote(bad)}; it must be a tool, or a tool and what its call looks like: Bash, Write, Bash(git push*), *.`,
    );
  }
  const isTime =
    answerMs === undefined ||
    (Number.isInteger(answerMs) && answerMs >= APPROVAL_MS_MIN && answerMs <= APPROVAL_MS_MAX);
  if (!isTime) {
    return refused(
      `approval.answerMs is ${answerMs}; it must be a whole number from ${APPROVAL_MS_MIN} to ${APPROVAL_MS_MAX}.`,
    );
  }
  return passed({ ...approval, tools: [...new Set(tools)] });
}

/** When a question that is asked now is refused for want of an answer. */
export function questionDeadline(askedAt: number, approval: Approval | undefined): number {
  return askedAt + (approval?.answerMs ?? APPROVAL_MS_DEFAULT);
}

/** A call as an executor told of it, cut to what is kept: the end of an attempt must be told. */
export function clipCall({ toolUseId, tool, input }: AskedCall): AskedCall {
  return {
    toolUseId: toolUseId.slice(0, TOOL_CHARS_MAX),
    tool: tool.slice(0, TOOL_CHARS_MAX),
    input: input.slice(0, QUESTION_INPUT_CHARS_MAX),
  };
}

/** What the model is told about the call it had to wait for. */
export function answerMessage(
  state: "allowed" | "refused" | "expired" | "withdrawn" | "open",
  text: string | undefined,
): string {
  const said = text === undefined ? "" : ` They said: ${text}`;
  switch (state) {
    case "allowed":
      return `A person allowed this call.${said}`;
    case "refused":
      return `A person refused this call.${said}`;
    case "open":
    case "withdrawn":
    case "expired":
      return "Nobody allowed this call in time, so it is refused. Go on without it, or end with what is done.";
  }
}

/** Forms of secrets that name themselves: people paste them by mistake. */
const SECRETS = [
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bf(?:en|ak|rt)_[A-Za-z0-9_-]{20,}/g,
  /\bAKIA[A-Z0-9]{16}\b/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g,
];

/** A text as lists show it. */
export function withoutSecrets(text: string): string {
  return SECRETS.reduce((rest, form) => rest.replaceAll(form, "[redacted]"), text);
}

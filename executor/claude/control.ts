import { type CliUsage, parseUsage } from "./usage.js";

/**
 * The lines that the CLI and whoever runs it exchange over stdin and stdout besides the events: messages
 * of people, requests and their answers. Pure; what each does was measured on the pinned version.
 */

/** Something a person says to the run; `id` is a UUID, by which the CLI tells that it was taken up. */
export type Message = Readonly<{ id: string; text: string }>;

/** A call of a tool that the CLI asks about before it makes it. */
export type ToolCall = Readonly<{ id: string; tool: string; input: unknown }>;

/** What becomes of a call: made, refused with a reason for the model, or put off until a person answered. */
export type Verdict = Readonly<
  { kind: "allow" } | { kind: "refuse"; message: string } | { kind: "defer" }
>;

export type ControlLine =
  /** The CLI is up and answered a request of ours; `usage` if it was asked for that. */
  | { type: "answer"; requestId: string; usage?: CliUsage }
  /** A hook asks before a call, or tells that one has ended. */
  | { type: "hook"; requestId: string; event: "before"; call: ToolCall }
  | { type: "hook"; requestId: string; event: "after" }
  /** The CLI's own question about a call: a hook did not settle it. */
  | { type: "mayUse"; requestId: string; call: ToolCall }
  /** It took up a message of a person. */
  | { type: "taken"; id: string }
  /** A turn began. */
  | { type: "turn" }
  /** A turn has ended; the process waits for the next message. */
  | { type: "result" }
  /** Of the protocol, and nothing to us. */
  | { type: "other" };

const HOOK_BEFORE = "before";
const HOOK_AFTER = "after";

/** Names the hooks whose calls come as lines. Without `asks` none is asked before a call. */
export function initializeLine(requestId: string, { asks }: { asks: boolean }): string {
  const after = [{ hookCallbackIds: [HOOK_AFTER] }];
  const before = [{ matcher: "*", hookCallbackIds: [HOOK_BEFORE] }];
  const hooks = {
    PostToolUse: after,
    PostToolUseFailure: after,
    ...(asks ? { PreToolUse: before } : {}),
  };
  return requestLine(requestId, { subtype: "initialize", hooks });
}

/** Ends the running turn and its tools; the process lives on. */
export function interruptLine(requestId: string): string {
  return requestLine(requestId, { subtype: "interrupt" });
}

/** The cheapest question: answered within milliseconds, also while a tool runs or the model thinks. */
export function probeLine(requestId: string): string {
  return requestLine(requestId, { subtype: "get_binary_version" });
}

/** Asks what the process has cost so far; answered within some 50 ms, also while a tool runs. */
export function usageLine(requestId: string): string {
  return requestLine(requestId, { subtype: "get_usage" });
}

export function messageLine({ id, text }: Message): string {
  return line({ type: "user", message: { role: "user", content: text }, uuid: id });
}

/** The answer to a hook that asks before a call. */
export function verdictLine(requestId: string, verdict: Verdict): string {
  const permissionDecision = verdict.kind === "refuse" ? "deny" : verdict.kind;
  const why = verdict.kind === "refuse" ? { permissionDecisionReason: verdict.message } : {};
  return answerLine(requestId, {
    hookSpecificOutput: { hookEventName: "PreToolUse", permissionDecision, ...why },
  });
}

/** The answer to the CLI's own question, which knows no putting off. */
export function permissionLine(requestId: string, { input }: ToolCall, verdict: Verdict): string {
  if (verdict.kind === "allow")
    return answerLine(requestId, { behavior: "allow", updatedInput: input });
  const message = verdict.kind === "refuse" ? verdict.message : CANNOT_WAIT;
  return answerLine(requestId, { behavior: "deny", message });
}
const CANNOT_WAIT =
  "A person must allow this call, and here it cannot wait for one. Make it in the main conversation, alone.";

/** The answer to a hook that tells of a call's end: go on, or end the run here. */
export function afterLine(requestId: string, isStop: boolean): string {
  return answerLine(
    requestId,
    isStop ? { continue: false, stopReason: "A person ended the run here." } : {},
  );
}

/**
 * What a line of stdout says of the protocol; undefined: it is an event and nothing else. Of `turn`,
 * `taken` and `result` the line is an event too.
 */
export function parseControl(text: string): ControlLine | undefined {
  if (text.startsWith('{"type":"control_')) return parseRequest(text);
  if (text.startsWith('{"type":"result"')) return { type: "result" };
  if (text.startsWith('{"type":"system","subtype":"init"')) return { type: "turn" };
  // Tools may print the same words; the parsed field decides.
  if (!text.includes('"isReplay":true')) return undefined;
  const event = parse(text);
  const id = event["uuid"];
  return event["isReplay"] === true && typeof id === "string" ? { type: "taken", id } : undefined;
}

/** Whether a line of the protocol is an event as well, for who reads events. */
export function isEvent({ type }: ControlLine): boolean {
  return type === "turn" || type === "result";
}

function parseRequest(text: string): ControlLine {
  const event = parse(text);
  if (event["type"] === "control_response") {
    const response = asRecord(event["response"]);
    const session = asRecord(asRecord(response["response"])["session"]);
    const usage = parseUsage({ cost: session["total_cost_usd"], models: session["model_usage"] });
    const answer = { type: "answer", requestId: asText(response["request_id"]) } as const;
    return usage === undefined ? answer : { ...answer, usage };
  }
  const requestId = asText(event["request_id"]);
  const request = asRecord(event["request"]);
  if (event["type"] !== "control_request") return { type: "other" };
  switch (asText(request["subtype"])) {
    case "hook_callback": {
      if (request["callback_id"] === HOOK_AFTER) return { type: "hook", requestId, event: "after" };
      const input = asRecord(request["input"]);
      return { type: "hook", requestId, event: "before", call: callOf(input, input) };
    }
    case "can_use_tool":
      return { type: "mayUse", requestId, call: callOf(request, { tool_input: request["input"] }) };
    default:
      return { type: "other" };
  }
}

function callOf(named: Fields, { tool_input: input }: Fields): ToolCall {
  return { id: asText(named["tool_use_id"]), tool: asText(named["tool_name"]), input };
}

function requestLine(requestId: string, request: object): string {
  return line({ type: "control_request", request_id: requestId, request });
}

function answerLine(requestId: string, response: object): string {
  return line({
    type: "control_response",
    response: { subtype: "success", request_id: requestId, response },
  });
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

type Fields = Record<string, unknown>;

function parse(text: string): Fields {
  try {
    return asRecord(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
function asRecord(value: unknown): Fields {
  if (typeof value !== "object" || value === null) return {};
  // Any object may be read by any key; each read is checked.
  return value as Fields;
}
function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

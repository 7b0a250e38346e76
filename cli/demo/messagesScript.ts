/**
 * What a scripted Messages API answers: the words of a script, and how a request of the Claude Code
 * CLI is read so that the right step is chosen. Pure; messagesApi.ts serves it.
 */
import type { IncomingHttpHeaders } from "node:http";

/** One tool the model calls. `${cwd}` inside strings of the input becomes the CLI's working directory. */
export type ToolCall = { name: string; input: Record<string, unknown> };

export type Usage = {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
};

/** What goes wrong instead of an answer, `times` times (1 unless told) before the step answers. */
export type Fault = { times?: number } & (
  | {
      kind: "http";
      status: number;
      type: string;
      message: string;
      headers?: Record<string, string>;
    }
  /** The connection is cut: before any byte, after the headers, or inside the answer's content. */
  | { kind: "disconnect"; at: "connect" | "headers" | "content" }
  /** Silence until the client goes. */
  | { kind: "hang"; at: "connect" | "headers" }
);

/** One answer of the model. */
export type Step = {
  text?: string;
  tools?: ToolCall[];
  faults?: Fault[];
  /** Before the first byte. */
  delayMs?: number;
  /** Between pieces of content. */
  chunkDelayMs?: number;
  /** Answered only after `release(gate)`. */
  gate?: string;
  usage?: Partial<Usage>;
  /** Why the model stops, where not because it is done or calls a tool. */
  stopReason?: "max_tokens" | "refusal";
  headers?: Record<string, string>;
};

/** A step may depend on what was said so far, for example on the result of a tool. */
export type ScriptStep = Step | ((conversation: Conversation) => Step);

/** Steps are chosen by the number of answers in the conversation, so a resumed run goes on where it was. */
export type Script = {
  steps: ScriptStep[];
  /** The answer to requests that are not the conversation itself: titles, classifiers, probes. */
  side?: Step;
};

/** What one request says of the run that made it. */
export type Conversation = {
  /** Working directory of the CLI, from its system prompt; empty when it does not say. */
  cwd: string;
  /** The first words of the person. */
  prompt: string;
  /** Answers given so far. */
  turn: number;
  /** Text of every tool result so far, in order. */
  toolResults: string[];
  /** What else came after the first message: words of people, reminders of the CLI. */
  said: string[];
  model: string;
  /** The CLI's session, empty when the request does not say. */
  sessionId: string;
  headers: IncomingHttpHeaders;
};

/** The error shapes of the public API, by what they mean. */
export const faults = {
  badRequest: (message = "messages: invalid"): Fault => http(400, "invalid_request_error", message),
  unauthorized: (): Fault => http(401, "authentication_error", "invalid x-api-key"),
  forbidden: (): Fault => http(403, "permission_error", "Your account may not use this resource"),
  notFound: (model = "unknown"): Fault => http(404, "not_found_error", `model: ${model}`),
  rateLimited: (retryAfterS = 1): Fault => ({
    kind: "http",
    status: 429,
    type: "rate_limit_error",
    message: "This request would exceed the rate limit for your organization",
    headers: { "retry-after": String(retryAfterS) },
  }),
  serverError: (): Fault => http(500, "api_error", "Internal server error"),
  overloaded: (): Fault => http(529, "overloaded_error", "Overloaded"),
};

function http(status: number, type: string, message: string): Fault {
  return { kind: "http", status, type, message };
}

/** The same fault, served `times` times. */
export function repeated(fault: Fault, times: number): Fault {
  return { ...fault, times };
}

/** The parts of a Messages API request that choose a step; every field may be missing. */
export type MessagesRequest = {
  model?: string;
  max_tokens?: number;
  stream?: boolean;
  system?: unknown;
  tools?: unknown[];
  messages?: { role?: string; content?: unknown }[];
  metadata?: { user_id?: string };
};

/** Side requests neither stream nor carry tools, or ask for one token only. */
export function isSideRequest(body: MessagesRequest): boolean {
  return body.max_tokens === 1 || ((body.tools ?? []).length === 0 && body.stream !== true);
}

/** Reads the run's circumstances from a request. */
export function conversationOf(body: MessagesRequest, headers: IncomingHttpHeaders): Conversation {
  const messages = body.messages ?? [];
  return {
    cwd: cwdOf(body),
    prompt: promptOf(messages[0]?.content),
    turn: messages.filter((m) => m.role === "assistant" && !isFiller(m.content)).length,
    toolResults: messages.flatMap((m) => (m.role === "user" ? toolResultsOf(m.content) : [])),
    said: messages.slice(1).flatMap((m) => (m.role === "assistant" ? [] : wordsOf(m.content))),
    model: body.model ?? "",
    sessionId:
      /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?!.*[0-9a-f]{8}-)/.exec(
        body.metadata?.user_id ?? "",
      )?.[0] ?? "",
    headers,
  };
}

function cwdOf(body: MessagesRequest): string {
  const said = JSON.stringify([body.system, body.messages?.slice(0, 2)]);
  return /working directory: ([^"\\\n]+)/i.exec(said)?.[1]?.trim() ?? "";
}

type Block = { type?: string; text?: string; content?: unknown };

function blocksOf(content: unknown): Block[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  // Blocks are read field by field with every field optional, so a wrong shape reads as empty.
  return Array.isArray(content) ? (content as Block[]) : [];
}

function wordsOf(content: unknown): string[] {
  return blocksOf(content).flatMap(({ text }) => (text === undefined ? [] : [text]));
}

// The CLI puts reminders of its own before the person's words.
function promptOf(content: unknown): string {
  return blocksOf(content)
    .map((b) => b.text ?? "")
    .filter((t) => t !== "" && !t.trimStart().startsWith("<system-reminder>"))
    .join("\n");
}

// The CLI adds these when it resumes a cut session; no script ever said them.
const FILLERS = ["No response requested.", "[Tool use interrupted]"];

function isFiller(content: unknown): boolean {
  const [only, ...more] = blocksOf(content);
  return more.length === 0 && FILLERS.includes(only?.text ?? "");
}

function toolResultsOf(content: unknown): string[] {
  return blocksOf(content)
    .filter((b) => b.type === "tool_result")
    .map((b) =>
      blocksOf(b.content)
        .map((part) => part.text ?? "")
        .join("\n"),
    );
}

/** The step for this conversation; past the last one the model has nothing more to do. */
export function chooseStep(script: Script, conversation: Conversation): Step {
  const step = script.steps[conversation.turn];
  if (step === undefined) return { text: "Nothing more to do." };
  return typeof step === "function" ? step(conversation) : step;
}

export type ContentBlock =
  { type: "text"; text: string } | { type: "tool_use"; id: string; name: string; input: unknown };

/** A whole answer; messagesSse.ts cuts it into events. */
export type Message = {
  id: string;
  type: "message";
  role: "assistant";
  model: string;
  content: ContentBlock[];
  stop_reason: "tool_use" | "end_turn" | "max_tokens" | "refusal";
  stop_sequence: null;
  usage: Usage;
};

const USAGE: Usage = {
  input_tokens: 1_000,
  output_tokens: 100,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
};

/** Turns a step into the message the API would send; `serial` makes ids unique. */
export function composeMessage(step: Step, conversation: Conversation, serial: number): Message {
  const fill = (value: unknown): unknown => fillIn(value, conversation.cwd);
  const tools = step.tools ?? [];
  return {
    id: `msg_scripted_${String(serial)}`,
    type: "message",
    role: "assistant",
    model: conversation.model,
    content: [
      ...(step.text === undefined ? [] : [{ type: "text" as const, text: step.text }]),
      ...tools.map((tool, i) => ({
        type: "tool_use" as const,
        id: `toolu_scripted_${String(serial)}_${String(i)}`,
        name: tool.name,
        input: fill(tool.input),
      })),
    ],
    stop_reason: step.stopReason ?? (tools.length > 0 ? "tool_use" : "end_turn"),
    stop_sequence: null,
    usage: { ...USAGE, ...step.usage },
  };
}

function fillIn(value: unknown, cwd: string): unknown {
  if (typeof value === "string") return value.replaceAll("${cwd}", cwd);
  if (Array.isArray(value)) return value.map((item) => fillIn(item, cwd));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, cwd)]));
}

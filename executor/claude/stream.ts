import type { LogEntry } from "../../convex/protocol/log.js";
import { LOG_CALL_CHARS_MAX, LOG_ENTRY_CHARS_MAX } from "../../convex/protocol/limits.js";
import { type CliUsage, NO_USAGE, parseUsage } from "./usage.js";

/**
 * The CLI's event stream (`--output-format stream-json`, version 2.1.197), as far as a job needs it.
 * Read leniently: an event or a field that is not known is no error, it is just not used. Pure.
 */
export type ClaudeEvent =
  | { type: "init"; sessionId: string | undefined; model: string | undefined }
  | { type: "assistant"; blocks: AssistantBlock[]; error: string | undefined; isSubagent: boolean }
  | { type: "toolResults"; results: ToolResult[] }
  | {
      type: "apiRetry";
      attempt: number;
      delayMs: number;
      status: number | undefined;
      error: string;
    }
  | { type: "rateLimit"; status: string; resetsAtMs: number | undefined; limit: string }
  | { type: "modelFallback"; from: string; to: string }
  | { type: "result"; result: CliResult }
  | { type: "other" }
  | { type: "unreadable"; line: string };

export type AssistantBlock =
  | { kind: "text"; text: string }
  | { kind: "toolUse"; id: string | undefined; name: string; input: unknown };
export type ToolResult = { id: string | undefined; text: string; isError: boolean };

/** The `result` event: the CLI's own word on how the run ended. */
export type CliResult = {
  subtype: string;
  isError: boolean;
  apiErrorStatus: number | undefined;
  terminalReason: string | undefined;
  turns: number;
  /** The answer, or the errors of a run without one. */
  text: string;
  /** Of the whole process up to here. */
  usage: CliUsage;
  /** The calls of tools that were denied, each in a line. */
  denied: string[];
  /** The call of a tool that a hook put off: the run ended with it. */
  deferred: string | undefined;
  /** What was asked for by a schema, as JSON. */
  structuredOutput: string | undefined;
  sessionId: string | undefined;
  /** The call of a tool that it was told to put off. */
  asked: { id: string; name: string; input: unknown } | undefined;
};

const TOOL_INPUT_CHARS_MAX = 400;
/** Characters of one text in a tool's input: an edit shows what it does, a written file how it begins. */
const INPUT_TEXT_CHARS_MAX = 3_000;

/** One line of stdout → one event. Never throws. */
export function parseLine(line: string): ClaudeEvent {
  const event = asRecord(parseJson(line));
  if (event === undefined) return { type: "unreadable", line };
  switch (asText(event["type"]) ?? "") {
    case "system":
      return parseSystem(event);
    case "assistant":
      return parseAssistant(event);
    case "user":
      return { type: "toolResults", results: parseToolResults(event) };
    case "rate_limit_event":
      return parseRateLimit(asRecord(event["rate_limit_info"]) ?? {});
    case "result":
      return { type: "result", result: parseResult(event) };
    default:
      return { type: "other" };
  }
}

/** What of an event a person reads in the log; `at` in ms since the epoch. */
export function toLogEntries(event: ClaudeEvent, at: number): LogEntry[] {
  const entry = (kind: LogEntry["kind"], text: string): LogEntry => ({ at, kind, text: cap(text) });
  switch (event.type) {
    case "init":
      return [entry("marker", `claude started, model ${event.model ?? "not named"}`)];
    case "assistant":
      return event.blocks.map((block) =>
        block.kind === "text"
          ? entry("text", block.text)
          : {
              ...entry("tool", `${block.name} ${describeInput(block.input)}`.trim()),
              ...callOf(block.id),
              ...wholeInput(block.input),
            },
      );
    case "toolResults":
      return event.results.map(({ id, text, isError }) => ({
        ...entry("toolResult", isError ? `error: ${text}` : text),
        ...callOf(id),
      }));
    case "apiRetry": {
      const status = event.status === undefined ? "no answer" : `status ${event.status}`;
      const when = `again in ${Math.round(event.delayMs)} ms`;
      return [
        entry("retry", `request ${event.attempt} failed (${event.error}, ${status}), ${when}`),
      ];
    }
    case "rateLimit":
      return event.status === "allowed" ? [] : [entry("retry", describeLimit(event))];
    case "modelFallback":
      return [entry("retry", `model ${event.from} gave way to ${event.to}`)];
    case "unreadable":
      return [entry("stderr", event.line)];
    case "result":
    case "other":
      return [];
  }
}

/** Text cut to what one log entry may hold, saying how much is missing. */
export function cap(text: string, charsMax: number = LOG_ENTRY_CHARS_MAX): string {
  if (text.length <= charsMax) return text;
  const note = ` … [cut: ${text.length} characters in all]`;
  return text.slice(0, Math.max(0, charsMax - note.length)) + note;
}

function parseSystem(event: Fields): ClaudeEvent {
  switch (asText(event["subtype"]) ?? "") {
    case "init":
      return {
        type: "init",
        sessionId: asText(event["session_id"]),
        model: asText(event["model"]),
      };
    case "api_retry":
      return {
        type: "apiRetry",
        attempt: asNumber(event["attempt"]) ?? 0,
        delayMs: asNumber(event["retry_delay_ms"]) ?? 0,
        status: asNumber(event["error_status"]),
        error: asText(event["error"]) ?? "unknown",
      };
    case "model_fallback":
      return {
        type: "modelFallback",
        from: asText(event["original_model"]) ?? "unknown",
        to: asText(event["fallback_model"]) ?? "unknown",
      };
    default:
      return { type: "other" };
  }
}

function parseAssistant(event: Fields): ClaudeEvent {
  const content = asArray(asRecord(event["message"])?.["content"]);
  const blocks = content.flatMap((item): AssistantBlock[] => {
    const block = asRecord(item) ?? {};
    switch (asText(block["type"]) ?? "") {
      case "text":
        return [{ kind: "text", text: asText(block["text"]) ?? "" }];
      case "tool_use":
        return [
          {
            kind: "toolUse",
            id: asText(block["id"]),
            name: asText(block["name"]) ?? "tool",
            input: block["input"],
          },
        ];
      default:
        return [];
    }
  });
  return {
    type: "assistant",
    blocks,
    error: asText(event["error"]),
    isSubagent: asText(event["parent_tool_use_id"]) !== undefined,
  };
}

/** `tool_use_result` is left aside: it repeats the content, and whole files with it. */
function parseToolResults(event: Fields): ToolResult[] {
  const content = asArray(asRecord(event["message"])?.["content"]);
  return content.flatMap((item): ToolResult[] => {
    const block = asRecord(item);
    if (block?.["type"] !== "tool_result") return [];
    return [
      {
        id: asText(block["tool_use_id"]),
        text: flatten(block["content"]),
        isError: block["is_error"] === true,
      },
    ];
  });
}

function flatten(content: unknown): string {
  if (typeof content === "string") return content;
  const texts = asArray(content).map((part) => asText(asRecord(part)?.["text"]) ?? "");
  return texts.filter((text) => text !== "").join("\n");
}

function parseRateLimit(info: Fields): ClaudeEvent {
  const seconds = asNumber(info["resetsAt"]);
  return {
    type: "rateLimit",
    status: asText(info["status"]) ?? "unknown",
    resetsAtMs: seconds === undefined ? undefined : seconds * 1000,
    limit: asText(info["rateLimitType"]) ?? "unknown",
  };
}

function parseAsked(call: Fields | undefined): CliResult["asked"] {
  const [id, name] = [asText(call?.["id"]), asText(call?.["name"])];
  return id === undefined || name === undefined ? undefined : { id, name, input: call?.["input"] };
}

function parseResult(event: Fields): CliResult {
  const deferred = asRecord(event["deferred_tool_use"]);
  const structured = event["structured_output"];
  const errors = asArray(event["errors"]).flatMap((error) => asText(error) ?? []);
  return {
    subtype: asText(event["subtype"]) ?? "unknown",
    isError: event["is_error"] === true,
    apiErrorStatus: asNumber(event["api_error_status"]),
    terminalReason: asText(event["terminal_reason"]),
    turns: asNumber(event["num_turns"]) ?? 0,
    text: asText(event["result"]) ?? errors.join("\n"),
    denied: asArray(event["permission_denials"]).map((item) => {
      const { tool_name: tool, tool_input: input } = asRecord(item) ?? {};
      return describeCall(tool, input);
    }),
    deferred:
      deferred === undefined ? undefined : describeCall(deferred["name"], deferred["input"]),
    structuredOutput: structured === undefined ? undefined : JSON.stringify(structured),
    sessionId: asText(event["session_id"]),
    asked: parseAsked(deferred),
    usage: parseUsage({ cost: event["total_cost_usd"], models: event["modelUsage"] }) ?? NO_USAGE,
  };
}

function describeCall(tool: unknown, input: unknown): string {
  return `${asText(tool) ?? "tool"} ${describeInput(input)}`.trim();
}

/** The one field of a tool's input that says what it does, else the input itself. */
function describeInput(input: unknown): string {
  const fields = asRecord(input) ?? {};
  const named = ["command", "file_path", "path", "pattern", "url", "description", "prompt"];
  const telling = named.flatMap((name) => asText(fields[name]) ?? [])[0];
  const oneLine = (telling ?? JSON.stringify(fields)).replaceAll(/\s+/g, " ");
  return cap(oneLine, TOOL_INPUT_CHARS_MAX);
}

function callOf(id: string | undefined): { call?: string } {
  return id === undefined || id.length > LOG_CALL_CHARS_MAX ? {} : { call: id };
}

/** The input as JSON with long texts cut; nothing where it is longer than an entry may be all the same. */
function wholeInput(input: unknown): { input?: string } {
  const json = JSON.stringify(asRecord(input) ?? {}, (_key, value: unknown) =>
    typeof value === "string" ? cap(value, INPUT_TEXT_CHARS_MAX) : value,
  );
  return json.length > LOG_ENTRY_CHARS_MAX ? {} : { input: json };
}

function describeLimit(event: Extract<ClaudeEvent, { type: "rateLimit" }>): string {
  const until = event.resetsAtMs === undefined ? "" : `, until ${toIso(event.resetsAtMs)}`;
  return `usage limit ${event.limit}: ${event.status}${until}`;
}

/** Never throws, unlike toISOString on a time that is out of range. */
export function toIso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "an unreadable time" : date.toISOString();
}

type Fields = Record<string, unknown>;

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
function asRecord(value: unknown): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // An object that is neither null nor an array may be read by any key; each read is checked.
  return value as Fields;
}
function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
function asNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

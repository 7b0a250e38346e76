import type { GoOn } from "../convex/protocol/checkpoint.js";
import type { Work } from "../convex/protocol/executor.js";
import type { ToolCall, Verdict } from "./claude/control.js";

/** Fields of a tool's input that say what the call does, as the patterns of a job look at it. */
const TELLING = ["command", "file_path", "notebook_path", "path", "url", "pattern", "query"];
const ASKED_TOO_OFTEN =
  "This call needs a person's word, and this job has asked as often as it may. Go on without it.";

/**
 * Says of each call of a tool whether it may be made: those that the job's patterns name wait for a
 * person, and the one that a person was asked about has its answer. Undefined: no call is asked about.
 */
export function toolGate(
  approval: Work["approval"],
  goOn: GoOn | undefined,
): ((call: ToolCall) => Verdict) | undefined {
  const answer = goOn?.kind === "answer" ? goOn : undefined;
  if (approval === undefined && answer === undefined) return undefined;
  const patterns = approval?.tools.map(readPattern) ?? [];
  return (call) => {
    if (answer?.toolUseId === call.id) {
      return answer.isAllowed ? { kind: "allow" } : { kind: "refuse", message: answer.message };
    }
    if (!patterns.some((isMeant) => isMeant(call))) return { kind: "allow" };
    return approval?.isExhausted === true
      ? { kind: "refuse", message: ASKED_TOO_OFTEN }
      : { kind: "defer" };
  };
}

/** `Tool`, `Beginning*`, `*`, each with what the call looks like in brackets or without. */
function readPattern(pattern: string): (call: ToolCall) => boolean {
  const [, tool = "", looks] = /^([^(]*)(?:\(([\s\S]*)\))?$/.exec(pattern) ?? [];
  return (call) => {
    if (!isOfForm(tool, call.tool)) return false;
    return looks === undefined || tellingOf(call).some((value) => isOfForm(looks, value));
  };
}

/** All of them: the model may fill in fields that the tool does not know. */
function tellingOf({ input }: ToolCall): string[] {
  if (typeof input !== "object" || input === null) return [""];
  const values = TELLING.map((name): unknown => Reflect.get(input, name));
  const telling = values.filter((value) => typeof value === "string");
  return telling.length > 0 ? telling.map((value) => value.trim()) : [JSON.stringify(input)];
}

/**
 * Whether a value is of this form, where `*` stands for any characters. Each part is looked for once,
 * from where the one before it ends: the model writes the value, and must not make it take long.
 */
function isOfForm(form: string, value: string): boolean {
  const [first = "", ...rest] = form.split("*");
  const last = rest.pop();
  if (last === undefined) return value === form;
  let at = first.length;
  for (const part of rest) {
    const found = value.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return value.startsWith(first) && value.endsWith(last) && at + last.length <= value.length;
}

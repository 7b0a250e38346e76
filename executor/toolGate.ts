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
  const isTool = glob(tool);
  const isLike = looks === undefined ? undefined : glob(looks);
  return (call) => isTool(call.tool) && (isLike === undefined || isLike(tellingOf(call)));
}

function tellingOf({ input }: ToolCall): string {
  if (typeof input !== "object" || input === null) return "";
  for (const name of TELLING) {
    const value: unknown = Reflect.get(input, name);
    if (typeof value === "string") return value.trim();
  }
  return JSON.stringify(input);
}

function glob(text: string): (value: string) => boolean {
  const parts = text.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const form = new RegExp(`^${parts.join("[\\s\\S]*")}$`);
  return (value) => form.test(value);
}

import { describe, expect, it } from "vitest";
import type { ToolCall } from "../../../executor/claude/control.js";
import { toolGate } from "../../../executor/toolGate.js";

const call = (tool: string, input: object = {}, id = "t1"): ToolCall => ({ id, tool, input });
const bash = (command: string) => call("Bash", { command, description: "Run git push" });
const gate = (...tools: string[]) => toolGate({ tools, isExhausted: false }, undefined);

describe("which calls wait for a person", () => {
  it.each<[string, ToolCall, boolean]>([
    ["Bash", bash("ls"), true],
    ["Bash", call("Write"), false],
    ["*", call("Write"), true],
    ["mcp__db__*", call("mcp__db__query"), true],
    ["mcp__db__*", call("mcp__other"), false],
    ["Bash(git push*)", bash("git push origin"), true],
    ["Bash(git push*)", bash("  git push\n--force"), true],
    ["Bash(git push*)", bash("git status"), false],
    ["Bash(*git push*)", bash("cd x && git push"), true],
    ["Bash(a.c)", bash("abc"), false],
    ["Write(*/.env)", call("Write", { file_path: "/job/repo/.env", content: "x" }), true],
    ["Write(*/.env)", call("Write", { file_path: "/job/repo/a", content: "/.env" }), false],
    // A field that the tool does not know must not stand in front of the one it goes by.
    ["Write(*/.env)", call("Write", { command: "ls", file_path: "/job/repo/.env" }), true],
    ["Bash(aba)", bash("ab"), false],
    ["Bash(ab*ba)", bash("aba"), false],
    ["Bash(*a*a)", bash("a"), false],
    ["Bash(a*b*c)", bash("a-c-b-c"), true],
    ["Odd(*secret*)", call("Odd", { anything: "a secret" }), true],
  ])("%s, %j → %j", (pattern, asked, waits) => {
    expect(gate(pattern)?.(asked)).toEqual({ kind: waits ? "defer" : "allow" });
  });

  it("a long call takes no longer than it is long, whatever its pattern", () => {
    // A form that tries again from every place would take hours over this one.
    const long = bash("rm -r ".repeat(200_000));
    expect(gate("Bash(*rm*-r*f*/*)")?.(long)).toEqual({ kind: "allow" });
  });

  it("nothing is asked about without patterns", () => {
    expect(toolGate(undefined, undefined)).toBeUndefined();
    expect(toolGate(undefined, { kind: "turn" })).toBeUndefined();
  });

  it("the call that was answered has its answer, and the next one waits again", () => {
    const approval = { tools: ["Bash"], isExhausted: false };
    const answer = { kind: "answer", toolUseId: "t1", message: "No." } as const;
    const allowed = toolGate(approval, { ...answer, isAllowed: true });
    expect(allowed?.(bash("ls"))).toEqual({ kind: "allow" });
    expect(allowed?.({ ...bash("ls"), id: "t2" })).toEqual({ kind: "defer" });
    const refused = toolGate(approval, { ...answer, isAllowed: false });
    expect(refused?.(bash("ls"))).toEqual({ kind: "refuse", message: "No." });
  });

  it("a job that has asked too often is not asked again: the call is refused", () => {
    const gated = toolGate({ tools: ["Bash"], isExhausted: true }, undefined);
    expect(gated?.(bash("ls"))).toMatchObject({ kind: "refuse" });
    expect(gated?.(call("Read"))).toEqual({ kind: "allow" });
  });
});

import { describe, expect, it } from "vitest";
import type { ToolCall, Verdict } from "../../../executor/claude/control.js";
import { Conversation, type ConversationOptions } from "../../../executor/claude/conversation.js";
import type { CliUsage } from "../../../executor/claude/usage.js";
import { FakeClock } from "./fakeClock.js";

const OPENING = { id: "0e8c7e2e-1111-4222-8333-444455556666", text: "Do it" };
const SAID = { id: "0e8c7e2e-2222-4222-8333-444455556666", text: "This too" };
const INIT = '{"type":"system","subtype":"init","session_id":"s"}';
const RESULT = '{"type":"result","subtype":"success","is_error":false}';
const taken = (id: string) => JSON.stringify({ type: "user", uuid: id, isReplay: true });
const hook = (callback: "before" | "after", id = "tool-1") =>
  JSON.stringify({
    type: "control_request",
    request_id: `ask-${id}`,
    request: {
      subtype: "hook_callback",
      callback_id: callback,
      input: { tool_use_id: id, tool_name: "Bash", tool_input: { command: "ls" } },
    },
  });
const answered = (id: string) =>
  JSON.stringify({ type: "control_response", response: { subtype: "success", request_id: id } });

function aConversation(more: Partial<ConversationOptions> = {}) {
  const clock = new FakeClock();
  const sent: Record<string, unknown>[] = [];
  const events: string[] = [];
  const options = {
    ...{ clock, opening: OPENING, answerMs: 4_000, judge: undefined },
    onTaken: (id: string) => events.push(`taken ${id.slice(9, 13)}`),
    onUsage: ({ costUsd, tokens }: CliUsage) => events.push(`$${costUsd}, ${tokens.input} in`),
    ...more,
  };
  const talk = new Conversation(options, {
    write: (line) => sent.push(JSON.parse(line) as Record<string, unknown>),
    close: () => events.push("closed"),
    onStuck: (why) => events.push(why),
  });
  /** What was written since it was last asked, in short. */
  const written = (): unknown[] =>
    sent.splice(0).map((line) => {
      const { request, response, message } = line as {
        request?: { subtype: string };
        response?: { response: unknown };
        message?: { content: string };
      };
      return request?.subtype ?? message?.content ?? response?.response;
    });
  const hear = (...lines: string[]): boolean[] => lines.map((line) => talk.onLine(line));
  return { clock, talk, events, written, hear };
}

const verdict = (permissionDecision: string, permissionDecisionReason?: unknown) => ({
  hookSpecificOutput: {
    hookEventName: "PreToolUse",
    permissionDecision,
    ...(permissionDecisionReason === undefined ? {} : { permissionDecisionReason }),
  },
});

describe("the conversation with the CLI", () => {
  it("says the opening, and closes stdin after the result", () => {
    const { written, hear, events } = aConversation();
    expect(written()).toEqual(["initialize", "Do it"]);
    // Events go on to their readers; the rest is the protocol's.
    expect(hear(answered("initialize"), INIT, taken(OPENING.id), RESULT)).toEqual([
      ...[true, false, true, false],
    ]);
    expect(events).toEqual(["taken 1111", "closed"]);
  });

  it("asks what the run has cost, and hands the answer out; not once stdin is closed", () => {
    const { talk, written, hear, events } = aConversation();
    hear(INIT, taken(OPENING.id));
    written();
    talk.askUsage();
    expect(written()).toEqual(["get_usage"]);
    const model = { inputTokens: 7, outputTokens: 1 };
    const session = { total_cost_usd: 0.25, model_usage: { a: model, b: model } };
    const response = { subtype: "success", request_id: "usage-1", response: { session } };
    expect(hear(JSON.stringify({ type: "control_response", response }))).toEqual([true]);
    hear(RESULT);
    talk.askUsage();
    expect(written()).toEqual([]);
    expect(events).toEqual(["taken 1111", "$0.25, 14 in", "closed"]);
  });

  it("stays open for what was said and not taken up, and says that it was", () => {
    const { talk, hear, events } = aConversation();
    hear(INIT, taken(OPENING.id));
    expect(talk.say(SAID)).toBe(true);
    hear(RESULT);
    expect(events).toEqual(["taken 1111"]);
    hear(INIT, taken(SAID.id), RESULT);
    expect(events).toEqual(["taken 1111", "taken 2222", "closed"]);
    expect(talk.say(SAID)).toBe(false);
  });

  it("closes when what was said is not taken up in time", async () => {
    const { talk, hear, events, clock } = aConversation({ answerMs: 3_600_000 });
    hear(INIT, taken(OPENING.id));
    talk.say(SAID);
    hear(RESULT);
    await clock.advance(60_000);
    expect(events).toEqual(["taken 1111", "closed", "lingering"]);
  });

  it("probes a silent CLI; one that answers is never stalled, one that does not is", async () => {
    const { hear, events, clock, written } = aConversation();
    written();
    hear(INIT);
    for (let i = 1; i <= 600; i += 1) {
      await clock.advance(1_000);
      expect(written()).toEqual(["get_binary_version"]);
      hear(answered(`probe-${i}`));
    }
    expect(events).toEqual([]);
    await clock.advance(3_999);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(events).toEqual(["stalled"]);
  });

  it("a CLI that does not end after its result → lingering", async () => {
    const { hear, events, clock } = aConversation();
    hear(INIT, taken(OPENING.id), RESULT);
    await clock.advance(20_000);
    expect(events).toEqual(["taken 1111", "closed", "lingering"]);
  });

  it("a session that has nothing to go on with → closed", async () => {
    const { hear, events, clock } = aConversation({ opening: undefined, answerMs: 3_600_000 });
    hear(answered("initialize"));
    await clock.advance(30_000);
    expect(events).toEqual(["closed"]);
  });

  it("interrupt with a message → the run goes on with it; without → it ends with the turn", () => {
    const first = aConversation();
    first.hear(INIT, taken(OPENING.id));
    first.written();
    first.talk.interrupt(SAID);
    expect(first.written()).toEqual(["interrupt", "This too"]);
    first.hear(RESULT, INIT, taken(SAID.id));
    expect([first.events, first.talk.isStopAsked]).toEqual([["taken 1111", "taken 2222"], false]);
    const second = aConversation();
    second.hear(INIT, taken(OPENING.id));
    second.talk.interrupt();
    second.hear(RESULT);
    expect([second.events, second.talk.isStopAsked]).toEqual([["taken 1111", "closed"], true]);
  });

  it("stop after this turn → the hook after the next call says so", () => {
    const { talk, hear, written } = aConversation();
    hear(INIT, taken(OPENING.id), hook("after", "one"));
    talk.stopAfterTurn();
    hear(hook("after", "two"));
    expect(written().slice(2)).toEqual([
      {},
      { continue: false, stopReason: "A person ended the run here." },
    ]);
  });

  it("asks about each call; puts off one at a time, and none past what a person just said", () => {
    const seen: ToolCall[] = [];
    const judge = (call: ToolCall): Verdict => {
      seen.push(call);
      return { kind: "defer" };
    };
    const { talk, hear, written } = aConversation({ judge });
    hear(INIT, taken(OPENING.id));
    talk.say(SAID);
    hear(hook("before", "one"), taken(SAID.id), hook("before", "two"), hook("before", "three"));
    const why: unknown = expect.stringContaining("Not made:");
    expect(written().slice(3)).toEqual([
      verdict("deny", why),
      verdict("defer"),
      verdict("deny", why),
    ]);
    expect(seen.map(({ id, tool, input }) => [id, tool, input])).toEqual(
      ["one", "two", "three"].map((id) => [id, "Bash", { command: "ls" }]),
    );
    // What is said now belongs to the run that goes on with the answer.
    expect(talk.say({ ...SAID, id: "other" })).toBe(false);
  });

  it("the CLI's own question about a call that would be put off → refused", () => {
    const { hear, written } = aConversation({ judge: () => ({ kind: "defer" }) });
    const request = { subtype: "can_use_tool", tool_name: "Bash", input: {}, tool_use_id: "t" };
    hear(JSON.stringify({ type: "control_request", request_id: "q", request }));
    expect(written().at(-1)).toMatchObject({ behavior: "deny" });
  });

  it("words of a tool that look like the protocol are nothing to it", () => {
    const { hear, events } = aConversation();
    const text = '{"type":"result"} "isReplay":true';
    expect(hear(JSON.stringify({ type: "user", message: { content: text } }))).toEqual([false]);
    expect(events).toEqual([]);
  });
});

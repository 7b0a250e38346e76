import { afterEach, describe, expect, test } from "vitest";
import { startMessagesApi, type MessagesApi } from "../../cli/demo/messagesApi.js";
import { faults, repeated, type Script } from "../../cli/demo/messagesScript.js";
import { demoScript } from "../../cli/demo/script.js";

let api: MessagesApi | undefined;
afterEach(() => api?.close());

type Message = { role: "user" | "assistant"; content: unknown };
const TOOLS = [{ name: "Bash" }];

/** One request as the CLI makes it, with so many answers given before. */
function request(
  { url }: MessagesApi,
  {
    turns = 0,
    results = [],
    ...more
  }: { turns?: number; results?: string[]; stream?: boolean } = {},
): Promise<Response> {
  const messages: Message[] = [{ role: "user", content: "Do it" }];
  for (let turn = 0; turn < turns; turn += 1) {
    messages.push({
      role: "assistant",
      content: [{ type: "text", text: `answer ${String(turn)}` }],
    });
    const content = [{ type: "tool_result", content: results[turn] ?? "" }];
    messages.push({ role: "user", content });
  }
  const system = [{ type: "text", text: "Primary working directory: /clone\nmore" }];
  const body = {
    model: "m",
    max_tokens: 1000,
    tools: TOOLS,
    system,
    messages,
    stream: false,
    ...more,
  };
  return fetch(`${url}/v1/messages`, { method: "POST", body: JSON.stringify(body) });
}

async function textOf(response: Response): Promise<string> {
  const message = (await response.json()) as { content: { text?: string }[] };
  return message.content.map((block) => block.text ?? "").join("");
}

describe("the scripted Messages API", () => {
  const TWO: Script = { steps: [{ text: "one" }, { text: "two" }] };

  test("the step is chosen by the answers given so far, whoever asks", async () => {
    api = await startMessagesApi({ script: TWO });
    expect(await textOf(await request(api, { turns: 1 }))).toBe("two");
    expect(await textOf(await request(api))).toBe("one");
    expect(await textOf(await request(api, { turns: 1 }))).toBe("two");
  });

  test("past the last step → nothing more to do", async () => {
    api = await startMessagesApi({ script: TWO });
    expect(await textOf(await request(api, { turns: 5 }))).toBe("Nothing more to do.");
  });

  test("faults are served first, as often as told, then the answer", async () => {
    const step = { text: "fine", faults: [repeated(faults.serverError(), 2), faults.overloaded()] };
    api = await startMessagesApi({ script: { steps: [step] } });
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await request(api)).status);
    expect(statuses).toEqual([500, 500, 529, 200]);
    expect(api.requests.map((r) => r.fault !== undefined)).toEqual([true, true, true, false]);
  });

  test.each([
    [400, faults.badRequest()],
    [401, faults.unauthorized()],
    [403, faults.forbidden()],
    [404, faults.notFound()],
    [429, faults.rateLimited()],
    [500, faults.serverError()],
    [529, faults.overloaded()],
  ])("fault %i → its status and an error body", async (status, fault) => {
    api = await startMessagesApi({ script: { steps: [{ faults: [fault] }] } });
    const response = await request(api);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type: "error", error: {} });
  });

  test.each(["connect", "headers", "content"] as const)(
    "disconnect at %s → a broken answer",
    async (at) => {
      const script = { steps: [{ text: "text", faults: [{ kind: "disconnect" as const, at }] }] };
      const running = await startMessagesApi({ script });
      api = running;
      await expect(request(running, { stream: true }).then((r) => r.text())).rejects.toThrow();
    },
  );

  test("a hang lasts until the server closes", async () => {
    const script = { steps: [{ faults: [{ kind: "hang" as const, at: "connect" as const }] }] };
    api = await startMessagesApi({ script });
    const pending = request(api);
    const outcome = expect(pending).rejects.toThrow();
    await api.close();
    await outcome;
  });

  test("a gated step waits for its release, and tells that it was reached", async () => {
    api = await startMessagesApi({ script: { steps: [{ gate: "g", text: "through" }] } });
    const first = request(api);
    await api.reached("g");
    api.release("g");
    expect(await textOf(await first)).toBe("through");
    expect(await textOf(await request(api))).toBe("through");
  });

  test("an answer streams as the events of the public API, with ${cwd} filled in", async () => {
    const tool = { name: "Write", input: { file_path: "${cwd}/a", content: "x".repeat(500) } };
    api = await startMessagesApi({ script: { steps: [{ text: "hi", tools: [tool] }] } });
    const stream = await (await request(api, { stream: true })).text();
    const events = [...stream.matchAll(/^data: (.*)$/gm)].map(
      // Our own server's JSON, one object a line.
      (m) => JSON.parse(m[1] ?? "") as { type: string; delta?: { partial_json?: string } },
    );
    expect(events[0]?.type).toBe("message_start");
    expect(events.at(-1)?.type).toBe("message_stop");
    const input = events.map((e) => e.delta?.partial_json ?? "").join("");
    expect(JSON.parse(input)).toEqual({ file_path: "/clone/a", content: "x".repeat(500) });
  });

  test("requests without tools and stream are told apart", async () => {
    api = await startMessagesApi({ script: { ...TWO, side: { text: "a title" } } });
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] });
    const response = await fetch(`${api.url}/v1/messages`, { method: "POST", body });
    expect(await textOf(response)).toBe("a title");
    expect(api.requests.map((r) => r.kind)).toEqual(["side"]);
  });

  test("a taken port → rejected with the system's error", async () => {
    api = await startMessagesApi({ script: TWO });
    const port = Number(new URL(api.url).port);
    await expect(startMessagesApi({ script: TWO, port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });
});

describe("the demo's script", () => {
  type Answer = { content: { name?: string; input?: Record<string, string>; text?: string }[] };

  async function answer(turns: number, listed: string): Promise<Answer["content"]> {
    api = await startMessagesApi({ script: demoScript() });
    const response = await request(api, { turns, results: [listed] });
    await api.close();
    // The answer of our own server, composed from the script.
    return ((await response.json()) as Answer).content;
  }

  test("reads a file that the first step's result named", async () => {
    const [, read] = await answer(1, "abc123 A commit\nsrc/a.ts\nREADME.md");
    expect(read).toMatchObject({ name: "Read", input: { file_path: "/clone/README.md" } });
  });

  test("an empty repository → looks at the state instead of reading", async () => {
    expect(await answer(1, "")).toMatchObject([{ name: "Bash" }]);
  });

  test("a repository that has the note already → another name, the same all through", async () => {
    const listed = "FONDATION_DEMO.md\nREADME.md";
    for (const turns of [2, 3]) {
      const blocks = await answer(turns, listed);
      expect(blocks.at(-1)?.input?.["file_path"]).toBe("/clone/NEW_FONDATION_DEMO.md");
    }
  });
});

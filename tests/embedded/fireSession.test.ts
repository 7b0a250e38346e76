/** What one session does with a client that sends more than it is served, or takes nothing. */
import { expect, test } from "vitest";
import type { Engine } from "../../embedded/engine/engine.js";
import type { FunctionRunner } from "../../embedded/functions/types.js";
import { syncLimits } from "../../embedded/sync/limits.js";
import { Session } from "../../embedded/sync/session.js";
import { waitFor } from "../support/waitFor.js";

const connect = JSON.stringify({
  type: "Connect",
  sessionId: "00000000-0000-4000-8000-000000000000",
  connectionCount: 0,
  lastCloseReason: null,
});
const call = (type: "Mutation" | "Action", requestId: number) =>
  JSON.stringify({ type, requestId, udfPath: "a:b", args: [{ text: "x".repeat(1_000) }] });

function openSession() {
  const seen = { waiting: 0, most: 0, started: 0, closed: "" };
  const answers: (() => void)[] = [];
  let drain: () => void = () => undefined;
  let drained: Promise<void> = Promise.resolve();
  const answer = () =>
    new Promise((resolve) => {
      seen.started += 1;
      answers.push(() => {
        resolve({ ok: true, value: null, ts: 1n, logLines: [] });
      });
    });
  const session = new Session({
    // The session uses these parts alone.
    engine: {
      latestTs: () => 1n,
      hold: () => ({ ts: 1n, release: () => undefined }),
      whenDurable: () => Promise.resolve(),
    } as unknown as Engine,
    runner: { mutation: answer, action: answer } as unknown as FunctionRunner,
    authenticator: {
      admin: () => ({ kind: "none" }),
      user: () => Promise.reject(new Error("no")),
    } as never,
    nowMs: () => 0,
    newRequest: () => ({ ip: null, userAgent: null, requestId: "0", authToken: null }),
    send: () => Promise.resolve(),
    drained: () => drained,
    onWaiting: (chars) => {
      seen.waiting = chars;
      seen.most = Math.max(seen.most, chars);
    },
    close: ({ reason }) => (seen.closed = reason),
    onFault: (error) => {
      throw error;
    },
  });
  session.receive(connect);
  return {
    session,
    seen,
    answerNext: () => answers.shift()?.(),
    clog: () => {
      drained = new Promise((resolve) => {
        drain = resolve;
      });
    },
    unclog: () => {
      drain();
    },
  };
}

test.each(["Mutation", "Action"] as const)(
  "the arguments of every %s count as waiting until it is answered",
  async (type) => {
    const { session, seen, answerNext } = openSession();
    const messages = [0, 1, 2, 3].map((requestId) => call(type, requestId));
    for (const message of messages) session.receive(message);
    await waitFor("the first to start", () => seen.started > 0);
    const total = messages.reduce((sum, message) => sum + message.length, 0);
    expect(seen.most).toBeGreaterThanOrEqual(total);
    expect(seen.waiting).toBe(total);
    for (let answered = 0; answered < messages.length; answered += 1) {
      await waitFor("the next to start", () => seen.started > answered);
      answerNext();
    }
    await waitFor("nothing to wait any more", () => seen.waiting === 0);
    expect(seen.closed).toBe("");
  },
);

test("a client that takes no answers gets no more calls run until it does", async () => {
  const { session, seen, clog, unclog } = openSession();
  clog();
  for (let requestId = 0; requestId < 10; requestId += 1)
    session.receive(call("Action", requestId));
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen.started).toBe(0);
  unclog();
  await waitFor("all to start", () => seen.started === 10);
});

test("more messages than may wait → the client is cut off", () => {
  const { session, seen, clog } = openSession();
  clog();
  for (let n = 0; n <= syncLimits.inboundQueueMax; n += 1) session.receive(connect);
  expect(seen.closed).toBe("ProtocolError");
});

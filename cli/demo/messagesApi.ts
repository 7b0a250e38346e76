/**
 * Our own stand-in for the Anthropic Messages API: a loopback server that plays a script to the real
 * Claude Code CLI. The demo and the tests use it, so that neither needs an account. It owns gates,
 * fault counts and the record of requests; what is said lives in messagesScript.ts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  chooseStep,
  composeMessage,
  conversationOf,
  isSideRequest,
  type Conversation,
  type Fault,
  type Message,
  type MessagesRequest,
  type Script,
  type Step,
} from "./messagesScript.js";
import { streamMessage } from "./messagesSse.js";

/** Requests remembered; older ones are forgotten, so a long demo does not grow. */
const REQUESTS_KEPT_MAX = 1_000;
/** Bytes of one request; the CLI stays far below. */
const REQUEST_BYTES_MAX = 64 * 1024 * 1024;

/** One request as it was served. */
export type ServedRequest = {
  method: string;
  path: string;
  /** `main` is the conversation itself; `side` its helpers; `other` any other path. */
  kind: "main" | "side" | "other";
  conversation: Conversation;
  /** The fault served instead of an answer. */
  fault?: Fault;
};

export type MessagesApi = {
  /** What ANTHROPIC_BASE_URL must be. */
  url: string;
  /** Newest last. */
  requests: readonly ServedRequest[];
  /** Lets steps with this gate answer, now and later. */
  release: (gate: string) => void;
  /** Resolves when a request waits at the gate (at once if one does). */
  reached: (gate: string) => Promise<void>;
  /** Cuts every connection and stops listening. */
  close: () => Promise<void>;
};

export type MessagesApiOptions = {
  /** A function may choose by the conversation (say, by its prompt); it must return the same object each time. */
  script: Script | ((conversation: Conversation) => Script);
  /** 0 (the default) takes a free one. */
  port?: number;
};

/** Starts the stand-in on 127.0.0.1. Rejects with the system's error when the port is taken. */
export async function startMessagesApi({
  script,
  port = 0,
}: MessagesApiOptions): Promise<MessagesApi> {
  const gates = new Gates();
  const requests: ServedRequest[] = [];
  const player = new Player(script, gates, (served) => {
    requests.push(served);
    if (requests.length > REQUESTS_KEPT_MAX) requests.shift();
  });
  const server = createServer((req, res) => {
    player.serve(req, res).catch((error: unknown) => {
      // A client that goes away mid-request is the normal end of a killed run.
      res.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  // A TCP server that listens has an AddressInfo; the other forms are for pipes and closed servers.
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    requests,
    release: (gate) => {
      gates.release(gate);
    },
    reached: (gate) => gates.reached(gate),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Named points where answers wait until someone lets them go. */
class Gates {
  private readonly open = new Set<string>();
  private readonly waiting = new Map<string, (() => void)[]>();
  private readonly watchers = new Map<string, (() => void)[]>();

  release(gate: string): void {
    this.open.add(gate);
    for (const go of this.waiting.get(gate) ?? []) go();
    this.waiting.delete(gate);
  }

  /** Waits until released or until the client is gone. */
  pass(gate: string, res: ServerResponse): Promise<void> {
    for (const tell of this.watchers.get(gate) ?? []) tell();
    this.watchers.delete(gate);
    if (this.open.has(gate)) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiting.set(gate, [...(this.waiting.get(gate) ?? []), resolve]);
      res.once("close", () => {
        this.waiting.set(
          gate,
          (this.waiting.get(gate) ?? []).filter((go) => go !== resolve),
        );
        resolve();
      });
    });
  }

  reached(gate: string): Promise<void> {
    if ((this.waiting.get(gate) ?? []).length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.watchers.set(gate, [...(this.watchers.get(gate) ?? []), resolve]);
    });
  }
}

/** Plays the script to one request after the other. */
class Player {
  private serial = 0;
  /** Faults served so far, for each step of each script. */
  private readonly faultsServed = new WeakMap<Script, Map<number, number>>();

  private readonly script: MessagesApiOptions["script"];
  private readonly gates: Gates;
  private readonly note: (served: ServedRequest) => void;

  constructor(
    script: MessagesApiOptions["script"],
    gates: Gates,
    note: (served: ServedRequest) => void,
  ) {
    this.script = script;
    this.gates = gates;
    this.note = note;
  }

  async serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const text = await readAll(req);
    const path = (req.url ?? "/").split("?")[0] ?? "/";
    const body = parseRequest(text);
    const conversation = conversationOf(body, req.headers);
    const record = { method: req.method ?? "", path, conversation };
    if (path === "/v1/messages" && req.method === "POST") {
      await this.answer(res, body, record);
      return;
    }
    this.note({ ...record, kind: "other" });
    if (path === "/v1/messages/count_tokens") {
      sendJson(res, { body: { input_tokens: Math.ceil(text.length / 4) } });
    } else {
      sendError(res, { status: 404, type: "not_found_error", message: "Not found" });
    }
  }

  private async answer(
    res: ServerResponse,
    body: MessagesRequest,
    record: Omit<ServedRequest, "kind" | "fault">,
  ): Promise<void> {
    const { conversation } = record;
    const script = typeof this.script === "function" ? this.script(conversation) : this.script;
    const side = isSideRequest(body);
    const step = side ? (script.side ?? { text: "ok" }) : chooseStep(script, conversation);
    const fault = this.nextFault(script, step, side ? -1 : conversation.turn);
    this.note({
      ...record,
      kind: side ? "side" : "main",
      ...(fault === undefined ? {} : { fault }),
    });
    if (fault !== undefined && refuse(res, fault)) return;
    if (step.gate !== undefined) await this.gates.pass(step.gate, res);
    if (step.delayMs !== undefined) await sleep(step.delayMs);
    if (res.destroyed) return;
    this.serial += 1;
    const message = composeMessage(step, conversation, this.serial);
    if (body.stream === true) await stream(res, { message, step, fault });
    else sendJson(res, { body: message, headers: step.headers });
  }

  private nextFault(script: Script, step: Step, index: number): Fault | undefined {
    const byStep = this.faultsServed.get(script) ?? new Map<number, number>();
    this.faultsServed.set(script, byStep);
    let left = byStep.get(index) ?? 0;
    for (const fault of step.faults ?? []) {
      const times = fault.times ?? 1;
      if (left < times) {
        byStep.set(index, (byStep.get(index) ?? 0) + 1);
        return fault;
      }
      left -= times;
    }
    return undefined;
  }
}

/** Serves a fault that needs no answer behind it; false when the answer must begin first. */
function refuse(res: ServerResponse, fault: Fault): boolean {
  switch (fault.kind) {
    case "http":
      sendError(res, fault);
      return true;
    case "disconnect":
      if (fault.at === "connect") res.destroy();
      return fault.at === "connect";
    case "hang":
      return fault.at === "connect";
  }
}

type Answer = { message: Message; step: Step; fault: Fault | undefined };

async function stream(res: ServerResponse, { message, step, fault }: Answer): Promise<void> {
  res.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    ...step.headers,
  });
  res.flushHeaders();
  if (fault?.kind === "hang") return;
  if (fault?.kind === "disconnect" && fault.at === "headers") {
    res.destroy();
    return;
  }
  await streamMessage(res, message, {
    chunkDelayMs: step.chunkDelayMs ?? 0,
    cutInContent: fault?.kind === "disconnect",
  });
}

type HttpError = {
  status: number;
  type: string;
  message: string;
  headers?: Record<string, string>;
};

function sendError(res: ServerResponse, { status, type, message, headers }: HttpError): void {
  sendJson(res, { status, body: { type: "error", error: { type, message } }, headers });
}

type JsonAnswer = {
  status?: number;
  body: object;
  headers?: Record<string, string> | undefined;
};

function sendJson(res: ServerResponse, { status = 200, body, headers }: JsonAnswer): void {
  res.writeHead(status, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify(body));
}

async function readAll(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req) {
    // Without an encoding set, a request yields Buffers only.
    const buffer = chunk as Buffer;
    bytes += buffer.length;
    if (bytes > REQUEST_BYTES_MAX) throw new Error("request too large for the scripted API");
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

// Every field of a MessagesRequest is optional, so any JSON object is one.
function parseRequest(text: string): MessagesRequest {
  if (text === "") return {};
  return JSON.parse(text) as MessagesRequest;
}

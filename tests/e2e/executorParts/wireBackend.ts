import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/**
 * As much of the public wire protocol as one executor uses, with answers that a test chooses: for how
 * the process behaves towards its backend, not for what a backend does.
 */
export type WireAnswers = Record<string, (args: Record<string, unknown>) => unknown>;

/** An answer that is an error with the contract's code. */
export class Refusal {
  readonly code: string;
  constructor(code: string) {
    this.code = code;
  }
}

type Version = { querySet: number; identity: number; ts: bigint };
type Message = {
  type: string;
  baseVersion: number;
  newVersion: number;
  requestId: number;
  udfPath: string;
  args: [Record<string, unknown>];
  modifications: { type: string; queryId: number; udfPath: string }[];
};

const TOKEN_SECONDS = 600;

export class WireBackend {
  /** Names of the functions that were called, in order. */
  readonly calls: string[] = [];
  readonly #answers: WireAnswers;
  readonly #server = createServer((request, response) => {
    void this.#overHttp(request).then((body) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    });
  });
  readonly #sockets = new WebSocketServer({ server: this.#server });
  readonly #sessions = new Set<Session>();

  private constructor(answers: WireAnswers) {
    this.#answers = {
      "executors:enrol": () => ({ ok: true, executorId: "exec1" }),
      "executors:token": () => ({ ok: true, accessToken: aToken(), expiresAt: Date.now() + 1e6 }),
      "executors:register": () => ({ executorId: "exec1", leaseMs: 30_000 }),
      "executors:heartbeat": () => ({ leaseMs: 30_000, drain: false, directives: [] }),
      "executors:assignments": () => [],
      "logs:append": ({ seq, entries }) => ({
        nextSeq: Number(seq) + (Array.isArray(entries) ? entries.length : 0),
      }),
      ...answers,
    };
    this.#sockets.on("connection", (socket) => {
      const session = new Session(socket, (path, args) => this.answer(path, args));
      this.#sessions.add(session);
      socket.on("close", () => this.#sessions.delete(session));
    });
  }

  /** `port` 0 takes a free one. */
  static async start(answers: WireAnswers = {}, port = 0): Promise<WireBackend> {
    const backend = new WireBackend(answers);
    await new Promise<void>((resolve) => backend.#server.listen(port, "127.0.0.1", resolve));
    return backend;
  }

  get url(): string {
    // A listening TCP server has an AddressInfo.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection; the client is expected to come back. */
  disconnect(): void {
    for (const client of this.#sockets.clients) client.terminate();
  }

  async close(): Promise<void> {
    this.disconnect();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  answer(path: string, args: Record<string, unknown>): unknown {
    this.calls.push(path);
    return this.#answers[path]?.(args) ?? null;
  }

  async #overHttp(request: IncomingMessage): Promise<object> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { path, args } = JSON.parse(Buffer.concat(pieces).toString()) as {
      path: string;
      args: [Record<string, unknown>];
    };
    return { status: "success", value: this.answer(path, args[0]), logLines: [] };
  }
}

class Session {
  readonly #socket: WebSocket;
  readonly #answer: WireBackend["answer"];
  readonly #queries = new Map<number, string>();
  #version: Version = { querySet: 0, identity: 0, ts: 0n };

  constructor(socket: WebSocket, answer: WireBackend["answer"]) {
    this.#socket = socket;
    this.#answer = answer;
    socket.on("message", (raw: Buffer) => {
      this.#hear(JSON.parse(raw.toString()) as Message);
    });
  }

  #hear(message: Message): void {
    switch (message.type) {
      case "Authenticate":
        this.#move({ identity: message.baseVersion + 1 });
        return;
      case "ModifyQuerySet":
        for (const { type, queryId, udfPath } of message.modifications) {
          if (type === "Add") this.#queries.set(queryId, udfPath);
          else this.#queries.delete(queryId);
        }
        this.#move({ querySet: message.newVersion });
        return;
      case "Mutation": {
        const result = this.#answer(message.udfPath, message.args[0]);
        const { requestId } = message;
        const ts = this.#version.ts + 1n;
        const ending =
          result instanceof Refusal
            ? { success: false, result: "refused", errorData: { code: result.code, message: "no" } }
            : { success: true, result, ts: encode(ts) };
        this.#send({ type: "MutationResponse", requestId, logLines: [], ts: null, ...ending });
        this.#move({ ts });
        return;
      }
      default:
        return;
    }
  }

  #move(change: Partial<Version>): void {
    const startVersion = this.#version;
    this.#version = { ...startVersion, ...change };
    const modifications = [...this.#queries].map(([queryId, path]) => {
      const value = this.#answer(path, {});
      const common = { queryId, logLines: [], journal: null };
      return value instanceof Refusal
        ? {
            type: "QueryFailed",
            errorMessage: "refused",
            errorData: { code: value.code, message: "no" },
            ...common,
          }
        : { type: "QueryUpdated", value, ...common };
    });
    this.#send({
      type: "Transition",
      startVersion: wire(startVersion),
      endVersion: wire(this.#version),
      modifications,
    });
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }
}

const wire = (version: Version): object => ({ ...version, ts: encode(version.ts) });

function encode(ts: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ts);
  return bytes.toString("base64");
}

/** A token in form only: this backend checks none. */
export function aToken(seconds = TOKEN_SECONDS): string {
  const issued = Math.floor(Date.now() / 1000);
  const encodePart = (part: object): string =>
    Buffer.from(JSON.stringify(part)).toString("base64url");
  const claims = encodePart({ sub: "exec1", iat: issued, exp: issued + seconds });
  return `${encodePart({ alg: "RS256" })}.${claims}.${Buffer.from("none").toString("base64url")}`;
}

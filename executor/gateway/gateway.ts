import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Credential } from "./credential.js";
import { isForwarded, requestHeaders, shownToken, withoutOwn } from "./rules.js";

/**
 * Stands between the CLI of one run and the model API. It holds the real credential; the CLI has a
 * token that is good here, for this run, until `close`. Nothing else of the API, and no other host, is
 * reachable through it.
 */
export interface Gateway {
  /** Where it listens: a URL, or nothing when it listens on a socket file. */
  readonly url: string | undefined;
  readonly token: string;
  /** Ends what is on its way; nothing is answered any more. */
  close(): Promise<void>;
}

export type GatewayOptions = {
  /** Base URL of the API; its path goes before the request's own. */
  upstream: URL;
  credential: Credential;
  /** A socket file to make, or a free port of the loopback interface. */
  listen: { socket: string } | "loopback";
  /** One sentence on what was refused; it holds no secret. Called for the first ones of a run alone. */
  onRefusal: (why: string) => void;
};

/** Refusals of one run that are told: a run that goes on guessing must not fill the operator's log. */
const REFUSALS_TOLD_MAX = 20;
/** Longest request body; the API itself takes 32 MB. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Requests of one run at a time; the CLI's subagents stay below. */
const IN_FLIGHT_MAX = 32;
const CONNECTIONS_MAX = 128;
/** The API says nothing for this long: longer than the CLI itself waits (600 s). */
const SILENCE_MS_MAX = 11 * 60_000;
const REQUEST_MS_MAX = 60 * 60_000;
/** The CLI tells the two kinds of login apart by their beginnings. */
const TOKEN_PREFIX = { apiKey: "sk-ant-api03-", oauth: "sk-ant-oat01-" } as const;

/** Rejects when the socket file cannot be made. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const token = TOKEN_PREFIX[options.credential.kind] + randomBytes(32).toString("base64url");
  const forwarder = new Forwarder(options, token);
  const server = createServer((request, response) => {
    forwarder.serve(request, response).catch(() => response.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  const { listen } = options;
  const folder = await listenOn(server, listen);
  // A TCP server that listens has an AddressInfo.
  const port = listen === "loopback" ? (server.address() as AddressInfo).port : undefined;
  return {
    url: port === undefined ? undefined : `http://127.0.0.1:${port}`,
    token,
    close: async () => {
      forwarder.end();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await folder?.close();
    },
  };
}

/**
 * The path of a socket is short by law (108 bytes, unix(7)), that of a workspace is not: so it is
 * bound through the folder's descriptor, which the answer keeps open.
 */
async function listenOn(
  server: Server,
  listen: GatewayOptions["listen"],
): Promise<FileHandle | undefined> {
  const isSocket = listen !== "loopback";
  const folder = isSocket ? await open(path.dirname(listen.socket)) : undefined;
  const name = isSocket
    ? `/proc/self/fd/${String(folder?.fd)}/${path.basename(listen.socket)}`
    : undefined;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (name === undefined) server.listen(0, "127.0.0.1", resolve);
    // Whoever may reach the file still needs the token.
    else server.listen({ path: name, readableAll: true, writableAll: true }, resolve);
  });
  return folder;
}

/** What the API calls its own refusals of these kinds, so that the CLI takes ours for the same. */
const TYPES = {
  401: "authentication_error",
  403: "permission_error",
  413: "request_too_large",
  502: "api_error",
  503: "overloaded_error",
} as const;

class Forwarder {
  readonly #options: GatewayOptions;
  readonly #digest: Buffer;
  readonly #ended = new AbortController();
  #inFlight = 0;
  #refusals = 0;

  constructor(options: GatewayOptions, token: string) {
    this.#options = options;
    this.#digest = digestOf(token);
  }

  end(): void {
    this.#ended.abort();
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url } = request;
    // What the CLI asks before all else, without its login: whether anybody is there.
    if (method === "HEAD" && url === "/") {
      response.writeHead(200).end();
      return;
    }
    if (!timingSafeEqual(digestOf(shownToken(request.headers)), this.#digest)) {
      this.#refuse(response, 401, "not the token of this run");
    } else if (!isForwarded(method, url)) {
      this.#refuse(response, 403, "not a call that a run may make");
    } else if (this.#inFlight >= IN_FLIGHT_MAX) {
      this.#refuse(response, 503, "too many requests of this run at a time");
    } else {
      this.#inFlight += 1;
      response.once("close", () => (this.#inFlight -= 1));
      await this.#forward(request, response);
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { upstream, credential } = this.#options;
    const secret = await credential.current();
    if (secret === undefined) {
      this.#refuse(response, 401, "this executor's login has ended");
      return;
    }
    const base = upstream.pathname.replace(/\/$/, "");
    const away = new AbortController();
    response.once("close", () => {
      away.abort();
    });
    const limits = [this.#ended.signal, away.signal, AbortSignal.timeout(REQUEST_MS_MAX)];
    const forwarded = (upstream.protocol === "https:" ? httpsRequest : httpRequest)(
      {
        protocol: upstream.protocol,
        hostname: upstream.hostname,
        port: upstream.port,
        path: base + (request.url ?? ""),
        method: "POST",
        headers: requestHeaders(request.headers, credential.kind, secret),
        timeout: SILENCE_MS_MAX,
        signal: AbortSignal.any(limits),
      },
      (answer) => {
        this.#answer(answer, response);
      },
    );
    forwarded.once("timeout", () => forwarded.destroy(new Error("the model API fell silent")));
    forwarded.once("error", (error) => {
      // Once the answer has begun, a cut is what the CLI has to see.
      if (response.headersSent) response.destroy();
      else this.#refuse(response, 502, `the model API is not reached: ${said(error)}`);
    });
    this.#sendBody(request, { forwarded, response });
  }

  #sendBody(
    request: IncomingMessage,
    {
      forwarded,
      response,
    }: { forwarded: ReturnType<typeof httpRequest>; response: ServerResponse },
  ): void {
    let bytes = 0;
    request.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes <= BODY_BYTES_MAX) return;
      request.unpipe(forwarded);
      forwarded.destroy();
      this.#refuse(response, 413, "the request is too large");
    });
    request.once("error", () => forwarded.destroy());
    request.pipe(forwarded);
  }

  #answer(answer: IncomingMessage, response: ServerResponse): void {
    const status = answer.statusCode ?? 502;
    if (status === 401) this.#options.credential.refused();
    if (status >= 300 && status < 400) {
      answer.resume();
      this.#refuse(response, 502, "the model API answers with a redirect");
      return;
    }
    response.writeHead(status, withoutOwn(answer.headers));
    // The first event may be minutes away; the CLI counts from the headers.
    response.flushHeaders();
    answer.once("error", () => response.destroy());
    answer.once("aborted", () => response.destroy());
    answer.pipe(response);
  }

  #refuse(response: ServerResponse, status: keyof typeof TYPES, message: string): void {
    if (response.headersSent || response.destroyed) return;
    this.#refusals += 1;
    const isLast = this.#refusals === REFUSALS_TOLD_MAX;
    const end = isLast ? " (further refusals of this run are not told)" : "";
    if (this.#refusals <= REFUSALS_TOLD_MAX) this.#options.onRefusal(message + end);
    response.writeHead(status, { "content-type": "application/json", connection: "close" });
    response.end(JSON.stringify({ type: "error", error: { type: TYPES[status], message } }));
  }
}

/** Of the same length whatever is given, so that the comparison tells nothing. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function said(error: Error): string {
  return "code" in error ? String(error.code) : error.message;
}

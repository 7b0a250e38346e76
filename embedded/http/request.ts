/** What a handler gets and gives: the request read within its bounds, and the answer to write. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, type Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import type { z } from "zod";
import type { Authenticator } from "../auth/identity.js";
import { AuthFailure, isAdmin } from "../auth/identity.js";
import type { Identity, RequestMetadata } from "../functions/types.js";
import { StoreFailure } from "../store/store.js";

/** A request that is answered with `status` and `{code, message}`. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export type Reply =
  | { status?: number; json: unknown }
  | { status?: number; text: string }
  /** A body that is sent as it is read. */
  | { status?: number; body: Readable; headers: Record<string, string> };

export type Caller = { identity: Identity; request: RequestMetadata };

/** The two ends of one HTTP request. */
export type Exchange = { incoming: IncomingMessage; response: ServerResponse };

const unpack = { br: promisify(brotliDecompress), gzip: promisify(gunzip) };

/** One request on the cloud origin. Body and caller are read when a handler asks for them. */
export class HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly #incoming: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #authenticator: Authenticator;

  constructor(exchange: Exchange, authenticator: Authenticator) {
    const { incoming } = exchange;
    this.#incoming = incoming;
    this.#response = exchange.response;
    this.#authenticator = authenticator;
    this.method = incoming.method ?? "GET";
    this.url = readUrl(incoming.url ?? "/", "http://localhost");
  }

  /** Aborts when the client goes away. */
  get closed(): AbortSignal {
    const controller = new AbortController();
    this.#response.once("close", () => {
      controller.abort();
    });
    return controller.signal;
  }

  /** Who calls. Throws AuthFailure for credentials that prove nothing. */
  async caller(): Promise<Caller> {
    const key = this.url.searchParams.get("adminKey");
    const header =
      this.#incoming.headers.authorization ?? (key === null ? undefined : `Convex ${key}`);
    const { identity, token } = await this.#authenticator.fromHeader(header);
    return { identity, request: { ...requestMetadata(this.#incoming), authToken: token } };
  }

  /** The caller, who must hold the admin key. */
  async admin(): Promise<Caller> {
    const caller = await this.caller();
    if (!isAdmin(caller.identity)) {
      throw new AuthFailure("BadAdminKey", "This endpoint needs the admin key of this deployment");
    }
    return caller;
  }

  /** By its lower-case name; a header that came several times is one text. */
  header(name: string): string | undefined {
    const value = this.#incoming.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** The body as it comes in; the reader sees to its bounds. */
  stream(): AsyncIterable<Uint8Array> {
    // Without an encoding set, a message gives buffers.
    return this.#incoming as AsyncIterable<Buffer>;
  }

  async bytes(max: number): Promise<Buffer> {
    const raw = await readBody(this.#incoming, max);
    const encoding = this.#incoming.headers["content-encoding"] ?? "identity";
    if (encoding === "identity") return raw;
    if (encoding !== "br" && encoding !== "gzip") {
      throw new HttpError(
        415,
        "UnsupportedEncoding",
        `content-encoding "${encoding}"; use br or gzip`,
      );
    }
    try {
      return await unpack[encoding](raw, { maxOutputLength: max });
    } catch (error) {
      const isTooLong =
        error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
      if (isTooLong) throw tooLarge(max);
      throw new HttpError(400, "BadBody", `the body is not valid ${encoding}`);
    }
  }

  /** The body as JSON of the form `schema` describes. An empty body is `{}`. */
  async json<T extends z.ZodType>(schema: T, max: number): Promise<z.output<T>> {
    const text = (await this.bytes(max)).toString("utf8");
    return parseForm(schema, parseJson(text === "" ? "{}" : text));
  }
}

/** Throws HttpError 400 when the path is none. */
export function readUrl(path: string, origin: string): URL {
  if (URL.canParse(path, origin)) return new URL(path, origin);
  throw new HttpError(400, "BadUrl", "the address cannot be understood");
}

/** Throws HttpError 400 when the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new HttpError(400, "BadJsonBody", `not JSON: ${error.message}`);
  }
}

/** Throws HttpError 400 naming the first field that is wrong. */
export function parseForm<T extends z.ZodType>(schema: T, raw: unknown): z.output<T> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  throw new HttpError(400, "BadJsonBody", `${where || "body"}: ${issue?.message ?? "malformed"}`);
}

const tooLarge = (max: number) =>
  new HttpError(413, "BodyTooLarge", `the body is larger than ${max} bytes`);

/** Reads a body whole. Throws HttpError 413 when it is longer than `max` bytes. */
export async function readBody(incoming: IncomingMessage, max: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > max) throw tooLarge(max);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Taken from the connection itself: forwarding headers can be made up by anybody. */
export function requestMetadata(incoming: IncomingMessage): RequestMetadata {
  return {
    ip: incoming.socket.remoteAddress ?? null,
    userAgent: incoming.headers["user-agent"] ?? null,
    requestId: randomBytes(8).toString("hex"),
    authToken: null,
  };
}

export function writeReply(response: ServerResponse, reply: Reply): void {
  if ("body" in reply) {
    response.writeHead(reply.status ?? 200, reply.headers);
    pipeline(reply.body, response, (error) => {
      // The head is out already: all there is to say is that the body ends too early.
      if (error !== null) response.destroy();
    });
    return;
  }
  const isText = "text" in reply;
  response.writeHead(reply.status ?? 200, {
    "content-type": isText ? "text/plain; charset=utf-8" : "application/json",
  });
  response.end(isText ? reply.text : JSON.stringify(reply.json));
}

/** The answer to a request that failed; null when the failure is ours. */
export function replyToError(error: unknown): Reply | null {
  if (error instanceof HttpError || error instanceof AuthFailure) {
    return { status: error.status, json: { code: error.code, message: error.message } };
  }
  if (error instanceof StoreFailure) {
    return { status: 503, json: { code: "StoreFailure", message: error.message } };
  }
  return null;
}

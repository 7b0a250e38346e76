/** Hands the requests of both origins to their handlers and writes every answer, errors included. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Authenticator } from "../auth/identity.js";
import { addCors } from "./cors.js";
import type { EventLog } from "./eventLog.js";
import { runHttpAction, type HttpActionOptions } from "./httpActions.js";
import { HttpRequest, replyToError, writeReply, type Exchange } from "./request.js";
import type { Router } from "./router.js";

/** HTTP actions are also reachable under this prefix of the cloud origin. */
const HTTP_ACTION_PREFIX = "/http";

export type ListenerOptions = {
  router: Router;
  authenticator: Authenticator;
  httpActions: HttpActionOptions;
  log: EventLog;
};

type Handle = (exchange: Exchange) => Promise<void>;

/** The cloud origin: the API, and HTTP actions under their prefix. */
export function cloudHandler(options: ListenerOptions): Handle {
  return async (exchange) => {
    const { incoming, response } = exchange;
    addCors(incoming, response);
    const path = incoming.url ?? "/";
    if (path.startsWith(`${HTTP_ACTION_PREFIX}/`)) {
      const stripped = path.slice(HTTP_ACTION_PREFIX.length);
      await runHttpAction(options.httpActions, { ...exchange, path: stripped });
      return;
    }
    if (incoming.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    const request = new HttpRequest(exchange, options.authenticator);
    writeReply(response, await options.router(request));
  };
}

/** The site origin: HTTP actions only; CORS is their own business. */
export function siteHandler(options: ListenerOptions): Handle {
  return async (exchange) =>
    runHttpAction(options.httpActions, { ...exchange, path: exchange.incoming.url ?? "/" });
}

/** Counts the requests under way, so that a shutdown can wait for them. */
export class RequestCounter {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  async track(work: () => Promise<void>): Promise<void> {
    this.#running += 1;
    try {
      await work();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) for (const resolve of this.#waiting) resolve();
    }
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
    });
  }
}

/** Makes a listener of a handler that becomes known later; requests wait for it. */
export function toListener(
  handler: Promise<Handle>,
  options: { counter: RequestCounter; log: EventLog },
): RequestListener {
  return (incoming: IncomingMessage, response: ServerResponse) => {
    const answered = options.counter.track(async () => {
      try {
        const handle = await handler;
        await handle({ incoming, response });
      } catch (error) {
        answerError(error, { response, log: options.log });
      }
    });
    answered.catch((error: unknown) => {
      options.log("http.fault", { error });
      response.destroy();
    });
  };
}

function answerError(error: unknown, to: { response: ServerResponse; log: EventLog }): void {
  const { response, log } = to;
  const known = replyToError(error);
  if (known === null) log("http.fault", { error });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const message = "Your request couldn't be completed. Try again later.";
  const reply = known ?? { status: 500, json: { code: "InternalServerError", message } };
  // The rest of a refused body is not read; the connection cannot be used again.
  response.setHeader("connection", "close");
  writeReply(response, reply);
}

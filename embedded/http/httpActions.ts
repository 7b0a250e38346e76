/** HTTP actions: node requests in, the functions' Response out, streamed and bounded both ways. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AuthFailure, type Authenticator } from "../auth/identity.js";
import type { FunctionRunner, Identity } from "../functions/types.js";
import { httpLimits } from "./limits.js";
import { readBody, readUrl, requestMetadata } from "./request.js";

export type HttpActionOptions = {
  runner: FunctionRunner;
  authenticator: Authenticator;
  /** Origin under which functions see the request. */
  siteUrl: () => string;
};

/** Runs the route for `path` (with its search part) and writes the answer. */
export async function runHttpAction(
  options: HttpActionOptions,
  exchange: { incoming: IncomingMessage; response: ServerResponse; path: string },
): Promise<void> {
  const { incoming, response, path } = exchange;
  const { identity, token } = await identify(options.authenticator, incoming);
  const metadata = { ...requestMetadata(incoming), authToken: token };
  const request = await toRequest(incoming, readUrl(path, options.siteUrl()));
  const outcome = await options.runner.httpAction(request, identity, metadata);
  await writeResponse(response, outcome.response);
}

/** Bad credentials do not fail an HTTP action; they only leave the identity unknown. */
async function identify(
  authenticator: Authenticator,
  incoming: IncomingMessage,
): Promise<{ identity: Identity; token: string | null }> {
  try {
    return await authenticator.fromHeader(incoming.headers.authorization);
  } catch (error) {
    if (!(error instanceof AuthFailure)) throw error;
    return { identity: { kind: "none" }, token: null };
  }
}

async function toRequest(incoming: IncomingMessage, url: URL): Promise<Request> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  const method = incoming.method ?? "GET";
  const body = await readBody(incoming, httpLimits.httpActionBytesMax);
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(url, { method, headers, ...(hasBody ? { body } : {}) });
}

async function writeResponse(response: ServerResponse, answer: Response): Promise<void> {
  const headers: [string, string][] = [...answer.headers];
  response.statusCode = answer.status;
  for (const [name, value] of headers) {
    if (name !== "set-cookie") response.setHeader(name, value);
  }
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  let sent = 0;
  for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    // Leaving the loop cancels the stream.
    if (response.destroyed) return;
    sent += chunk.length;
    if (sent > httpLimits.httpActionBytesMax) {
      // The head is already out: only cutting the connection tells the client that this is not all.
      response.destroy();
      return;
    }
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

/** A client that went away counts as drained: writing to it has no effect. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });

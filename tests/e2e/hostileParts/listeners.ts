/** Servers on loopback that remember what reached them. */
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

export type Listener = {
  url: string;
  port: number;
  /** Newest last. */
  seen: { path: string; headers: IncomingHttpHeaders; body: string }[];
  close: () => Promise<void>;
};

/** Somebody who waits for what a clone may send him. */
export function startAttacker(): Promise<Listener> {
  return listen((_, response) => response.writeHead(200).end("{}"));
}

/** Hands everything on to `target`; the API's stand-in keeps no bodies. */
export function startRecorder(target: string): Promise<Listener> {
  return listen((incoming, response, body) => {
    const { method = "GET", url = "/", headers } = incoming;
    const onward = request(new URL(url, target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.once("error", () => response.destroy());
    response.once("close", () => onward.destroy());
    onward.end(body);
  });
}

async function listen(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<Listener> {
  const seen: Listener["seen"] = [];
  const server = createServer((incoming, response) => {
    let body = "";
    incoming.setEncoding("utf8").on("data", (piece: string) => (body += piece));
    incoming.once("end", () => {
      seen.push({ path: incoming.url ?? "", headers: incoming.headers, body });
      answer(incoming, response, body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    ...{ port, url: `http://127.0.0.1:${String(port)}`, seen },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

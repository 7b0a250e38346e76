/** A WebSocket proxy that cuts both ends after a number of messages, and lets all later ones pass. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

export type CutPoint = { after: number; direction: "toServer" | "toClient" };

export type Proxy = {
  url: string;
  /** Whether the cut came: false when fewer messages passed. */
  hasCut(): boolean;
  close(): Promise<void>;
};

/** Forwards to `target`; the message that reaches the cut point is delivered or dropped with it. */
export async function startProxy(
  target: string,
  cut: CutPoint & { isDelivered: boolean },
): Promise<Proxy> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  // A listening TCP server has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  let passed = 0;
  let isCut = false;
  server.on("connection", (client, request) => {
    const backend = new WebSocket(`${target.replace("http", "ws")}${request.url ?? "/"}`);
    const waiting: string[] = [];
    const end = () => {
      client.terminate();
      backend.terminate();
    };
    /** False ends the connection. */
    const mayPass = (direction: CutPoint["direction"], text: string): boolean => {
      const isPing = text === '{"type":"Ping"}';
      if (isCut || isPing || direction !== cut.direction) return true;
      passed += 1;
      isCut = passed >= cut.after;
      return !isCut;
    };
    const forward = (to: WebSocket, text: string, isLast: boolean) => {
      if (!isLast) to.send(text);
      else if (cut.isDelivered) to.send(text, end);
      else end();
    };
    backend.once("open", () => {
      for (const text of waiting.splice(0)) forward(backend, text, !mayPass("toServer", text));
    });
    client.on("message", (data) => {
      const text = textOf(data);
      if (backend.readyState === WebSocket.CONNECTING) waiting.push(text);
      else forward(backend, text, !mayPass("toServer", text));
    });
    backend.on("message", (data) => {
      const text = textOf(data);
      forward(client, text, !mayPass("toClient", text));
    });
    for (const socket of [client, backend]) {
      socket.on("close", end);
      // The close that follows says all there is to know.
      socket.on("error", end);
    }
  });
  return {
    url: `http://127.0.0.1:${port}`,
    hasCut: () => isCut,
    close: async () => {
      for (const client of server.clients) client.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

// Frames of the protocol are text, which ws hands over as one Buffer.
const textOf = (data: unknown): string => String(data);

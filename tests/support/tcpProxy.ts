/** A way to a local port that can be cut: open connections end, and none is taken any more. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll } from "vitest";

export type TcpProxy = { url: string; cut(): Promise<void> };

/** Passes on what comes to it; cut at the latest when the test file is done. */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(port, "127.0.0.1");
    for (const socket of [client, target]) {
      sockets.add(socket);
      const end = () => {
        client.destroy();
        target.destroy();
        sockets.delete(socket);
      };
      // Either end going away ends both; the close that follows an error says the same.
      socket.on("error", end).on("close", end);
    }
    client.pipe(target).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let isCut = false;
  const cut = async () => {
    if (isCut) return;
    isCut = true;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  afterAll(cut);
  // A listening TCP server has an AddressInfo.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut };
}

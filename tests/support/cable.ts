/** A cable between a browser and the backend that can be cut, and mended again. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll } from "vitest";

export type Cable = {
  /** The same as the backend's address, by way of the cable. */
  url: string;
  /** Ends all connections, and refuses new ones. */
  cut: () => void;
  mend: () => void;
};

const closings: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closings.splice(0)) await close();
});

/** Lays a cable to the backend of this address, on loopback. It is taken up when the file ends. */
export async function layCable(backendUrl: string): Promise<Cable> {
  const { hostname, port } = new URL(backendUrl);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      // A reset is the ordinary end here.
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  closings.push(async () => {
    server.close();
    endAll();
    await once(server, "close");
  });
  // A TCP server that listens has an AddressInfo.
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(taken)}`,
    cut: () => {
      isCut = true;
      endAll();
    },
    mend: () => {
      isCut = false;
    },
  };
}

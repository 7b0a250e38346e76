/**
 * The WebSocket end of sync: upgrades, frames in and out, pings, and dropping dead sockets. What the
 * messages mean is session.ts's business.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import type { Authenticator } from "../auth/identity.js";
import type { Engine } from "../engine/engine.js";
import type { FunctionRunner, RequestMetadata } from "../functions/types.js";
import type { EventLog } from "../http/eventLog.js";
import { syncLimits } from "./limits.js";
import { encodeFrames } from "./protocol.js";
import { Session } from "./session.js";

/** Above this a frame is not even read; between here and messageBytesMax it gets a FatalError. */
const HARD_FRAME_BYTES_MAX = 2 * syncLimits.messageBytesMax;
const SYNC_PATH = /^\/api(\/[^/]+)?\/sync$/;

export type SyncOptions = {
  engine: Engine;
  runner: FunctionRunner;
  authenticator: Authenticator;
  nowMs: () => number;
  log: EventLog;
};

/** All sync sockets of the server. */
export class SyncSockets {
  readonly #options: SyncOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: HARD_FRAME_BYTES_MAX,
    perMessageDeflate: false,
  });
  readonly #sessions = new Map<WebSocket, Session>();

  constructor(options: SyncOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** Takes an HTTP upgrade; refuses with 400 any path that is not a sync path. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Nobody else listens to a connection that is handed over: unheard, its error ends the process.
    socket.on("error", (error) => {
      this.#options.log("sync.socketError", { error });
    });
    const [pathname = ""] = (request.url ?? "").split("?");
    if (!SYNC_PATH.test(pathname)) {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(webSocket, requestSource(request));
    });
  }

  /** Answers the mutations that run, then closes every socket. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.#sessions].map(async ([webSocket, session]) => {
        await session.drain();
        await closeGently(webSocket);
      }),
    );
    this.#server.close();
  }

  #open(webSocket: WebSocket, newRequest: () => RequestMetadata): void {
    const { log } = this.#options;
    let lastSent: Promise<void> = Promise.resolve();
    const session = new Session({
      engine: this.#options.engine,
      runner: this.#options.runner,
      authenticator: this.#options.authenticator,
      nowMs: this.#options.nowMs,
      newRequest,
      send: (message) => (lastSent = sendFrames(webSocket, encodeFrames(message))),
      drained: () =>
        webSocket.bufferedAmount < syncLimits.untakenBytesMax ? Promise.resolve() : lastSent,
      onWaiting: (chars) => {
        if (chars >= syncLimits.waitingCharsMax) webSocket.pause();
        else if (webSocket.isPaused) webSocket.resume();
      },
      close: ({ code, reason }) => {
        webSocket.close(code, reason);
      },
      onFault: (error) => {
        log("sync.fault", { error });
      },
    });
    this.#sessions.set(webSocket, session);
    const stopPings = keepAlive(webSocket);
    webSocket.on("message", (data: RawData) => {
      const bytes = toBuffer(data);
      if (bytes.length > syncLimits.messageBytesMax) session.refuseOversized(bytes.length);
      else session.receive(bytes.toString("utf8"));
    });
    webSocket.on("error", (error) => {
      log("sync.socketError", { error });
    });
    webSocket.on("close", () => {
      stopPings();
      session.dispose();
      this.#sessions.delete(webSocket);
    });
  }
}

/** Lets what was sent arrive before the connection goes; a client that does not answer is cut. */
function closeGently(webSocket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      webSocket.terminate();
    }, syncLimits.closeMsMax);
    webSocket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    webSocket.close(1001, "ServerShuttingDown");
  });
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

/** Resolves when the last frame is written; a socket that is closing takes nothing and resolves. */
async function sendFrames(webSocket: WebSocket, frames: string[]): Promise<void> {
  await Promise.all(
    frames.map(
      (frame) =>
        new Promise<void>((resolve) => {
          if (webSocket.readyState !== webSocket.OPEN) {
            resolve();
            return;
          }
          // A write error also ends the socket, whose "close" event disposes of the session.
          webSocket.send(frame, () => {
            resolve();
          });
        }),
    ),
  );
}

/** Pings on both levels; a socket that shows no sign of life for silentMaxMs is cut. */
function keepAlive(webSocket: WebSocket): () => void {
  const ping = JSON.stringify({ type: "Ping" });
  let lastHeardMs = performance.now();
  const heard = () => {
    lastHeardMs = performance.now();
  };
  webSocket.on("message", heard);
  webSocket.on("pong", heard);
  const timer = setInterval(() => {
    // While we do not read we cannot hear.
    if (webSocket.isPaused) heard();
    if (performance.now() - lastHeardMs > syncLimits.silentMaxMs) {
      webSocket.terminate();
      return;
    }
    if (webSocket.readyState !== webSocket.OPEN) return;
    webSocket.ping();
    webSocket.send(ping);
  }, syncLimits.pingEveryMs);
  return () => {
    clearInterval(timer);
  };
}

function requestSource(request: IncomingMessage): () => RequestMetadata {
  const ip = request.socket.remoteAddress ?? null;
  const userAgent = request.headers["user-agent"] ?? null;
  return () => ({ ip, userAgent, requestId: randomBytes(8).toString("hex"), authToken: null });
}

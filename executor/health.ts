import { createServer, type ServerResponse } from "node:http";
import { expositionText, type Metrics } from "./exposition.js";

/** What the health page tells; never a secret, never a job's content. */
export type HealthView = {
  /** Why the executor cannot work now, in words; empty when it can. */
  problems: string[];
  metrics: Metrics;
};
export type HealthServer = { port: number; close: () => Promise<void> };

/**
 * `/health`: the process answers (200), with its problems. `/ready`: it can take work (200 or 503).
 * `/metrics`: numbers as JSON, or as Prometheus text to whoever accepts `text/plain`. Rejects with the
 * system's error when the port is taken.
 */
export async function startHealth(options: {
  host: string;
  port: number;
  view: () => HealthView;
}): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const { problems, metrics } = options.view();
    const state = problems.length === 0 ? "ok" : "degraded";
    if (request.method !== "GET") {
      send(response, 405, { error: "only GET is served" });
      return;
    }
    switch (new URL(request.url ?? "/", "http://executor").pathname) {
      case "/health":
        send(response, 200, { status: state, problems });
        return;
      case "/ready":
        send(response, problems.length === 0 ? 200 : 503, { ready: state === "ok", problems });
        return;
      case "/metrics":
        if (acceptsText(request.headers.accept)) {
          sendText(response, expositionText(metrics, problems.length));
        } else send(response, 200, metrics);
        return;
      default:
        send(response, 404, { error: "try /health, /ready or /metrics" });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Prometheus asks for text by name; people and scripts, which accept anything, get JSON as before. */
function acceptsText(accept: string | undefined): boolean {
  return accept !== undefined && /\btext\/plain\b|\bapplication\/openmetrics-text\b/.test(accept);
}

function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, {
    "content-type": "text/plain; version=0.0.4; charset=utf-8",
    "cache-control": "no-store",
  });
  response.end(text);
}

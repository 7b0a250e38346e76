/** Serves dist/dashboard: static files, one page for every path that is none, and where the backend is. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { CommandError } from "../errors.js";
import { securityHeaders } from "./headers.js";

const PAGE = "/index.html";
const CONFIG = "/config.json";
/** Names in this folder carry a hash of their content: they never change. */
const HASHED = "/assets/";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

export type DashboardStart = {
  /** Of the package: its dist/dashboard is served. */
  root: string;
  /** Address of the deployment, as browsers reach it. */
  backendUrl: string;
  host?: string;
  /** 0 takes a free one. */
  port: number;
};

export type DashboardServer = { url: string; close: () => Promise<void> };

/** Resolves once it listens. The files are read once: what is served is what was built at the start. */
export async function startDashboard(start: DashboardStart): Promise<DashboardServer> {
  const { root, backendUrl, host = "127.0.0.1", port } = start;
  const files = await readFiles(path.join(root, "dist", "dashboard"));
  files.set(CONFIG, Buffer.from(JSON.stringify({ backendUrl })));
  const headers = securityHeaders(backendUrl);
  const server = createServer((request, response) => {
    answer({ files, headers }, request, response);
  });
  await listen(server, host, port);
  // A TCP server that listens has an AddressInfo.
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${String(taken)}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

type Files = Map<string, Buffer>;

/** All files by their path in an address: nothing outside of the folder can be asked for. */
async function readFiles(folder: string): Promise<Files> {
  if (!existsSync(path.join(folder, PAGE))) {
    throw new CommandError(`${folder} is missing; build it first with: npm run build`);
  }
  const files: Files = new Map();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = path.join(entry.parentPath, entry.name);
    const name = `/${path.relative(folder, file).split(path.sep).join("/")}`;
    files.set(name, await readFile(file));
  }
  return files;
}

type Served = { files: Files; headers: Record<string, string> };

function answer(
  { files, headers }: Served,
  { method, url }: IncomingMessage,
  response: ServerResponse,
): void {
  if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { ...headers, allow: "GET, HEAD" }).end();
    return;
  }
  const asked = (url ?? "/").split(/[?#]/)[0] ?? "/";
  // A path with an extension names a file; every other one is an address of the page.
  const name = files.has(asked) ? asked : path.posix.extname(asked) === "" ? PAGE : undefined;
  const body = name === undefined ? undefined : files.get(name);
  if (name === undefined || body === undefined) {
    response.writeHead(404, { ...headers, "content-type": "text/plain" }).end("not found\n");
    return;
  }
  response.writeHead(200, {
    ...headers,
    "content-type": TYPES[path.posix.extname(name)] ?? "application/octet-stream",
    "content-length": body.byteLength,
    "cache-control": name.startsWith(HASHED) ? "public, max-age=31536000, immutable" : "no-cache",
  });
  response.end(method === "HEAD" ? undefined : body);
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    server.once("error", (error) => {
      reject(
        new CommandError(
          `the dashboard cannot listen on ${host}:${String(port)} (${error.message}); choose another port.`,
        ),
      );
    });
  });
  server.listen(port, host);
  await Promise.race([once(server, "listening"), failed]);
}

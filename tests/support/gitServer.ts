/**
 * A private git host on loopback: smart HTTP by `git http-backend`, a token for each repository, and a
 * record of every request. It can also stand for a host that sends its callers on to another.
 */
import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Grant = {
  /** Like `octo/hello.git`, below the server's folder. */
  repository: string;
  write?: boolean;
  isExpired?: boolean;
};
export type GitServerOptions = {
  /** Holds `<owner>/<name>.git` folders, bare. */
  folder: string;
  /** By token. */
  grants: Record<string, Grant>;
  /** Every request is sent there instead. */
  redirectTo?: string;
  /** Called while the client waits for its answer. */
  onRequest?: () => void;
};

export type GitServer = {
  /** `127.0.0.1:<port>`, as a repository's host. */
  host: string;
  requests: { url: string; authorization: string | undefined }[];
  close: () => Promise<void>;
};

const PATH = /^\/([\w.-]+\/[\w.-]+\.git)\/(info\/refs|git-upload-pack|git-receive-pack)$/;

/** Listens on a free port of 127.0.0.1. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const requests: GitServer["requests"] = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url ?? "", authorization: request.headers.authorization });
    options.onRequest?.();
    answer(options, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { host: `127.0.0.1:${port}`, requests, close };
}

function answer(options: GitServerOptions, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? "", "http://git.invalid");
  if (options.redirectTo !== undefined) {
    response.writeHead(301, { location: options.redirectTo + (request.url ?? "") }).end();
    return;
  }
  const [, repository, service] = PATH.exec(url.pathname) ?? [];
  if (repository === undefined) {
    response.writeHead(404).end();
    return;
  }
  const grant = grantOf(options, request.headers.authorization);
  if (grant?.repository !== repository || grant.isExpired === true) {
    response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end("who are you?");
    return;
  }
  const isWrite = [service, url.searchParams.get("service")].includes("git-receive-pack");
  if (isWrite && grant.write !== true) {
    response.writeHead(403).end("this token reads only");
    return;
  }
  serve(options.folder, request, response);
}

function grantOf({ grants }: GitServerOptions, header: string | undefined): Grant | undefined {
  const encoded = /^basic (\S+)$/i.exec(header ?? "")?.[1] ?? "";
  const [username, token] = Buffer.from(encoded, "base64").toString().split(":");
  return username === "x-access-token" ? grants[token ?? ""] : undefined;
}

/** CGI (RFC 3875): the request by variables and stdin, headers and body from stdout. */
function serve(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "", "http://git.invalid");
  const header = (name: string): string => String(request.headers[name] ?? "");
  const child = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "ignore"],
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: header("content-type"),
      CONTENT_LENGTH: header("content-length"),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      GIT_PROTOCOL: header("git-protocol"),
      REMOTE_USER: "somebody",
      REMOTE_ADDR: "127.0.0.1",
    },
  });
  // The client may go away in the middle; that ends the child, and the response with it.
  child.stdin.on("error", () => response.destroy());
  request.pipe(child.stdin);
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  child.on("error", () => response.writeHead(500).end());
  child.on("close", () => {
    const output = Buffer.concat(pieces);
    const end = output.indexOf("\r\n\r\n");
    const lines = output.subarray(0, Math.max(0, end)).toString().split("\r\n");
    const headers = lines.map((line) => line.split(/:\s*/, 2));
    const status = headers.find(([name]) => name?.toLowerCase() === "status")?.[1] ?? "200";
    for (const [name, value] of headers) {
      if (name !== undefined && value !== undefined && name.toLowerCase() !== "status") {
        response.setHeader(name, value);
      }
    }
    response.writeHead(Number.parseInt(status, 10)).end(output.subarray(end + 4));
  });
}

/** The backend as a process of its own, with the bench's functions deployed, and clients for it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";
import { WebSocket } from "ws";

const root = path.resolve(import.meta.dirname, "..");
const FIXTURE = path.join(root, "tests/bench/fixtures/embedded");
const MS_PER_TICK = 10;
const CLI = path.join(root, "node_modules/convex/bin/main.js");

export const api = {
  set: makeFunctionReference<"mutation", { tag: string; n: number }, null>("bench:set"),
  add: makeFunctionReference<"mutation", { tag: string; n: number }, null>("bench:add"),
  value: makeFunctionReference<"query", { tag: string }, number | null>("bench:value"),
  points: makeFunctionReference<"query", { ns: number[] }, string[]>("bench:points"),
  gets: makeFunctionReference<"query", { ids: string[] }, number>("bench:gets"),
  ranges: makeFunctionReference<"query", { starts: number[]; length: number }, number>(
    "bench:ranges",
  ),
  appendChunks: makeFunctionReference<
    "mutation",
    { job: string; from: number; count: number; text: string },
    null
  >("bench:appendChunks"),
  sweepChunks: makeFunctionReference<"mutation", { before: number; max: number }, number>(
    "bench:sweepChunks",
  ),
};

export type ServerStart = { dataDir?: string; isSynced?: boolean; isDeployed?: boolean };

export class BenchServer {
  readonly url: string;
  readonly adminKey: string;
  readonly dataDir: string;
  /** ms from the spawn of the process to its line that it listens. */
  readonly startMs: number;
  readonly #child: ChildProcess;
  readonly #clients: ConvexClient[] = [];

  constructor(started: { child: ChildProcess; line: string; dataDir: string; startMs: number }) {
    // The line is the command's own promise.
    const ready = JSON.parse(started.line) as { url: string; adminKeyFile: string };
    this.url = ready.url;
    this.adminKey = readFileSync(ready.adminKeyFile, "utf8").trim();
    this.dataDir = started.dataDir;
    this.startMs = started.startMs;
    this.#child = started.child;
  }

  client(): ConvexClient {
    const client = new ConvexClient(this.url, {
      // ws implements the parts of the browser's class that the client uses.
      webSocketConstructor: WebSocket as unknown as typeof globalThis.WebSocket,
      skipConvexDeploymentUrlCheck: true,
      unsavedChangesWarning: false,
      logger: false,
    });
    this.#clients.push(client);
    return client;
  }

  http(): ConvexHttpClient {
    return new ConvexHttpClient(this.url, { skipConvexDeploymentUrlCheck: true, logger: false });
  }

  async post(endpoint: string, body: Uint8Array<ArrayBuffer> | string): Promise<unknown> {
    const answer = await fetch(`${this.url}${endpoint}`, {
      method: "POST",
      headers: { authorization: `Convex ${this.adminKey}` },
      body,
    });
    if (!answer.ok) throw new Error(`${endpoint}: ${await answer.text()}`);
    return answer.json();
  }

  /** Resident memory in MB. */
  memoryMb(): number {
    const status = readFileSync(`/proc/${String(this.#child.pid)}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? "0") / 1024;
  }

  /** Processor time used so far, in ms: what is left of a figure on a busy machine. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${String(this.#child.pid)}/stat`, "utf8");
    // After the command in parentheses: user and system time are the 12th and 13th fields, in ticks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }

  /** The data file and its log in MB. */
  diskMb(): number {
    const names = readdirSync(this.dataDir).filter((name) => name.startsWith("data.sqlite"));
    const bytes = names.map((name) => statSync(path.join(this.dataDir, name)).size);
    return bytes.reduce((sum, size) => sum + size, 0) / 1024 / 1024;
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGTERM");
    await once(this.#child, "exit");
  }
}

// A bench that fails leaves no process behind.
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export async function startServer(start: ServerStart = {}): Promise<BenchServer> {
  const dataDir = start.dataDir ?? path.join(tempFolder(), "data");
  const args = ["start", "--data", dataDir, "--port", "0", "--control"];
  if (start.isSynced === false) args.push("--no-sync");
  const spawnedAt = performance.now();
  const child = spawn(process.execPath, [path.join(root, "dist/embedded.mjs"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-10_000)));
  running.add(child);
  const line = await Promise.race([
    once(createInterface(child.stdout), "line").then(([text]) => String(text)),
    once(child, "exit").then(() => Promise.reject(new Error(`it did not start: ${stderr}`))),
  ]);
  const startMs = performance.now() - spawnedAt;
  const server = new BenchServer({ child, line, dataDir, startMs });
  if (start.isDeployed !== false) await deploy(server);
  return server;
}

async function deploy(server: BenchServer): Promise<void> {
  await promisify(execFile)(
    process.execPath,
    [CLI, "deploy", "--typecheck", "disable", "--codegen", "disable"],
    {
      cwd: FIXTURE,
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        CI: "1",
        CONVEX_SELF_HOSTED_URL: server.url,
        CONVEX_SELF_HOSTED_ADMIN_KEY: server.adminKey,
      },
    },
  );
}

const folders: string[] = [];
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function tempFolder(): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "fondation-bench-embedded-")));
  folders.push(folder);
  return folder;
}

/** Starts the real backend process, runs the official CLI against it, and opens official clients. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import {
  makeFunctionReference,
  type FunctionArgs,
  type FunctionReference,
  type FunctionReturnType,
  type PaginationResult,
} from "convex/server";
import { build } from "esbuild";
import { afterAll } from "vitest";
import { WebSocket } from "ws";
import { tempDir } from "../support/tempDir.js";
import { waitFor } from "../support/waitFor.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const APP = path.join(import.meta.dirname, "fixtures/app");
const CACHE = path.join(ROOT, "node_modules/.cache/wire-tests");
const CLI_MS_MAX = 60_000;

export type Row = { _id: string; _creationTime: number; tag: string; n: number };
export type Job = { _id: string; name: string; state: { kind: string; error?: string } };
type Page = PaginationResult<Row>;
type RowFields = { tag: string; n: number };

/** The fixture's public functions. */
export const rows = {
  list: makeFunctionReference<"query", { tag: string }, Row[]>("rows:list"),
  page: makeFunctionReference<
    "query",
    { tag: string; paginationOpts: { numItems: number; cursor: string | null } },
    Page
  >("rows:page"),
  add: makeFunctionReference<"mutation", RowFields, string>("rows:add"),
  addHidden: makeFunctionReference<"mutation", RowFields, string>("rows:addHidden"),
  refuse: makeFunctionReference<"mutation", { tag: string }, null>("rows:refuse"),
  crash: makeFunctionReference<"query", Record<string, never>, null>("rows:crash"),
  whoAmI: makeFunctionReference<"query", Record<string, never>, Record<string, unknown> | null>(
    "rows:whoAmI",
  ),
  greeting: makeFunctionReference<"query", Record<string, never>, string | null>("rows:greeting"),
  say: makeFunctionReference<"mutation", { text: string }, null>("rows:say"),
  long: makeFunctionReference<"query", { length: number }, string>("rows:long"),
  addTwice: makeFunctionReference<"action", RowFields, number>("rows:addTwice"),
  addLater: makeFunctionReference<"mutation", RowFields & { delayMs: number }, string>(
    "rows:addLater",
  ),
  cancelLater: makeFunctionReference<"mutation", { id: string }, null>("rows:cancelLater"),
  hangLater: makeFunctionReference<"mutation", { tag: string }, string>("rows:hangLater"),
  jobs: makeFunctionReference<"query", Record<string, never>, Job[]>("rows:jobs"),
};

const cleanUps: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

let bundle: Promise<string> | undefined;
/** The backend as one file, made once for a test file; inside the checkout, so that packages are found. */
export function bundled(): Promise<string> {
  bundle ??= (async () => {
    mkdirSync(CACHE, { recursive: true });
    const folder = mkdtempSync(path.join(CACHE, "bundle-"));
    cleanUps.push(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const outfile = path.join(folder, "embedded.mjs");
    await build({
      entryPoints: [path.join(ROOT, "embedded/main.ts")],
      outfile,
      bundle: true,
      platform: "node",
      target: "node20",
      format: "esm",
      external: ["libsql", "esbuild", "bufferutil", "utf-8-validate"],
      banner: {
        js: 'import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url);',
      },
      logLevel: "warning",
    });
    return outfile;
  })();
  return bundle;
}

export type Ended = { code: number | null; stdout: string; stderr: string };

/** Runs the backend's command to its end; for starts that are refused. */
export async function runCommand(args: readonly string[]): Promise<Ended> {
  return ended(spawn(process.execPath, [await bundled(), ...args]));
}

async function ended(child: ChildProcess): Promise<Ended> {
  const text = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), CLI_MS_MAX);
  // "close" comes when the process has ended and its output has been read.
  await once(child, "close");
  clearTimeout(timer);
  return { code: child.exitCode, ...text };
}

export class BackendProcess {
  readonly url: string;
  readonly siteUrl: string;
  readonly adminKey: string;
  readonly dataDir: string;
  readonly readyLine: string;
  readonly child: ChildProcess;
  stderr = "";

  constructor(started: { child: ChildProcess; readyLine: string; dataDir: string }) {
    // The line is the command's own promise; a missing field fails the first use.
    const ready = JSON.parse(started.readyLine) as {
      url: string;
      siteUrl: string;
      adminKeyFile: string;
    };
    this.child = started.child;
    this.readyLine = started.readyLine;
    this.dataDir = started.dataDir;
    this.url = ready.url;
    this.siteUrl = ready.siteUrl;
    this.adminKey = readFileSync(ready.adminKeyFile, "utf8").trim();
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Ends it by the signal and answers its exit code. */
  async end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      await once(this.child, "exit");
    }
    return this.child.exitCode;
  }

  async post(endpoint: string, body: unknown, headers: Record<string, string> = {}) {
    return fetch(`${this.url}${endpoint}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** The same as the holder of the admin key. */
  async postAsAdmin(endpoint: string, body: unknown) {
    return this.post(endpoint, body, { authorization: `Convex ${this.adminKey}` });
  }
}

/** A backend of which nobody knows yet whether it will get so far as to listen. */
export async function launchBackend(options: {
  dataDir: string;
  args: readonly string[];
}): Promise<{ child: ChildProcess; end: () => Promise<void> }> {
  const child = spawn(process.execPath, [
    await bundled(),
    ...["--data", options.dataDir, "--control", ...options.args],
  ]);
  const exited = once(child, "exit");
  return {
    child,
    end: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Starts the backend and waits for the line that says where it listens. */
export async function startBackend(
  options: {
    dataDir?: string;
    args?: readonly string[];
    /** What runs the bundle, when not Node itself. */
    command?: readonly string[];
  } = {},
): Promise<BackendProcess> {
  const dataDir = options.dataDir ?? path.join(tempDir("wire"), "data");
  const args = ["--data", dataDir, "--port", "0", "--control", ...(options.args ?? [])];
  const [program = process.execPath, ...before] = options.command ?? [];
  const child = spawn(program, [...before, await bundled(), ...args]);
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const lines = createInterface(child.stdout);
  const readyLine = await Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    once(child, "exit").then(() => Promise.reject(new Error(`it did not start: ${stderr}`))),
  ]);
  const backend = new BackendProcess({ child, readyLine, dataDir });
  child.stderr.on("data", () => (backend.stderr = stderr));
  cleanUps.push(async () => {
    await backend.end("SIGKILL");
  });
  return backend;
}

/** Starts a backend and pushes the fixture with the official CLI. */
export async function startDeployed(
  options: Parameters<typeof startBackend>[0] = {},
): Promise<BackendProcess> {
  const backend = await startBackend(options);
  const pushed = await deploy(backend);
  if (pushed.code !== 0) throw new Error(`deploy failed: ${pushed.stderr}\n${backend.stderr}`);
  return backend;
}

const QUICK_PUSH = ["--typecheck", "disable", "--codegen", "disable"];

export const deploy = (backend: BackendProcess, cwd = APP): Promise<Ended> =>
  convexCli(backend, ["deploy", ...QUICK_PUSH], cwd);

/** Runs the official CLI in the fixture's folder. */
export async function convexCli(
  backend: BackendProcess,
  args: readonly string[],
  cwd = APP,
): Promise<Ended> {
  const main = path.join(ROOT, "node_modules/convex/bin/main.js");
  return ended(spawn(process.execPath, [main, ...args], { cwd, env: cliEnvironment(backend) }));
}

/** No questions asked, and no reports to anybody. */
export const cliEnvironment = (backend: BackendProcess) => ({
  PATH: process.env["PATH"],
  HOME: process.env["HOME"],
  CI: "1",
  CONVEX_SELF_HOSTED_URL: backend.url,
  CONVEX_SELF_HOSTED_ADMIN_KEY: backend.adminKey,
});

/** A copy of the fixture that a test may change; inside the checkout, so that packages are found. */
export function copyOfApp(): string {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(path.join(CACHE, "app-"));
  cpSync(APP, folder, { recursive: true });
  cleanUps.push(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export function httpClient(backend: { url: string }, auth?: string): ConvexHttpClient {
  return new ConvexHttpClient(backend.url, {
    skipConvexDeploymentUrlCheck: true,
    logger: false,
    ...(auth === undefined ? {} : { auth }),
  });
}

export type Frame = { type: string } & Record<string, unknown>;

/** A client over ws, with what came in and ways to disturb it. */
export class TestClient {
  readonly client: ConvexClient;
  /** All frames received, over all reconnects. */
  readonly frames: Frame[] = [];
  /** Set to drop an incoming frame and cut the socket instead. */
  cutAt: ((frame: Frame) => boolean) | null = null;
  #socket: WebSocket | null = null;

  constructor(url: string) {
    const note = (socket: WebSocket) => {
      this.#socket = socket;
    };
    const see = (frame: Frame): boolean => {
      if (this.cutAt?.(frame) === true) return false;
      this.frames.push(frame);
      return true;
    };
    class Tap extends WebSocket {
      constructor(address: string) {
        super(address);
        note(this);
      }
      override emit(event: string | symbol, ...args: unknown[]): boolean {
        if (event !== "message") return super.emit(event, ...args);
        // Text frames arrive as a Buffer of JSON: the protocol has no others.
        if (see(JSON.parse(String(args[0])) as Frame)) return super.emit(event, ...args);
        this.terminate();
        return false;
      }
    }
    this.client = new ConvexClient(url, {
      // ws implements the parts of the browser's class that the client uses.
      webSocketConstructor: Tap as unknown as typeof globalThis.WebSocket,
      skipConvexDeploymentUrlCheck: true,
      unsavedChangesWarning: false,
      logger: false,
    });
    cleanUps.push(() => this.client.close());
  }

  /** Cuts the connection as a broken network would. */
  cut(): void {
    this.#socket?.terminate();
  }

  /** Subscribes, and keeps every value. */
  watch<Query extends FunctionReference<"query">>(
    query: Query,
    args: FunctionArgs<Query>,
  ): Watch<FunctionReturnType<Query>> {
    const watch = new Watch<FunctionReturnType<Query>>();
    this.client.onUpdate(
      query,
      args,
      (value) => {
        watch.values.push(value);
      },
      (error) => {
        watch.errors.push(error);
      },
    );
    return watch;
  }
}

export class Watch<T> {
  readonly values: T[] = [];
  readonly errors: Error[] = [];

  get last(): T | undefined {
    return this.values.at(-1);
  }

  /** Waits until the newest value fits. */
  async until(what: string, fits: (value: T) => boolean): Promise<T> {
    await waitFor(what, () => {
      const { last } = this;
      return last !== undefined && fits(last);
    });
    // The wait ended because there is a newest value that fits.
    return this.last as T;
  }
}

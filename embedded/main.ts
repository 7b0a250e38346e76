/** The command: reads its options, starts the server, and ends cleanly on a signal. */
import { parseArgs } from "node:util";
import { createEventLog } from "./http/eventLog.js";
import { ListenError, startServer, type ServerOptions } from "./server.js";
import { DataFolderError } from "./store/dataFolder.js";

const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;
const EXIT_SOFTWARE = 70;
const PORT_DEFAULT = 3210;
const PORT_MAX = 65_535;
const USAGE =
  "usage: embedded.mjs --data DIR [--port N] [--site-port N] [--host HOST] [--memory] [--control]";

/** The command line cannot be understood; the message is one sentence. */
class UsageError extends Error {
  override name = "UsageError";
}

const log = createEventLog((line) => {
  process.stderr.write(line);
});

function readOptions(argv: string[]): ServerOptions {
  const values = parse(argv);
  if (values.data === undefined || values.data === "") {
    throw new UsageError("--data is missing: name the folder that holds the data.");
  }
  const port = readPort("--port", values.port, PORT_DEFAULT);
  return {
    dataDir: values.data,
    isMemory: values.memory,
    host: values.host,
    port,
    sitePort: readPort("--site-port", values["site-port"], port === 0 ? 0 : port + 1),
    hasControl: values.control,
    log,
  };
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      strict: true,
      allowPositionals: false,
      options: {
        data: { type: "string" },
        port: { type: "string" },
        "site-port": { type: "string" },
        host: { type: "string", default: "127.0.0.1" },
        memory: { type: "boolean", default: false },
        control: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message.split("\n")[0] ?? error.message);
  }
}

function readPort(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return Math.min(otherwise, PORT_MAX);
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > PORT_MAX) {
    throw new UsageError(`${name} must be a number from 0 to ${PORT_MAX}, not "${text}".`);
  }
  return port;
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!isLoopback(options.host)) {
    log("warning", {
      message:
        `listening on ${options.host}, beyond this machine: deployed functions are trusted code that ` +
        "runs with this process's rights, and TLS and access control are the operator's job",
    });
  }
  const server = await startServer(options);
  const { url, siteUrl, adminKeyFile } = server;
  const stop = (signal: NodeJS.Signals) => {
    log("stopping", { signal });
    // A second signal takes the default way and ends the process at once.
    process.off("SIGTERM", stop);
    process.off("SIGINT", stop);
    server.close().then(
      () => {
        log("stopped");
        process.exit(0);
      },
      (error: unknown) => {
        fail(error);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Last, because whoever reads the line may send a signal at once.
  process.stdout.write(`${JSON.stringify({ url, siteUrl, adminKeyFile, pid: process.pid })}\n`);
  log("listening", { url, siteUrl, isMemory: options.isMemory });
}

function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    process.stderr.write(`${message} ${USAGE}\n`);
    process.exit(EXIT_USAGE);
  }
  if (error instanceof ListenError || error instanceof DataFolderError) {
    process.stderr.write(`${message}\n`);
    process.exit(EXIT_UNAVAILABLE);
  }
  if (error instanceof Error && "syscall" in error) {
    process.stderr.write(`The data folder cannot be used: ${message}.\n`);
    process.exit(EXIT_UNAVAILABLE);
  }
  log("fault", { error });
  process.exit(EXIT_SOFTWARE);
}

main().catch(fail);

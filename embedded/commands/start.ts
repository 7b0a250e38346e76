/** `start`: the server, until a signal ends it. */
import { startServer, type RunningServer, type ServerOptions } from "../server.js";
import { writeAddress } from "./address.js";
import {
  type Command,
  type CommandContext,
  EXIT,
  readArguments,
  readFolder,
  UsageError,
} from "./options.js";

const PORT_DEFAULT = 3210;
const PORT_MAX = 65_535;
/** After the disk refused, how long answers may take to leave the process. */
const FAREWELL_MS = 100;

export const start: Command = async (context) => {
  const { log } = context;
  const options = readServerOptions(context, readArguments(context.argv, SERVER_OPTIONS).values);
  const server = await serve(options);
  endOnSignal(context, server);
  server.onFailure((failure) => {
    endAfter(context, failure);
  });
  const { url, siteUrl } = server;
  // After the handlers of signals, because whoever reads the line may send one at once.
  context.say(readyLine(server));
  log("listening", { url, siteUrl, isMemory: options.isMemory, isSynced: options.isSynced });
};

/** Starts the server and writes down where it listens, for as long as it does. */
export async function serve(options: ServerOptions): Promise<RunningServer> {
  const server = await startServer(options);
  const address = writeAddress(options.dataDir, server.url);
  const close = async () => {
    address.remove();
    await server.close();
  };
  return { ...server, close };
}

/** The line by which whoever started the process learns where it listens. */
export const readyLine = ({ url, siteUrl, adminKeyFile }: RunningServer): string =>
  JSON.stringify({ url, siteUrl, adminKeyFile, pid: process.pid });

export const SERVER_OPTIONS = {
  data: { type: "string" },
  port: { type: "string" },
  "site-port": { type: "string" },
  host: { type: "string", default: "127.0.0.1" },
  memory: { type: "boolean", default: false },
  "no-sync": { type: "boolean", default: false },
  control: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof SERVER_OPTIONS>>["values"];

/** Throws UsageError; warns of a host beyond this machine. */
export function readServerOptions({ log }: CommandContext, values: Values): ServerOptions {
  const port = readPort("--port", values.port, PORT_DEFAULT);
  if (!isLoopback(values.host)) {
    log("warning", {
      message:
        `listening on ${values.host}, beyond this machine: deployed functions are trusted code that ` +
        "runs with this process's rights, and TLS and access control are the operator's job",
    });
  }
  return {
    dataDir: readFolder(values.data),
    isMemory: values.memory,
    isSynced: !values["no-sync"],
    host: values.host,
    port,
    sitePort: readPort("--site-port", values["site-port"], port === 0 ? 0 : port + 1),
    hasControl: values.control,
    log,
  };
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

/**
 * What the disk holds is read again by the next start. Requests get a moment to hear of the failure,
 * unless they wait for something that does not come.
 */
function endAfter({ log }: CommandContext, failure: Error): void {
  process.stderr.write(`${failure.message}\n`);
  log("fault", { error: failure });
  setTimeout(() => process.exit(EXIT.disk), FAREWELL_MS);
}

/** The first signal closes and exits 0; a second takes the default way and ends the process at once. */
function endOnSignal({ log }: CommandContext, server: RunningServer): void {
  const stop = (signal: NodeJS.Signals) => {
    log("stopping", { signal });
    process.off("SIGTERM", stop);
    process.off("SIGINT", stop);
    server.close().then(
      () => {
        log("stopped");
        process.exit(0);
      },
      (error: unknown) => {
        log("fault", { error });
        process.exit(EXIT.software);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

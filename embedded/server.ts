/** Puts the parts together: two listeners, sync sockets, scheduler, over one backend. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { loadAdminKey } from "./auth/adminKey.js";
import { createAuthenticator } from "./auth/identity.js";
import { createClock } from "./control.js";
import { FunctionLog } from "./deploy/functionLog.js";
import { loggedRunner } from "./deploy/loggedRunner.js";
import { Pushes } from "./deploy/pushes.js";
import { deployRoutes } from "./deploy/routes.js";
import { withSystemQueries } from "./deploy/systemQueries.js";
import { transferQueries, transferRoutes } from "./deploy/transfer/routes.js";
import { openTransfer } from "./deploy/transfer/transfer.js";
import { openBackend, type Backend } from "./functions/backend.js";
import { controlRoutes } from "./http/controlApi.js";
import type { EventLog } from "./http/eventLog.js";
import { infoRoutes } from "./http/info.js";
import { httpLimits } from "./http/limits.js";
import { cloudHandler, RequestCounter, siteHandler, toListener } from "./http/listener.js";
import { publicApi } from "./http/publicApi.js";
import { storageApi } from "./http/storageApi.js";
import { createRouter } from "./http/router.js";
import { Crons } from "./scheduler/crons.js";
import { keepRetention } from "./scheduler/retention.js";
import { ScheduledFunctions } from "./scheduler/scheduled.js";
import type { StoreFailure } from "./store/store.js";
import { SyncSockets } from "./sync/sockets.js";

/** At shutdown, how long running requests (actions above all) are waited for. */
const DRAIN_MS_MAX = 5_000;

export type ServerOptions = {
  /** Holds the admin key, and the documents unless `isMemory`. */
  dataDir: string;
  isMemory: boolean;
  /** false: an answered commit survives the end of the process, but perhaps not of the machine. */
  isSynced: boolean;
  host: string;
  /** 0 takes any free port. */
  port: number;
  sitePort: number;
  /** Lets the admin move the clock over HTTP; for tests. */
  hasControl: boolean;
  log: EventLog;
};

export type RunningServer = {
  url: string;
  siteUrl: string;
  adminKey: string;
  adminKeyFile: string;
  /** Calls when the disk refused: nothing can be read or written any more, the process must end. */
  onFailure(listener: (failure: StoreFailure) => void): void;
  /** Stops accepting, lets running mutations end, flushes, closes. */
  close(): Promise<void>;
};

/** A port cannot be had; the message is one sentence for the person who started us. */
export class ListenError extends Error {
  override name = "ListenError";
}

type Handler = Awaited<Parameters<typeof toListener>[0]>;
type Handlers = { cloud: Handler; site: Handler; sync: SyncSockets };

/** Listens, opens the data folder, and serves. Rejects with ListenError or DataFolderError. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, log } = options;
  const counter = new RequestCounter();
  // Ports come first, because functions may ask for the URLs; requests wait for the handlers.
  let markReady: (handlers: Handlers) => void = () => undefined;
  const ready = new Promise<Handlers>((resolve) => {
    markReady = resolve;
  });
  const serve = async (which: "cloud" | "site", port: number) =>
    listen(
      createServer(
        { requestTimeout: httpLimits.requestTimeoutMs },
        toListener(
          ready.then((handlers) => handlers[which]),
          { counter, log },
        ),
      ),
      { host, port },
    );
  const cloud = await serve("cloud", options.port);
  try {
    const site = await serve("site", options.sitePort);
    const urls = { cloudUrl: urlOf(cloud, host), siteUrl: urlOf(site, host) };
    try {
      const parts = await openParts(options, urls);
      cloud.on("upgrade", (request, socket, head) => {
        parts.handlers.sync.upgrade(request, socket, head);
      });
      markReady(parts.handlers);
      return {
        url: urls.cloudUrl,
        siteUrl: urls.siteUrl,
        ...parts.admin,
        onFailure: parts.onFailure,
        close: async () => {
          await Promise.all([closeListeners([cloud, site], counter), parts.closeFirst()]);
          await parts.closeLast();
        },
      };
    } catch (error) {
      site.close();
      throw error;
    }
  } catch (error) {
    cloud.close();
    throw error;
  }
}

type Parts = {
  handlers: Handlers;
  admin: { adminKey: string; adminKeyFile: string };
  onFailure: RunningServer["onFailure"];
  /** Sockets, pollers, scheduler. */
  closeFirst(): Promise<void>;
  /** The backend, when nothing uses it any more. */
  closeLast(): Promise<void>;
};

async function openParts(
  options: ServerOptions,
  urls: { cloudUrl: string; siteUrl: string },
): Promise<Parts> {
  const { log } = options;
  const clock = createClock();
  const backend = await openBackend({
    dataDir: options.isMemory ? null : options.dataDir,
    isSynced: options.isSynced,
    clock,
    ...urls,
  });
  try {
    const admin = await loadAdminKey(options.dataDir);
    const { engine, deployment, files } = backend;
    const nowMs = () => clock.nowMs();
    const functionLog = new FunctionLog(nowMs);
    const logged = loggedRunner({ runner: backend.runner, log: functionLog, nowMs });
    const { dataDir } = options;
    const transfer = await openTransfer({ engine, deployment, files, dataDir, log });
    const runner = withSystemQueries(logged, {
      engine,
      deployment,
      urls: () => urls,
      more: transferQueries(transfer),
    });
    const authenticator = createAuthenticator({
      adminKey: admin.key,
      providers: () => deployment.authProviders(),
      nowMs,
    });
    const scheduling = await startScheduling({ engine, runner, clock, log });
    const sync = new SyncSockets({ engine, runner, authenticator, nowMs, log });
    const stopSweeping = keepFilesSwept(files, log);
    const router = createRouter([
      ...infoRoutes(),
      ...publicApi({ engine, runner }),
      ...storageApi({ engine, files }),
      ...deployRoutes({
        deployment,
        pushes: new Pushes({ deployment, nowMs }),
        functionLog,
        urls: () => urls,
      }),
      ...transferRoutes(transfer),
      ...(options.hasControl ? controlRoutes({ clock, idle: scheduling.idle }) : []),
    ]);
    const actions = { runner, authenticator, siteUrl: () => urls.siteUrl };
    const listener = { router, authenticator, httpActions: actions, log };
    return {
      handlers: { cloud: cloudHandler(listener), site: siteHandler(listener), sync },
      admin: { adminKey: admin.key, adminKeyFile: admin.file },
      onFailure: (listener) => {
        engine.store.onFailure(listener);
      },
      closeFirst: async () => {
        functionLog.close();
        await Promise.all([scheduling.stop(), sync.close(), transfer.stop(), stopSweeping()]);
      },
      closeLast: () => backend.close(),
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

function keepFilesSwept(files: Backend["files"], log: ServerOptions["log"]): () => Promise<void> {
  return files.keepSwept((error) => {
    log("files.fault", { error });
  });
}

async function startScheduling(
  ports: ConstructorParameters<typeof ScheduledFunctions>[0] & Pick<Backend, "engine">,
) {
  const scheduled = new ScheduledFunctions(ports);
  const crons = new Crons(ports);
  await scheduled.start();
  await crons.start();
  const stopRetention = keepRetention(ports);
  return {
    idle: async () => {
      await crons.idle();
      await scheduled.idle();
    },
    stop: async () => {
      stopRetention();
      await Promise.all([scheduled.stop(), crons.stop()]);
    },
  };
}

/** Resolves when it listens. Rejects with ListenError naming the port. */
function listen(server: Server, at: { host: string; port: number }): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(new ListenError(whyNotListening(error, at), { cause: error }));
    });
    server.listen(at.port, at.host, () => {
      resolve(server);
    });
  });
}

function whyNotListening(error: Error, at: { host: string; port: number }): string {
  const code = "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return `Port ${at.port} on ${at.host} is in use: stop what uses it, or choose another port (0 takes any free one).`;
  }
  if (code === "EACCES") {
    return `Port ${at.port} on ${at.host} may not be used by this user: choose one above 1023.`;
  }
  return `Cannot listen on ${at.host} port ${at.port}: ${error.message}.`;
}

const WILDCARDS = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "[::1]"],
]);

function urlOf(server: Server, host: string): string {
  // A TCP server that listens has an AddressInfo; text is for pipes and null for closed ones.
  const { port } = server.address() as AddressInfo;
  const literal = host.includes(":") ? `[${host}]` : host;
  return `http://${WILDCARDS.get(host) ?? literal}:${port}`;
}

/** Takes nothing new; running requests get DRAIN_MS_MAX to end, then their connections are cut. */
async function closeListeners(servers: Server[], counter: RequestCounter): Promise<void> {
  const closed = servers.map(
    (server) =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      }),
  );
  let timer: NodeJS.Timeout | undefined;
  const giveUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DRAIN_MS_MAX);
  });
  await Promise.race([counter.idle(), giveUp]);
  clearTimeout(timer);
  for (const server of servers) server.closeAllConnections();
  await Promise.all(closed);
}

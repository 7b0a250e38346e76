/** PostgreSQL and Redis of the machine's packages, started for the bench on ports and folders of its own. */
import { type ChildProcess, execFileSync, spawn, type StdioOptions } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import path from "node:path";
import { pause } from "./race.js";

export const HOW_TO_INSTALL =
  "apt-get install -y --no-install-recommends postgresql redis-server (nothing has to be started), and npm ci --ignore-scripts --prefix tests/bench/peers";

const POSTGRES_FOLDER = "/usr/lib/postgresql";
const REDIS = "/usr/bin/redis-server";
const LOOK_MS = 50;
const LOOKS_MAX = 400;

export type Service = { port: number; version: string; stop: () => Promise<void> };

/** What is missing of the machine, as sentences; empty when all is there. */
export function missing(peers: string): string[] {
  return [
    ...(postgresFolder() === null ? [`PostgreSQL is missing: no ${POSTGRES_FOLDER}.`] : []),
    ...(existsSync(REDIS) ? [] : [`Redis is missing: no ${REDIS}.`]),
    ...(existsSync(path.join(peers, "node_modules"))
      ? []
      : [`The packages of tests/bench/peers are not installed.`]),
  ];
}

/** A cluster of its own with the defaults of PostgreSQL: fsync and synchronous_commit on. */
export async function startPostgres(folder: string): Promise<Service> {
  const programs = postgresFolder();
  if (programs === null) throw new Error("PostgreSQL is not installed");
  const data = path.join(folder, "postgres");
  mkdirSync(data, { recursive: true });
  chmodSync(folder, 0o755);
  const as = user("postgres", data);
  const initdb = ["-D", data, "-A", "trust", "-U", "postgres"];
  execFileSync(path.join(programs, "initdb"), initdb, { ...as, stdio: "ignore" });
  const port = await freePort();
  const settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
  const args = ["-D", data, "-p", String(port), ...settings];
  const child = spawn(path.join(programs, "postgres"), args, { ...as, stdio: QUIET });
  await listening(port, child);
  const version = execFileSync(path.join(programs, "postgres"), ["--version"]).toString();
  // SIGINT is its fast shutdown.
  return { port, version: version.trim(), stop: () => end(child, "SIGINT") };
}

/** Redis that writes all to its log; `fsync` as its configuration calls it. */
export async function startRedis(folder: string, fsync: "always" | "everysec"): Promise<Service> {
  const dir = path.join(folder, `redis-${fsync}`);
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", fsync];
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, ...durable];
  const child = spawn(REDIS, args, { stdio: QUIET });
  await listening(port, child);
  const version = /v=(\S+)/.exec(execFileSync(REDIS, ["--version"]).toString())?.[1] ?? "";
  return { port, version: `Redis ${version}`, stop: () => end(child, "SIGTERM") };
}

const QUIET: StdioOptions = "ignore";

function postgresFolder(): string | null {
  if (!existsSync(POSTGRES_FOLDER)) return null;
  const [newest] = readdirSync(POSTGRES_FOLDER).sort((a, b) => Number(b) - Number(a));
  return newest === undefined ? null : path.join(POSTGRES_FOLDER, newest, "bin");
}

/** PostgreSQL refuses to run as root; then it runs as its own user, who gets the folder. */
function user(name: string, folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (what: "-u" | "-g") => Number(execFileSync("id", [what, name]).toString());
  const [uid, gid] = [idOf("-u"), idOf("-g")];
  execFileSync("chown", [`${uid}:${gid}`, folder]);
  return { uid, gid };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} did not start`);
    const socket = createConnection({ port, host: "127.0.0.1" });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => {
        resolve(true);
      });
      socket.once("error", () => {
        resolve(false);
      });
    });
    socket.destroy();
    if (isOpen) return;
    await pause(LOOK_MS);
  }
  throw new Error(`${child.spawnfile} does not listen`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

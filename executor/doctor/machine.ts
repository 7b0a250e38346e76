import { constants } from "node:fs";
import { access, mkdir, stat, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import type { Clock } from "../clock.js";
import type { Config } from "../config.js";
import { JailError, jailOptions, provideJail } from "../jail/jail.js";
import { runCommand } from "../runCommand.js";
import { fail, type Finding, ok, warn } from "./check.js";

/** As in package.json's engines. */
const NODE_MIN = [20, 19] as const;
/** GIT_CONFIG_COUNT, by which settings reach git without a file, came with 2.31 (git's release notes). */
const GIT_MIN = [2, 31] as const;
const GIT_MS_MAX = 10_000;
/** Peak of the CLI at its start, before any tool (296 MiB measured on 2.1.197). */
const MEMORY_PER_SLOT_BYTES = 350 * 1024 ** 2;
const MIB = 1024 ** 2;

export function checkNode(version: string): Finding {
  return isAtLeast(version, NODE_MIN)
    ? ok("node", `Node.js ${version}`)
    : fail("node", `Node.js ${version}`, `install Node.js ${NODE_MIN.join(".")} or newer`);
}

export async function checkGit(searchPath: string, clock: Clock): Promise<Finding> {
  const { ending, stdout } = await runCommand(
    {
      file: "git",
      args: ["--version"],
      cwd: "/",
      env: { PATH: searchPath },
      timeoutMs: GIT_MS_MAX,
      stdoutMax: 1_000,
    },
    { clock },
  );
  const wanted = `git ${GIT_MIN.join(".")} or newer`;
  const found = /\d+\.\d+(?:\.\d+)*/.exec(stdout)?.[0];
  if (ending !== "exited" || found === undefined) {
    return fail("git", "there is no git on PATH", `install ${wanted}`);
  }
  return isAtLeast(found, GIT_MIN)
    ? ok("git", `git ${found}`)
    : fail("git", `git ${found}`, `install ${wanted}`);
}

/** Root may do whatever a job's commands ask for. */
export function checkUser(uid: number | undefined): Finding {
  if (uid !== 0) return ok("user", `runs as uid ${uid === undefined ? "unknown" : String(uid)}`);
  return warn(
    "user",
    "runs as root, and so does everything that jobs start",
    "run the executor as a user of its own, or in the container",
  );
}

/** The level of the configuration, tried out. */
export async function checkJail(config: Config, clock: Clock): Promise<Finding> {
  const options = jailOptions(config, clock);
  const tried = await provideJail(config.jail.level, options).catch((error: unknown) => {
    if (error instanceof JailError) return error;
    throw error;
  });
  if (tried instanceof JailError) {
    return fail("jail", tried.message, "do as it says, or choose another JAIL_LEVEL");
  }
  const lesser = {
    uid: "each run has a user of its own, but sees the machine's files and network",
    none: "runs may do whatever the executor's user may",
  };
  const { level } = tried;
  if (level === "jail") return ok("jail", "runs are kept in bubblewrap");
  return warn("jail", `JAIL_LEVEL ${level}: ${lesser[level]}`, "set JAIL_LEVEL to jail");
}

export function checkMemory(slots: number, totalBytes = totalmem()): Finding {
  const needed = slots * MEMORY_PER_SLOT_BYTES;
  const says = `${mib(totalBytes)} of memory for ${String(slots)} slots of ${mib(MEMORY_PER_SLOT_BYTES)} and what their tools need`;
  return totalBytes >= needed
    ? ok("memory", says)
    : warn("memory", says, "lower MAX_CONCURRENT_JOBS, or give the machine more memory");
}

/** Workspaces are made here, and wiped when their attempt has ended. */
export async function checkWorkspaces(
  config: Pick<Config, "tempDir" | "diskFreeBytesMin" | "workspaceBytesMax" | "slots">,
): Promise<Finding> {
  const { tempDir, diskFreeBytesMin, workspaceBytesMax, slots } = config;
  const trouble = await cannotWrite(tempDir);
  if (trouble !== undefined) {
    return fail(
      "workspaces",
      `TEMP_DIR ${tempDir}: ${trouble}`,
      "set TEMP_DIR to a writable folder",
    );
  }
  const { bavail, bsize } = await statfs(tempDir);
  const free = bavail * bsize;
  const says = `${tempDir}, ${mib(free)} free`;
  const fix = "free some space there, or set TEMP_DIR to a folder on a larger disk";
  if (free < diskFreeBytesMin) {
    const wanted = `${says}; below DISK_FREE_MB_MIN (${mib(diskFreeBytesMin)}) it takes no work`;
    return fail("workspaces", wanted, `${fix}, or lower DISK_FREE_MB_MIN`);
  }
  const most = diskFreeBytesMin + slots * workspaceBytesMax;
  if (free >= most) return ok("workspaces", says);
  const needed = `${says}; ${String(slots)} runs of WORKSPACE_MB_MAX need ${mib(most)}`;
  return warn("workspaces", needed, `${fix}, or lower WORKSPACE_MB_MAX`);
}

export async function checkLocalRepositories(folders: readonly string[]): Promise<Finding> {
  const missing: string[] = [];
  for (const folder of folders) if (!(await may(folder, constants.R_OK))) missing.push(folder);
  const name = "local repositories";
  if (missing.length === 0) return ok(name, `${String(folders.length)} given, all readable`);
  return fail(
    name,
    `LOCAL_REPOSITORIES names what cannot be read: ${missing.join(", ")}`,
    "correct the paths, or let the executor's user read them",
  );
}

/** Undefined when a file can be made in the folder, which is made if it is missing. */
export async function cannotWrite(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The permission bits of others than the owner; undefined when there is no such file. */
export async function othersMay(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found === undefined ? undefined : found.mode & 0o077;
}

async function may(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}

const mib = (bytes: number): string => `${String(Math.round(bytes / MIB))} MiB`;

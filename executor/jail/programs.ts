import { constants } from "node:fs";
import { access } from "node:fs/promises";
import path from "node:path";

/** Programs by which a run is kept in bounds, where this machine has them. */
export type Programs = Readonly<Record<ProgramName, string | undefined>>;
type ProgramName = "bwrap" | "chown" | "choom" | "nice" | "prlimit" | "setpriv";

const NAMES: readonly ProgramName[] = [
  ...(["bwrap", "chown", "choom", "nice", "prlimit", "setpriv"] as const),
];

export async function findPrograms(searchPath: string): Promise<Programs> {
  const folders = searchPath.split(":").filter((folder) => folder !== "");
  const find = async (name: string): Promise<string | undefined> => {
    for (const folder of folders) {
      const file = path.join(folder, name);
      if (await isExecutable(file)) return file;
    }
    return undefined;
  };
  const found = await Promise.all(NAMES.map(async (name) => [name, await find(name)] as const));
  // Every name is in NAMES.
  return Object.fromEntries(found) as Programs;
}

export function isExecutable(file: string): Promise<boolean> {
  return may(file, constants.X_OK);
}

export function isReadable(folder: string): Promise<boolean> {
  return may(folder, constants.R_OK | constants.X_OK);
}

async function may(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}

/** A call that is put before another one. */
export type Prefix = readonly string[];

/** So much less processor time than the executor, whose heartbeat must get through (nice(1)). */
const NICENESS = 5;
/** The kernel, out of memory, ends the run before the executor (proc(5), oom_score_adj). */
const OOM_SCORE = 500;
/** Processes and threads of one run; a build of a large project stays below. */
const PROCESSES_MAX = 1_024;
/** Longest file a run may write. */
const FILE_BYTES_MAX = 4 * 1024 ** 3;

/** Lets the executor go first when processors or memory run short. */
export function afterUs({ nice, choom }: Programs): Prefix {
  return [
    ...(nice === undefined ? [] : [nice, "-n", String(NICENESS)]),
    ...(choom === undefined ? [] : [choom, "-n", String(OOM_SCORE), "--"]),
  ];
}

/** Bounds of the kernel for each process of a run; `processes` counts all of its user's. */
export function bounded(prlimit: string): Prefix {
  const bounds = [`--nproc=${PROCESSES_MAX}`, `--fsize=${FILE_BYTES_MAX}`, "--core=0"];
  return [prlimit, ...bounds, "--"];
}

/** Becomes another user, for good. */
export function as(setpriv: string, uid: number): Prefix {
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return [setpriv, ...ids, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"];
}

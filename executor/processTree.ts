import { readdir, readFile, stat } from "node:fs/promises";
import { type Clock, pause } from "./clock.js";

/**
 * Ends whatever an attempt started. The CLI's tools live in sessions of their own and outlive it, so
 * descendants are known by a variable that all of them inherit, by parentage, and by session. A
 * process that cleared its environment, left its session and lost its parent escapes; only a process
 * namespace around the executor (a container) holds that one.
 */
export const MARKER_VARIABLE = "FONDATION_JOB";

/** Passes of one sweep; each finds what the one before missed while it was being started. */
const PASSES_MAX = 50;
/** The kernel needs a moment between a kill and the process's end. */
const PASS_MS = 10;

type ProcessEntry = { pid: number; parent: number; session: number; isMarked: boolean };

/** Kills (SIGKILL) every process of `marker` until a pass finds none; answers how many there were. */
export async function sweepProcesses(marker: string, clock: Clock): Promise<SweepResult> {
  const killed = new Set<number>();
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    const found = await findProcesses(marker);
    if (found.length === 0) return { killed: killed.size, isClean: true };
    for (const pid of found) {
      killed.add(pid);
      signalProcess(pid, "SIGKILL");
    }
    await pause(clock, PASS_MS);
  }
  return { killed: killed.size, isClean: false };
}
export type SweepResult = { killed: number; isClean: boolean };

/** Sends a signal; false when there is no such process or group (negative `pid`). */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasCode(error, "ESRCH") || hasCode(error, "EPERM")) return false;
    throw error;
  }
}

/** When a process started, in clock ticks since boot: with the pid it names one process for good. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  return (await readStat(pid))?.[STAT_START];
}

/** The processes of `marker` that are alive now. Empty where there is no /proc. */
export async function findProcesses(marker: string): Promise<number[]> {
  const entries = await Promise.all((await listProcesses()).map((pid) => readEntry(pid, marker)));
  return belonging(entries.filter((entry) => entry !== undefined));
}

async function listProcesses(): Promise<number[]> {
  const names = await readdir("/proc").catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  });
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The processes of a user who has no others: those of one run. Empty where there is no /proc. */
export async function findProcessesOf(uid: number): Promise<number[]> {
  const found = await Promise.all(
    (await listProcesses()).map(async (pid) => {
      const [entry, status] = await Promise.all([
        readStat(pid),
        stat(`/proc/${pid}`).catch(() => null),
      ]);
      return entry?.[STAT_STATE] !== "Z" && status?.uid === uid ? [pid] : [];
    }),
  );
  return found.flat();
}

/** Marked processes, their descendants, and the sessions they lead: all from one snapshot. */
function belonging(entries: ProcessEntry[]): number[] {
  const ours = new Set(entries.filter((entry) => entry.isMarked).map((entry) => entry.pid));
  for (let before = -1; before !== ours.size;) {
    before = ours.size;
    for (const { pid, parent, session } of entries) {
      if (ours.has(parent) || ours.has(session)) ours.add(pid);
    }
  }
  ours.delete(process.pid);
  return [...ours];
}

async function readEntry(pid: number, marker: string): Promise<ProcessEntry | undefined> {
  const stat = await readStat(pid);
  // A zombie is dead already; only its parent can take it away.
  if (stat === undefined || stat[STAT_STATE] === "Z") return undefined;
  const environment = await readProc(pid, "environ");
  const isMarked = environment?.split("\0").includes(`${MARKER_VARIABLE}=${marker}`) ?? false;
  const [parent, session] = [Number(stat[STAT_PARENT]), Number(stat[STAT_SESSION])];
  return { pid, parent, session, isMarked };
}

// Fields of /proc/<pid>/stat (proc(5)) counted from the one after the command's closing bracket.
const STAT_STATE = 0;
const STAT_PARENT = 1;
const STAT_SESSION = 3;
const STAT_START = 19;

async function readStat(pid: number): Promise<string[] | undefined> {
  const line = await readProc(pid, "stat");
  return line?.slice(line.lastIndexOf(")") + 2).split(" ");
}

/** Undefined when the process is gone or not ours to look at. */
async function readProc(pid: number, file: "stat" | "environ"): Promise<string | undefined> {
  return readFile(`/proc/${pid}/${file}`, "latin1").catch((error: unknown) => {
    const isGone = ["ENOENT", "ESRCH", "EACCES", "EPERM"].some((code) => hasCode(error, code));
    if (isGone) return undefined;
    throw error;
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Pids of all processes below `root`, children before grandchildren, `root` itself left out. */
export function descendantsOf(root: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const { pid, parent } of listProcesses()) {
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), pid]);
  }
  const found = [...(childrenOf.get(root) ?? [])];
  // Grows while it is walked; ends because every process has one parent.
  for (const pid of found) found.push(...(childrenOf.get(pid) ?? []));
  return found;
}

/** A process may start another between the look and the kill; each pass finds what the last one missed. */
const SWEEPS_MAX = 10;

/**
 * SIGKILLs every process whose environment holds the text: what an executor that died had started is
 * nobody's child any more. Finds nothing where there is no /proc.
 */
export function sweepProcesses(environmentText: string): void {
  if (!existsSync("/proc/self/environ")) return;
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep += 1) {
    const found = listProcesses()
      .map(({ pid }) => pid)
      .filter((pid) => pid !== process.pid)
      .filter((pid) => readOrEmpty(`/proc/${String(pid)}/environ`).includes(environmentText));
    if (found.length === 0) return;
    for (const pid of found) killQuietly(pid, "SIGKILL");
  }
}

/** Sends a signal to a process, or with a negative pid to a group; one that is gone already is fine. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

type ProcessRow = { pid: number; parent: number };

function listProcesses(): ProcessRow[] {
  return existsSync("/proc/self/stat") ? fromProc() : fromPs();
}

function fromProc(): ProcessRow[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readOrEmpty(`/proc/${name}/stat`);
      // "pid (command) state ppid …": the command may hold anything, so read after its last bracket.
      const parent = /^\s*\w+\s+(\d+)/.exec(stat.slice(stat.lastIndexOf(")") + 1))?.[1];
      return parent === undefined ? [] : [{ pid: Number(name), parent: Number(parent) }];
    });
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    // A process that ended between listing and reading has no file any more (ENOENT, ESRCH).
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}

function fromPs(): ProcessRow[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
    .split("\n")
    .flatMap((line) => {
      const [pid, parent] = line.trim().split(/\s+/).map(Number);
      return pid === undefined || parent === undefined ? [] : [{ pid, parent }];
    });
}

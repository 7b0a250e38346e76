/** Looks at real processes through /proc, and ends them by pid. */
import { readdirSync, readFileSync } from "node:fs";
import { descendantsOf } from "../../cli/processTree.js";
import { waitFor } from "./waitFor.js";

/** Whether the process exists and is more than a zombie. */
export function isAlive(pid: number): boolean {
  const stat = readProc(pid, "stat");
  return stat !== "" && !/^\)\s[ZX]/.test(stat.slice(stat.lastIndexOf(")")));
}

/** Sends SIGKILL; a process that is gone already is fine. */
export function killHard(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Pids below `pid`, whatever their process group. */
export { descendantsOf };

/** Pids of living processes whose environment holds the text, for example "FONDATION_JOB=k57". */
export function processesWith(environmentText: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isAlive(pid))
    .filter((pid) => readProc(pid, "environ").includes(environmentText));
}

/**
 * Waits until a process with the text in its environment runs the command. A number of processes says
 * nothing: the CLI starts several of its own before it asks the model.
 */
export async function running(environmentText: string, command: string): Promise<void> {
  await waitFor(`${command} to run`, () =>
    processesWith(environmentText).some((pid) =>
      readProc(pid, "cmdline").replaceAll("\0", " ").startsWith(command),
    ),
  );
}

/** Command lines of all living processes, arguments joined by spaces. */
export function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readProc(Number(pid), "cmdline").replaceAll("\0", " "));
}

/** Waits until none of the pids is alive; fails with the survivors' command lines. */
export async function noneLeft(pids: readonly number[]): Promise<void> {
  let left: number[] = [];
  try {
    await waitFor("all processes to end", () => {
      left = pids.filter(isAlive);
      return left.length === 0;
    });
  } catch (error) {
    const who = left.map(
      (pid) => `${String(pid)} ${readProc(pid, "cmdline").replaceAll("\0", " ")}`,
    );
    throw new Error(`still alive: ${who.join("; ")}`, { cause: error });
  }
}

/** The same for everything that carries the text in its environment. */
export async function noneLeftWith(environmentText: string): Promise<void> {
  await waitFor(
    `no process with ${environmentText}`,
    () => processesWith(environmentText).length === 0,
  );
}

function readProc(pid: number, file: "stat" | "environ" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, "utf8");
  } catch (error) {
    // Ended meanwhile (ENOENT, ESRCH), or not ours to read (EACCES).
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { type Clock, within } from "../clock.js";
import { signalProcess, sweepProcesses } from "../processTree.js";
import type { CliCommand } from "./command.js";
import { createLineSplitter } from "./lines.js";

/** How the CLI's process ended, as the operating system tells it. */
export type CliExit =
  | { kind: "exited"; code: number }
  | { kind: "signaled"; signal: string }
  /** There is no such program, or it may not be run. */
  | { kind: "missing"; message: string }
  /** The machine could not start it: our own mistake, or no memory or process to be had. */
  | { kind: "notSpawned"; message: string };

export type CliRun = {
  exit: CliExit;
  /** The end of what it wrote to stderr. */
  stderr: string;
  /** It wrote more than an attempt may. */
  isOutputTooLarge: boolean;
  droppedLines: number;
  /** Processes that had to be killed after the CLI was gone. */
  sweptProcesses: number;
  /** False only if processes of the attempt could not be ended. */
  isClean: boolean;
};

type RunOptions = {
  marker: string;
  clock: Clock;
  /** Aborted: the stop ladder begins. */
  signal: AbortSignal;
  onSpawn: () => void;
  onLine: (line: string) => void;
  onStderr: (piece: string) => void;
};

/** Longest event line: an edit of a large file carries the file several times over. */
const LINE_CHARS_MAX = 16 * 1024 * 1024;
/** Everything one run may write to stdout. */
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;
const STDERR_CHARS_MAX = 8 * 1024;
/** SIGINT lets the CLI end its tools and write a result; measured at 0.3 s. */
const INTERRUPT_MS = 3_000;
const TERMINATE_MS = 1_000;
const KILL_MS = 5_000;
/** After the exit, a stray holder of the pipe must not keep the attempt open. */
const PIPE_CLOSE_MS = 1_000;

/** Runs the CLI to its end. When it resolves, no process of the attempt is left. Never rejects. */
export async function runCli(command: CliCommand, options: RunOptions): Promise<CliRun> {
  const output = { stderr: "", bytes: 0, isTooLarge: false };
  const lines = createLineSplitter(LINE_CHARS_MAX, options.onLine);
  const stop = new AbortController();
  const stopSignal = AbortSignal.any([options.signal, stop.signal]);
  let exit: CliExit;
  try {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...command.env },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdout.on("data", (piece: Buffer) => {
      output.bytes += piece.length;
      output.isTooLarge = output.bytes > OUTPUT_BYTES_MAX;
      if (output.isTooLarge) stop.abort();
      else lines.push(piece);
    });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      output.stderr = (output.stderr + piece).slice(-STDERR_CHARS_MAX);
      options.onStderr(piece);
    });
    // The CLI may end without having read all of the prompt; its exit tells why.
    child.stdin.on("error", () => undefined).end(command.stdin);
    exit = await untilGone(child, { ...options, command, stopSignal });
  } catch (error) {
    // Arguments that are too long make spawn throw.
    exit = { kind: "notSpawned", message: String(error) };
  }
  lines.end();
  const swept = await sweepProcesses(options.marker, options.clock);
  return {
    exit,
    stderr: output.stderr,
    isOutputTooLarge: output.isTooLarge,
    droppedLines: lines.dropped,
    sweptProcesses: swept.killed,
    isClean: swept.isClean,
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type WaitOptions = RunOptions & { command: CliCommand; stopSignal: AbortSignal };

async function untilGone(child: Child, options: WaitOptions): Promise<CliExit> {
  const { clock, command, stopSignal } = options;
  const failed = once(child, "error").then(([error]) => spawnFailure(error, command));
  if (child.pid === undefined) return failed;
  options.onSpawn();
  const closed = once(child, "close");
  const exited = once(child, "exit").then(([code, signal]): CliExit => {
    return typeof code === "number"
      ? { kind: "exited", code }
      : { kind: "signaled", signal: String(signal) };
  });
  const climb = (): void => void climbStopLadder(child.pid, exited, clock);
  if (stopSignal.aborted) climb();
  else stopSignal.addEventListener("abort", climb, { once: true });
  const exit = await exited;
  stopSignal.removeEventListener("abort", climb);
  await within(clock, PIPE_CLOSE_MS, closed);
  child.stdout.destroy();
  child.stderr.destroy();
  return exit;
}

/** SIGINT, SIGTERM, SIGKILL, each with its time; what the CLI leaves behind is the sweep's to end. */
async function climbStopLadder(
  pid: number | undefined,
  exited: Promise<CliExit>,
  clock: Clock,
): Promise<void> {
  if (pid === undefined) return;
  const ladder: [NodeJS.Signals, number][] = [
    ["SIGINT", INTERRUPT_MS],
    ["SIGTERM", TERMINATE_MS],
    ["SIGKILL", KILL_MS],
  ];
  for (const [signal, waitMs] of ladder) {
    if (!signalProcess(-pid, signal)) return;
    if ((await within(clock, waitMs, exited)) !== undefined) return;
  }
}

async function spawnFailure(error: unknown, command: CliCommand): Promise<CliExit> {
  const message = String(error);
  const hasFolder = await access(command.cwd).then(
    () => true,
    () => false,
  );
  // ENOENT names the program also when it is the folder that is gone.
  if (hasFolder && /\b(?:ENOENT|EACCES|ENOEXEC)\b/.test(message))
    return { kind: "missing", message };
  return { kind: "notSpawned", message };
}

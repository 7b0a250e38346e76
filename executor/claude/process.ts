import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { within } from "../clock.js";
import { signalProcess, sweepProcesses } from "../processTree.js";
import type { CliCommand } from "./command.js";
import { Conversation, type ConversationOptions, type Steering } from "./conversation.js";
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
  /** It neither said anything nor answered for as long as it may. */
  isStalled: boolean;
  /** A person asked it to end early. */
  isStopAsked: boolean;
  droppedLines: number;
  /** Processes that had to be killed after the CLI was gone. */
  sweptProcesses: number;
  /** False only if processes of the attempt could not be ended. */
  isClean: boolean;
};

type RunOptions = Omit<ConversationOptions, "opening"> & {
  marker: string;
  /** Aborted: the stop ladder begins. */
  signal: AbortSignal;
  onSpawn: (steering: Steering) => void;
  /** Events; lines of the control protocol are not among them. */
  onLine: (line: string) => void;
  onStderr: (piece: string) => void;
};

/** Longest event line: an edit of a large file carries the file several times over. */
const LINE_CHARS_MAX = 16 * 1024 * 1024;
/** Everything one run may write to stdout. */
const OUTPUT_BYTES_MAX = 512 * 1024 * 1024;
const STDERR_CHARS_MAX = 8 * 1024;
/** Told to interrupt, the CLI ends its tools and writes a result; measured at 0.3 s. */
const INTERRUPT_MS = 3_000;
const TERMINATE_MS = 1_000;
const KILL_MS = 5_000;
/** After the exit, a stray holder of the pipe must not keep the attempt open. */
const PIPE_CLOSE_MS = 1_000;

/** Runs the CLI to its end. When it resolves, no process of the attempt is left. Never rejects. */
export async function runCli(command: CliCommand, options: RunOptions): Promise<CliRun> {
  const facts = { stderr: "", bytes: 0, isTooLarge: false, isStalled: false, isStopAsked: false };
  let talk: Conversation | undefined;
  const lines = createLineSplitter(LINE_CHARS_MAX, (line) => {
    if (talk?.onLine(line) !== true) options.onLine(line);
  });
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
      facts.bytes += piece.length;
      facts.isTooLarge = facts.bytes > OUTPUT_BYTES_MAX;
      if (facts.isTooLarge) stop.abort();
      else lines.push(piece);
    });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      facts.stderr = (facts.stderr + piece).slice(-STDERR_CHARS_MAX);
      options.onStderr(piece);
    });
    talk = converse(child, { ...options, opening: command.opening }, (why) => {
      facts.isStalled ||= why === "stalled";
      stop.abort();
    });
    const isStuck = (): boolean => stop.signal.aborted && !facts.isTooLarge;
    exit = await untilGone(child, { ...options, command, stopSignal, talk, isStuck });
  } catch (error) {
    // Arguments that are too long make spawn throw.
    exit = { kind: "notSpawned", message: String(error) };
  }
  talk?.end();
  lines.end();
  const swept = await sweepProcesses(options.marker, options.clock);
  return {
    exit,
    stderr: facts.stderr,
    isOutputTooLarge: facts.isTooLarge,
    isStalled: facts.isStalled,
    isStopAsked: talk?.isStopAsked ?? false,
    droppedLines: lines.dropped,
    sweptProcesses: swept.killed,
    isClean: swept.isClean,
  };
}

function converse(
  child: Child,
  options: ConversationOptions,
  onStuck: (why: "stalled" | "lingering") => void,
): Conversation {
  // The CLI may end without having read all of it; its exit tells why.
  const stdin = child.stdin.on("error", () => undefined);
  return new Conversation(options, {
    write: (line) => {
      if (stdin.writable) stdin.write(line);
    },
    close: () => stdin.end(),
    onStuck,
  });
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;
type WaitOptions = RunOptions & {
  command: CliCommand;
  stopSignal: AbortSignal;
  talk: Conversation;
  /** It does not listen any more. */
  isStuck: () => boolean;
};

async function untilGone(child: Child, options: WaitOptions): Promise<CliExit> {
  const { clock, command, stopSignal, talk } = options;
  const failed = once(child, "error").then(([error]) => spawnFailure(error, command));
  if (child.pid === undefined) return failed;
  options.onSpawn(talk);
  const closed = once(child, "close");
  const exited = once(child, "exit").then(([code, signal]): CliExit => {
    return typeof code === "number"
      ? { kind: "exited", code }
      : { kind: "signaled", signal: String(signal) };
  });
  const climb = (): void => void climbStopLadder(child.pid, exited, options);
  if (stopSignal.aborted) climb();
  else stopSignal.addEventListener("abort", climb, { once: true });
  const exit = await exited;
  stopSignal.removeEventListener("abort", climb);
  await within(clock, PIPE_CLOSE_MS, closed);
  child.stdout.destroy();
  child.stderr.destroy();
  return exit;
}

/**
 * An interrupt over stdin, SIGTERM, SIGKILL, each with its time; what the CLI leaves behind is the
 * sweep's to end. Who is stuck would not heed the first.
 */
async function climbStopLadder(
  pid: number | undefined,
  exited: Promise<CliExit>,
  { clock, talk, isStuck }: WaitOptions,
): Promise<void> {
  if (pid === undefined) return;
  if (!isStuck()) {
    talk.leave();
    if ((await within(clock, INTERRUPT_MS, exited)) !== undefined) return;
  }
  const ladder: [NodeJS.Signals, number][] = [
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

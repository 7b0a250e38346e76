import { spawn } from "node:child_process";
import type { Clock } from "./clock.js";
import { signalProcess } from "./processTree.js";

/** How a short helper program ended. Never a shell, never inherited environment. */
export type CommandResult = {
  /** `exited` is the only ending in which `code` and the output say what the program meant. */
  ending: "exited" | "killed" | "timedOut" | "aborted" | "missing";
  code: number | undefined;
  stdout: string;
  stderr: string;
  isOutputCut: boolean;
};

export type Command = {
  file: string;
  args: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Characters of stdout that are kept; the program is ended when it writes more. */
  stdoutMax: number;
  stdin?: string | Buffer;
  /** latin1 keeps every byte of output that is no text. */
  encoding?: "utf8" | "latin1";
};

/** Tail of stderr that is kept: enough for the reason, whatever came before it. */
const STDERR_CHARS_MAX = 16 * 1024;

/** Runs a program in a group of its own and leaves nothing of the group behind. Never rejects. */
export function runCommand(
  command: Command,
  { clock, signal }: { clock: Clock; signal?: AbortSignal },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...command.env },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    let isOutputCut = false;
    let early: CommandResult["ending"] | undefined;
    const end = (why: CommandResult["ending"]): void => {
      early ??= why;
      if (child.pid !== undefined) signalProcess(-child.pid, "SIGKILL");
    };
    const abort = (): void => {
      end("aborted");
    };
    const cancelTimeout = clock.after(command.timeoutMs, () => {
      end("timedOut");
    });
    const settle = (ending: CommandResult["ending"], code: number | undefined): void => {
      cancelTimeout();
      signal?.removeEventListener("abort", abort);
      resolve({ ending: early ?? ending, code, stdout, stderr, isOutputCut });
    };
    child.stdout.setEncoding(command.encoding ?? "utf8").on("data", (piece: string) => {
      stdout += piece;
      if (stdout.length <= command.stdoutMax) return;
      stdout = stdout.slice(0, command.stdoutMax);
      isOutputCut = true;
      end("killed");
    });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      stderr = (stderr + piece).slice(-STDERR_CHARS_MAX);
    });
    child.once("error", () => {
      settle("missing", undefined);
    });
    child.once("close", (code) => {
      settle(code === null ? "killed" : "exited", code ?? undefined);
    });
    // A program that ends without reading its input is judged by its exit code, not by the pipe.
    child.stdin.on("error", () => undefined).end(command.stdin ?? "");
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

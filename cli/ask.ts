/** Questions to whoever sits at the terminal. Without one they are usage errors that name the option. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import type { Context } from "./context.js";
import { CommandError, exitCodes, usageError } from "./errors.js";

/** Asks in one line; `secret` shows nothing of the answer. */
export async function ask(
  { isInteractive, signal }: Context,
  question: string,
  { option, secret = false }: { option: string; secret?: boolean },
): Promise<string> {
  if (!isInteractive) throw usageError(`nobody is there to be asked: give ${option}`);
  process.stderr.write(question);
  const echo = secret ? nothing() : process.stderr;
  const lines = createInterface({ input: process.stdin, output: echo, terminal: secret });
  const stop = (): void => {
    lines.close();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("close", () => {
        reject(new CommandError("no answer", exitCodes.interrupted));
      });
      // With a terminal of its own, readline takes Ctrl-C for itself.
      lines.once("SIGINT", stop);
    });
  } finally {
    signal.removeEventListener("abort", stop);
    lines.close();
    if (secret) process.stderr.write("\n");
  }
}

/** Goes on only when a person says yes, or `--yes` did. */
export async function confirm(context: Context, question: string, isSure: boolean): Promise<void> {
  if (isSure) return;
  const answer = await ask(context, `${question} [y/N] `, { option: "--yes" });
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new CommandError("nothing was changed", exitCodes.canceled);
  }
}

/** Takes what readline would show of a secret. */
function nothing(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

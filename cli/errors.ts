/** Ways a command ends, by exit code. 0, 1 and 2 are a job's: succeeded, failed, canceled. */
export const exitCodes = {
  succeeded: 0,
  failed: 1,
  canceled: 2,
  /** What was typed can never work (EX_USAGE). */
  usage: 64,
  /** The command itself could not run (EX_SOFTWARE). */
  unable: 70,
  /** Ctrl-C: 128 + SIGINT. */
  interrupted: 130,
} as const;

/** A failure a person can act on: one sentence (what, why, what next), shown without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.unable) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What was typed can never work. */
export function usageError(message: string): CommandError {
  return new CommandError(message, exitCodes.usage);
}

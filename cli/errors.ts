/**
 * Ways a command ends, by exit code. 0 to 3 are a job's: succeeded, failed, canceled, out of time or
 * lost. What the backend refuses for another reason than those below ends with 1 as well.
 */
export const exitCodes = {
  succeeded: 0,
  failed: 1,
  canceled: 2,
  /** The job's last attempt ran out of time, or its executors were lost too often. */
  lost: 3,
  /** Not signed in, or not allowed. */
  denied: 4,
  /** What was named is not there. */
  notFound: 5,
  /** What was typed can never work (EX_USAGE). */
  usage: 64,
  /** The backend cannot be reached, or has no time now (EX_UNAVAILABLE). */
  unavailable: 69,
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

/** What all commands share: reading options, saying why not, exit codes. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { EventLog } from "../http/eventLog.js";

export const EXIT = { usage: 64, unavailable: 69, software: 70, disk: 74 } as const;

/** The command line cannot be understood; the message is one sentence. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The command cannot do what it was asked; the message says why and what next. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

export type CommandContext = {
  argv: readonly string[];
  log: EventLog;
  /** Writes a line for people to stdout. */
  say: (line: string) => void;
};
/** Resolves when the command has done its work, or, for a server, when it listens. */
export type Command = (context: CommandContext) => Promise<void>;

type Options = NonNullable<ParseArgsConfig["options"]>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; strict: true; allowPositionals: true; options: T }>
>;

/** Throws UsageError. `positionals` names those that must be given. */
export function readArguments<T extends Options>(
  argv: readonly string[],
  options: T,
  positionals: readonly string[] = [],
): Parsed<T> {
  const parsed = parse(argv, options);
  const missing = positionals[parsed.positionals.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing.`);
  const extra = parsed.positionals[positionals.length];
  if (extra !== undefined) throw new UsageError(`"${extra}" is one argument too many.`);
  return parsed;
}

function parse<T extends Options>(argv: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: [...argv], strict: true, allowPositionals: true, options });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message.split("\n")[0] ?? error.message);
  }
}

export function readFolder(data: string | undefined): string {
  if (data !== undefined && data !== "") return data;
  throw new UsageError("--data is missing: name the folder that holds the data.");
}

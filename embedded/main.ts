#!/usr/bin/env node
/** The command line: finds the command, says in one sentence why it cannot be done. */
import { backup } from "./commands/backup.js";
import { compact } from "./commands/compact.js";
import { dev } from "./commands/dev.js";
import { type Command, CommandError, EXIT, UsageError } from "./commands/options.js";
import { restore } from "./commands/restore.js";
import { start } from "./commands/start.js";
import { status } from "./commands/status.js";
import { createEventLog } from "./http/eventLog.js";
import { ListenError } from "./server.js";
import { DataFolderError } from "./store/dataFolder.js";

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["start", start],
  ["dev", dev],
  ["backup", backup],
  ["restore", restore],
  ["compact", compact],
  ["status", status],
]);
const USAGE = `usage:
  fondation-backend start --data DIR [--port N] [--site-port N] [--host HOST] [--memory] [--no-sync] [--control]
  fondation-backend dev [--data DIR] [the options of start]
  fondation-backend backup FILE --data DIR
  fondation-backend restore FILE --data DIR
  fondation-backend compact --data DIR
  fondation-backend status --data DIR [--json]`;

const log = createEventLog((line) => {
  process.stderr.write(line);
});
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<void> {
  const [first = "", ...rest] = process.argv.slice(2);
  if (["--help", "-h", "help"].includes(first)) {
    say(USAGE);
    return;
  }
  // Options without a command mean start.
  const isCommand = first !== "" && !first.startsWith("-");
  const command = isCommand ? COMMANDS.get(first) : start;
  if (command === undefined) throw new UsageError(`"${first}" is not a command.`);
  await command({ argv: isCommand ? rest : process.argv.slice(2), log, say });
}

function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) {
    process.stderr.write(`${message}\n${USAGE}\n`);
    process.exit(EXIT.usage);
  }
  const isKnown =
    error instanceof ListenError ||
    error instanceof DataFolderError ||
    error instanceof CommandError;
  if (isKnown) {
    process.stderr.write(`${message}\n`);
    process.exit(EXIT.unavailable);
  }
  if (error instanceof Error && "syscall" in error) {
    process.stderr.write(`The data folder cannot be used: ${message}.\n`);
    process.exit(EXIT.unavailable);
  }
  log("fault", { error });
  process.exit(EXIT.software);
}

main().catch(fail);

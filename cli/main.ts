#!/usr/bin/env node
/** The program `fondation`: commands, signals and exit codes. */
import { Command, CommanderError } from "commander";
import { killChildrenOnExit } from "./childProcess.js";
import { addApiKeys } from "./commands/apiKeys.js";
import { addBudgets } from "./commands/budgets.js";
import { demo, DEMO_PROMPT, type DemoContext, type DemoOptions } from "./commands/demo.js";
import { addExecutors } from "./commands/executors.js";
import { addJobs } from "./commands/jobs.js";
import { keysNew, type KeysOptions } from "./commands/keys.js";
import { addLogin } from "./commands/login.js";
import { addPrune } from "./commands/prune.js";
import { addQueue } from "./commands/queue.js";
import { addRun } from "./commands/run.js";
import { start, type StartOptions } from "./commands/start.js";
import { readConfig } from "./config.js";
import type { Run } from "./context.js";
import { CommandError, exitCodes } from "./errors.js";
import { createOutput } from "./output.js";
import { findRoot } from "./root.js";

const output = createOutput();
const interrupt = new AbortController();

/** Exit code of the command that ran. */
let exitCode: number = exitCodes.succeeded;

const program = new Command("fondation")
  .description("Runs the Claude Code CLI as queued jobs on git repositories, on machines you own.")
  .exitOverride()
  .configureOutput({
    writeErr: (text) => {
      output.say(text.trimEnd());
    },
  });

program
  .command("demo")
  .description("start everything on this machine and run one job through it")
  .option("--repo <repository>", "owner/repo, https URL or local path (default: this checkout)")
  .option("--ref <ref>", "branch, tag or commit (default: the default branch)")
  .option("--prompt <text>", "what Claude shall do; - reads it from stdin", DEMO_PROMPT)
  .option("--once", "stop everything when the job ends", false)
  .option("--json", "print one JSON object about the job on stdout", false)
  .option("--data <folder>", "where the backend and the executor keep their data")
  .option("--port <port>", "port of the backend; 0 takes a free one", "0")
  .option("--dashboard-port <port>", "port of the dashboard; 0 takes a free one", "0")
  .option("--live", "use the real model with the login found on this machine", false)
  .allowExcessArguments(false)
  .action(async (options: DemoOptions) => {
    exitCode = await demo(options, context());
  });

program
  .command("start")
  .description("run the backend and the dashboard on this machine; executors join them")
  .option("--data <folder>", "where the backend keeps its data (default: .fondation/data)")
  .option("--port <port>", "port of the backend; the next one is for its HTTP routes", "3210")
  .option("--dashboard-port <port>", "port of the dashboard", "3200")
  .allowExcessArguments(false)
  .action(async (options: StartOptions) => {
    await start(options, context());
  });

program
  .command("keys")
  .description("keys that a deployment signs access tokens with")
  .command("new")
  .description("print a new key as deployment variables, for: | npx convex env set")
  .option("--of <whom>", "user or executor: whose tokens it signs", "user")
  .option("--keep <jwks>", "the AUTH_…_JWKS before it: tokens signed until now stay good")
  .allowExcessArguments(false)
  .action((options: KeysOptions) => keysNew(options, output));

const run: Run = async (command) => {
  const code = await command({
    config: readConfig(),
    output,
    stdin: process.stdin,
    isInteractive: process.stdin.isTTY && process.stderr.isTTY,
    signal: interrupt.signal,
  });
  exitCode = code ?? exitCodes.succeeded;
};
for (const add of [
  addLogin,
  addRun,
  addJobs,
  addExecutors,
  addQueue,
  addBudgets,
  addPrune,
  addApiKeys,
]) {
  add(program, run);
}

killChildrenOnExit();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    // Asked twice: no more waiting. The exit handler takes the children along.
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    output.endProgress();
    output.say("stopping; once more to stop at once");
    interrupt.abort(new CommandError("stopped", exitCodes.interrupted));
  });
}

try {
  await program.parseAsync();
} catch (error) {
  exitCode = explain(error);
}
process.exit(exitCode);

function context(): DemoContext {
  return {
    root: findRoot(),
    cwd: process.cwd(),
    config: readConfig(),
    stdin: process.stdin,
    output,
    signal: interrupt.signal,
  };
}

function explain(error: unknown): number {
  if (interrupt.signal.aborted) return exitCodes.interrupted;
  if (error instanceof CommanderError) {
    // Commander has already said why; help that was asked for is no failure.
    return error.exitCode === 0 ? exitCodes.succeeded : exitCodes.usage;
  }
  if (error instanceof CommandError) {
    output.say(`fondation: ${error.message}`);
    return error.exitCode;
  }
  output.say(
    `fondation: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return exitCodes.unable;
}

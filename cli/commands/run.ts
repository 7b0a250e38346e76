/** `fondation run`: submits a job and follows it to its end. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import type { Backend, JobId, Submission } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { readPrompt } from "../demo/input.js";
import { CommandError, usageError } from "../errors.js";
import { follow } from "../following.js";
import { readCount, readDollars, readDuration } from "../numbers.js";

type RunOptions = {
  ref?: string;
  model?: string;
  maxTurns?: string;
  maxCost?: string;
  timeout?: string;
  attempts?: string;
  label: string[];
  priority?: string;
  key?: string | false;
  after: string[];
  hold: boolean;
  ask: string[];
  askTime?: string;
  idempotencyKey?: string;
  file?: string;
  outputSchema?: string;
  detach: boolean;
  json: boolean;
  quiet: boolean;
};

const EXAMPLES = `
Examples:
  fondation run octo/hello "Fix the failing test"
  fondation run octo/hello --file task.md --ref develop --timeout 20m
  git diff | fondation run octo/hello -          the prompt comes from stdin
  fondation run octo/hello "Update the docs" --detach --json

Ends with 0 when the job succeeded, 1 failed, 2 canceled, 3 out of time or lost. Ctrl-C cancels the job;
once more leaves it to itself.`;

const collect = (value: string, before: string[]): string[] => [...before, value];

export function addRun(program: Command, run: Run): void {
  program
    .command("run")
    .description("submit a job and follow it to its end")
    .argument("<repository>", "owner/name, an https URL or, where allowed, a path")
    .argument("[prompt]", "what Claude shall do; - reads it from stdin")
    .option("--file <file>", "read the prompt from a file")
    .option("--ref <ref>", "branch, tag or commit (default: the default branch)")
    .option("--model <model>", "model the CLI is to use")
    .option("--max-turns <count>", "turns after which Claude is stopped")
    .option("--max-cost <dollars>", "cost at which Claude is stopped")
    .option("--timeout <time>", "longest an attempt may take, like 30m")
    .option("--attempts <count>", "attempts that may fail before the job does")
    .option("--label <label>", "an executor must carry it (again for more)", collect, [])
    .option("--priority <0-9>", "0 is the most urgent")
    .option("--key <key>", "jobs of one key take turns (default: the branch's)")
    .option("--no-key", "take no turns with other jobs")
    .option("--after <jobId>", "start when that job has succeeded (again for more)", collect, [])
    .option("--hold", "wait until released", false)
    .option("--ask <tool>", 'calls that wait for a person, like "Bash(git push*)"', collect, [])
    .option("--ask-time <time>", "how long such a call waits, like 2h (default: a day)")
    .option("--idempotency-key <key>", "the same key again finds the same job")
    .option("--output-schema <file>", "JSON Schema of what Claude must hand out")
    .option("--detach", "submit only; print the job's id", false)
    .option("--quiet", "show neither log nor progress", false)
    .option("--json", "print one JSON object about the job on stdout", false)
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .action((repository: string, prompt: string | undefined, options: RunOptions) =>
      run(async (context) => {
        const submission = await readSubmission({ repository, prompt, options }, context);
        return withBackend(context, (backend) => runJob({ submission, options, backend }, context));
      }),
    );
}

type Asked = { repository: string; prompt: string | undefined; options: RunOptions };

// Everything typed is judged here, before anything is sent.
async function readSubmission(
  { repository, prompt, options }: Asked,
  { stdin }: Context,
): Promise<Submission> {
  const { ref, key, label, priority, after, hold, idempotencyKey, outputSchema } = options;
  return {
    repository,
    prompt: await promptOf(prompt, options.file, stdin),
    limits: readLimits(options),
    ...(ref === undefined ? {} : { ref }),
    ...(label.length === 0 ? {} : { labels: label }),
    ...(priority === undefined ? {} : { priority: readCount(priority, "--priority", [0, 9]) }),
    ...(key === undefined ? {} : { concurrencyKey: key === false ? null : key }),
    ...(after.length === 0 ? {} : { after }),
    ...(hold ? { hold } : {}),
    ...(outputSchema === undefined
      ? {}
      : { outputSchema: await readText(outputSchema, "--output-schema") }),
    ...readApproval(options),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

function readApproval({ ask, askTime }: RunOptions): Pick<Submission, "approval"> {
  if (ask.length === 0 && askTime !== undefined) {
    throw usageError("--ask-time says how long calls wait, and no --ask says which.");
  }
  if (ask.length === 0) return {};
  const time = askTime === undefined ? {} : { answerMs: readDuration(askTime, "--ask-time") };
  return { approval: { tools: ask, ...time } };
}

function readLimits({ model, maxTurns, maxCost, timeout, attempts }: RunOptions) {
  return {
    ...(model === undefined ? {} : { model }),
    ...(maxTurns === undefined ? {} : { maxTurns: readCount(maxTurns, "--max-turns", [1, 1_000]) }),
    ...(maxCost === undefined ? {} : { maxBudgetUsd: readDollars(maxCost, "--max-cost") }),
    ...(timeout === undefined ? {} : { timeoutMs: readDuration(timeout, "--timeout") }),
    ...(attempts === undefined ? {} : { attemptsMax: readCount(attempts, "--attempts", [1, 10]) }),
  };
}

async function promptOf(
  typed: string | undefined,
  file: string | undefined,
  stdin: Context["stdin"],
): Promise<string> {
  if (typed !== undefined && file !== undefined) {
    throw usageError("the prompt comes twice: as text and by --file. Leave one out.");
  }
  if (file === undefined || file === "-") {
    if (typed === undefined && file === undefined) {
      throw usageError("what shall Claude do? Give a prompt, - for stdin, or --file.");
    }
    return readPrompt(typed ?? "-", stdin);
  }
  return readText(file, "--file");
}

async function readText(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandError(`${option} ${file} cannot be read: ${error.message}`, 64);
  }
}

type Job = { submission: Submission; options: RunOptions; backend: Backend };

async function runJob(
  { submission, options, backend }: Job,
  context: Context,
): Promise<number | undefined> {
  const jobId: JobId = await backend.submit(submission);
  if (options.detach) {
    context.output.data(options.json ? JSON.stringify({ jobId }) : jobId);
    return undefined;
  }
  context.output.say(`job ${jobId}`);
  const { quiet, json } = options;
  return follow({ backend, jobId, quiet, json, cancelOnInterrupt: true }, context);
}

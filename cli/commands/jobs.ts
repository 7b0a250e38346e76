/** `fondation jobs`: look at jobs and act on them. */
import type { Command } from "commander";
import { JOB_STATE_KINDS } from "../../convex/protocol/job.js";
import { confirm } from "../ask.js";
import type { Backend, BulkAction, BulkFilter, JobId, JobStateKind } from "../backend.js";
import { bulkToEnd } from "../bulk.js";
import { withBackend, type Context, type Run } from "../context.js";
import { CommandError, exitCodes, usageError } from "../errors.js";
import { follow } from "../following.js";
import { describeJob, jobTable } from "../jobText.js";
import { followLog, showLog } from "../logText.js";
import { readCount, readDuration } from "../numbers.js";
import { addSteering } from "./steering.js";

const LIST_MAX = 100;

export function addJobs(program: Command, run: Run): void {
  const jobs = program.command("jobs").description("look at jobs and act on them");
  addLists(jobs, run);
  addWatching(jobs, run);
  for (const action of ACTIONS) addAction(jobs, run, action);
  addSteering(jobs, run);
}

function addLists(jobs: Command, run: Run): void {
  jobs
    .command("list")
    .description("the newest jobs")
    .option("--state <state>", JOB_STATE_KINDS.join(", "))
    .option("--limit <count>", `at most ${String(LIST_MAX)}`, "20")
    .option("--json", "print a JSON array", false)
    .allowExcessArguments(false)
    .action((options: { state?: string; limit: string; json: boolean }) =>
      run(async (context) => {
        const limit = readCount(options.limit, "--limit", [1, LIST_MAX]);
        const state = options.state === undefined ? undefined : readState(options.state);
        const found = await withBackend(context, (backend) => backend.listJobs(limit, state));
        context.output.data(options.json ? JSON.stringify(found) : jobTable(found, Date.now()));
        return undefined;
      }),
    );
  jobs
    .command("show")
    .description("one job: how it stands, why it waits, what came of it")
    .argument("<id>")
    .option("--json", "print one JSON object: {job, waiting, attempts, events, told}", false)
    .allowExcessArguments(false)
    .action((id: string, { json }: { json: boolean }) =>
      run((context) => withBackend(context, (backend) => show({ id, json, backend }, context))),
    );
}

function addWatching(jobs: Command, run: Run): void {
  jobs
    .command("watch")
    .description("follow a job to its end; ends as it does")
    .argument("<id>")
    .option("--quiet", "show neither log nor progress", false)
    .option("--json", "print one JSON object about the job on stdout", false)
    .allowExcessArguments(false)
    .action((id: string, options: { quiet: boolean; json: boolean }) =>
      run((context) =>
        withBackend(context, async (backend) => {
          const { jobId } = await backend.getJob(id);
          return follow({ backend, jobId, ...options, cancelOnInterrupt: false }, context);
        }),
      ),
    );
  jobs
    .command("logs")
    .description("the log of a job's latest attempt")
    .argument("<id>")
    .option("-f, --follow", "go on as it is written, attempt after attempt", false)
    .option("--attempt <number>", "of another attempt")
    .option("--json", "one JSON object a line", false)
    .allowExcessArguments(false)
    .action((id: string, options: { follow: boolean; attempt?: string; json: boolean }) =>
      run((context) => withBackend(context, (backend) => logs({ id, options, backend }, context))),
    );
}

const ACTIONS = ["cancel", "retry", "hold", "release", "requeue"] as const;
const ABOUT: Record<BulkAction, string> = {
  cancel: "ask jobs to end",
  retry: "give failed or canceled jobs another go",
  hold: "keep jobs that do not run from running",
  release: "let held jobs go on",
  requeue: "send jobs back to the queue",
};

type ActOptions = {
  state?: string;
  repo?: string;
  withLabel?: string;
  by?: string;
  since?: string;
  yes: boolean;
  json: boolean;
};

function addAction(jobs: Command, run: Run, action: BulkAction): void {
  jobs
    .command(action)
    .description(`${ABOUT[action]}: those named, or all that meet a filter`)
    .argument("[id...]")
    .option("--state <state>", "all of this state")
    .option("--repo <repository>", "all of this repository, as host/owner/name")
    .option("--with-label <label>", "all with this label")
    .option("--by <submitter>", "all of this submitter, like user:ada")
    .option("--since <time>", "all submitted within this time, like 2h")
    .option("--yes", "do not ask", false)
    .option("--json", "one JSON object a line: {jobId, ok, detail}", false)
    .allowExcessArguments(false)
    .action((ids: string[], options: ActOptions) =>
      run(async (context) => {
        const filter = readFilter(options, Date.now());
        const isFiltered = Object.keys(filter).length > 0;
        if (isFiltered === ids.length > 0) {
          throw usageError(`jobs ${action} takes ids or a filter such as --state, one of the two.`);
        }
        return withBackend(context, async (backend) => {
          const of = { backend, action, json: options.json };
          if (!isFiltered) return actOnEach({ ...of, ids }, context);
          await confirm(context, `${action} all jobs with ${JSON.stringify(filter)}?`, options.yes);
          return bulkToEnd({ ...of, filter }, context);
        });
      }),
    );
}

function readFilter({ state, repo, withLabel, by, since }: ActOptions, now: number): BulkFilter {
  return {
    ...(state === undefined ? {} : { state: readState(state) }),
    ...(repo === undefined ? {} : { repository: repo }),
    ...(withLabel === undefined ? {} : { label: withLabel }),
    ...(by === undefined ? {} : { submittedBy: by }),
    ...(since === undefined ? {} : { from: now - readDuration(since, "--since") }),
  };
}

type Acting = { backend: Backend; action: BulkAction; ids: string[]; json: boolean };

/** Acts on each, also after one was refused; ends as the first refusal says. */
async function actOnEach(
  { backend, action, ids, json }: Acting,
  { output }: Context,
): Promise<number | undefined> {
  let code: number | undefined;
  for (const id of ids) {
    let outcome: { jobId: string; ok: boolean; detail: string };
    try {
      const { jobId } = await backend.getJob(id);
      const state = await backend.act(action, jobId);
      outcome = { jobId, ok: true, detail: state.kind };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      outcome = { jobId: id, ok: false, detail: error.message };
      code ??= error.exitCode;
    }
    const { jobId, ok, detail } = outcome;
    if (json) output.data(JSON.stringify(outcome));
    else if (ok) output.data(`${jobId}  ${detail}`);
    else output.say(`${jobId}: ${detail}`);
  }
  return code;
}

async function show(
  { id, json, backend }: { id: string; json: boolean; backend: Backend },
  { output }: Context,
): Promise<undefined> {
  const job = await backend.getJob(id);
  const { jobId } = job;
  const [waiting, attempts, events, told] = [
    await backend.explain(jobId),
    await backend.listAttempts(jobId),
    await backend.listEvents(jobId),
    await backend.told(jobId),
  ];
  if (json) {
    output.data(JSON.stringify({ job, waiting, attempts, events, told }));
    return undefined;
  }
  const timeline = events.map(
    ({ at, from, to, cause, actor, reason, detail }) =>
      `  ${new Date(at).toISOString()}  ${from} → ${to}  ${cause} by ${actor}` +
      (reason === undefined ? "" : ` (${reason})`) +
      (detail === undefined ? "" : `: ${detail}`),
  );
  const why = waiting.rule === null ? [] : [`waits:      ${waiting.message}`];
  const orders = told.map(
    ({ at, kind, by, state, text }) =>
      `  ${new Date(at).toISOString()}  ${kind} by ${by}: ${state}` +
      (text === undefined ? "" : `: ${text}`),
  );
  const said = orders.length === 0 ? [] : ["", "told:", ...orders];
  output.data([describeJob(job), ...why, "", "timeline:", ...timeline, ...said].join("\n"));
  return undefined;
}

type Logs = {
  id: string;
  options: { follow: boolean; attempt?: string; json: boolean };
  backend: Backend;
};

async function logs({ id, options, backend }: Logs, context: Context): Promise<number | undefined> {
  const job = await backend.getJob(id);
  const { json } = options;
  if (options.follow) {
    if (options.attempt !== undefined)
      throw usageError("--follow and --attempt exclude each other.");
    const isOver = await followLog({ backend, jobId: job.jobId, json }, context);
    return isOver ? undefined : exitCodes.interrupted;
  }
  const attempt = attemptOf(options.attempt, job.attempt, job.jobId);
  await showLog({ backend, jobId: job.jobId, attempt, json }, context);
  return undefined;
}

function attemptOf(typed: string | undefined, latest: number, jobId: JobId): number {
  if (latest === 0) throw new CommandError(`job ${jobId} has not run yet`, exitCodes.notFound);
  return typed === undefined ? latest : readCount(typed, "--attempt", [1, latest]);
}

function readState(text: string): JobStateKind {
  const state = JOB_STATE_KINDS.find((kind) => kind === text);
  if (state !== undefined) return state;
  throw usageError(`--state is "${text}"; it must be one of ${JOB_STATE_KINDS.join(", ")}.`);
}

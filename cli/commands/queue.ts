/** `fondation pause`, `resume` and `stats`: the queue as a whole. */
import type { Command } from "commander";
import type { Range } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { usageError } from "../errors.js";
import { relative, table } from "../table.js";

const RANGES: readonly Range[] = ["hour", "day", "week", "month", "quarter"];

export function addQueue(program: Command, run: Run): void {
  program
    .command("pause")
    .description("give nothing out; what runs goes on, submissions are taken")
    .argument("<reason>", "shown to whoever asks why a job waits")
    .option("--maintenance", "call it maintenance", false)
    .allowExcessArguments(false)
    .action((reason: string, { maintenance }: { maintenance: boolean }) =>
      run(async (context) => {
        await withBackend(context, (backend) => backend.pauseQueue(reason, maintenance));
        context.output.say("the queue is paused; go on with: fondation resume");
        return undefined;
      }),
    );
  program
    .command("resume")
    .description("end a pause or maintenance")
    .allowExcessArguments(false)
    .action(() =>
      run(async (context) => {
        await withBackend(context, (backend) => backend.resumeQueue());
        context.output.say("the queue goes on");
        return undefined;
      }),
    );
  program
    .command("stats")
    .description("how the queue stands, and what it did")
    .option("--range <range>", RANGES.join(", "), "day")
    .option("--json", "print one JSON object: {queue, now, summary}", false)
    .allowExcessArguments(false)
    .action((options: { range: string; json: boolean }) =>
      run((context) => stats(options, context)),
    );
}

async function stats(
  { range: typed, json }: { range: string; json: boolean },
  context: Context,
): Promise<undefined> {
  const range = RANGES.find((each) => each === typed);
  if (range === undefined) {
    throw usageError(`--range is "${typed}"; it must be one of ${RANGES.join(", ")}.`);
  }
  const found = await withBackend(context, async (backend) => ({
    queue: await backend.queueStatus(),
    now: await backend.queueNow(),
    summary: await backend.summary(range),
  }));
  context.output.data(json ? JSON.stringify(found) : describe(found, range));
  return undefined;
}

type Backend = Parameters<Parameters<typeof withBackend>[1]>[0];
type Found = {
  queue: Awaited<ReturnType<Backend["queueStatus"]>>;
  now: Awaited<ReturnType<Backend["queueNow"]>>;
  summary: Awaited<ReturnType<Backend["summary"]>>;
};

function describe({ queue, now, summary }: Found, range: Range): string {
  const { figures, rolledAt } = summary;
  const { jobs, wait, run: running, costUsd, submitted, retries } = figures;
  const states = Object.entries(now.states).filter(([, count]) => count > 0);
  const paused = queue.paused === null ? "no" : `${queue.paused.reason} (${queue.paused.by})`;
  const waits = now.oldestPendingSince;
  const rows = [
    ["paused", paused],
    ["executors", `${String(now.executorsOnline)} online, ${String(now.slots)} slots`],
    ["jobs now", states.map(([state, count]) => `${String(count)} ${state}`).join(", ") || "none"],
    ["oldest waits", waits === null ? "none" : `since ${relative(waits, Date.now())}`],
    [`last ${range}`, `${String(submitted)} submitted, ${String(retries)} attempts repeated`],
    [
      "ended",
      `${String(jobs.succeeded)} succeeded, ${String(jobs.failed)} failed, ${String(jobs.canceled)} canceled`,
    ],
    ["wait", `p50 ${time(wait.p50Ms)}, p95 ${time(wait.p95Ms)}`],
    ["run", `p50 ${time(running.p50Ms)}, p95 ${time(running.p95Ms)}`],
    ["cost", `$${costUsd.toFixed(2)}`],
    ["as of", rolledAt === null ? "not rolled up yet" : new Date(rolledAt).toISOString()],
  ];
  return table(["QUEUE", ""], rows);
}

function time(ms: number | null): string {
  if (ms === null) return "none";
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

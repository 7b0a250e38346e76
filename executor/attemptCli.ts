import type { Resume } from "../convex/protocol/checkpoint.js";
import type { Work } from "../convex/protocol/executor.js";
import type { Outcome } from "../convex/protocol/job.js";
import { failed, stoppedOutcome } from "./attemptEnding.js";
import { type AttemptContext, tellResumption } from "./attemptSource.js";
import type { Checkpointer } from "./checkpoint.js";
import { buildCommand } from "./claude/command.js";
import { classify, type Facts, NO_FACTS, observe, reportOf } from "./claude/outcome.js";
import { createMeter } from "./claude/meter.js";
import { type CliRun, runCli } from "./claude/process.js";
import { parseLine, toLogEntries } from "./claude/stream.js";
import { confine } from "./confinement.js";
import { loginOf } from "./issuedSecrets.js";
import type { Orders } from "./orders.js";
import { writeProjectNotes } from "./projectNotes.js";
import { toolGate } from "./toolGate.js";
import type { Workspace } from "./workspace.js";

/** One run of the CLI within an attempt. */
export type CliStep = {
  work: Work;
  workspace: Workspace;
  /** What the session goes on from; its transcript is in its place. */
  resume: Resume | undefined;
  checkpoints: Checkpointer;
  orders: Orders;
};

/**
 * Runs the CLI to its end, its events into the log and the report. "unusable": it did not take up the
 * session it was to go on with.
 */
export async function runAttemptCli(
  context: AttemptContext,
  step: CliStep,
): Promise<Outcome | "unusable"> {
  const { deps, report, signal, mark } = context;
  const { work, workspace, resume, checkpoints, orders } = step;
  const { clock, cli } = deps;
  if (cli.file === undefined) return failed("cliMissing", "This executor has no claude binary.");
  const notesFile = await writeProjectNotes(context, workspace);
  const goOn = resume?.goOn;
  const judge = toolGate(work.approval, goOn);
  const call = { ...cli, file: cli.file, work, folders: workspace, marker: workspace.marker };
  const confined = await confine(deps, {
    workspace,
    login: await loginOf(cli, context.secrets),
    build: (login) =>
      buildCommand({ ...call, login, notesFile, goOn, isGated: judge !== undefined }),
  });
  let facts: Facts = NO_FACTS;
  const meter = createMeter({
    clock,
    tell: work.isMetered === true ? (usage) => deps.backend.meter(context.held, usage) : undefined,
    onFailure: (error) => {
      context.heed(error, "meterRefused");
    },
  });
  const startedAt = clock.monotonic();
  const ran = await runCli(confined.command, {
    ...{ clock, signal, marker: workspace.marker, answerMs: cli.answerMs, judge },
    onTaken: orders.onTaken,
    onUsage: (usage) => {
      meter.onUsage(usage);
    },
    onSpawn: (steering) => {
      meter.attach(steering);
      context.enter("running", { spawnedAt: clock.now() });
      orders.attach(steering);
    },
    onLine: (raw) => {
      // Before anything is cut: of a secret that is cut in two no half would be known.
      const line = deps.redactor.text(raw);
      if (checkpoints.onLine(line)) return;
      const event = parseLine(line);
      if (event.type === "init" && facts.sessionId === undefined && resume !== undefined) {
        void tellResumption(context, resume);
      }
      facts = observe(facts, event);
      meter.onEvent();
      context.log.add(toLogEntries(event, clock.now()));
    },
    onStderr: (piece) => {
      context.log.stderr(piece);
    },
  });
  orders.stop();
  await confined.close();
  meter.stop();
  const run = { ...ran, stderr: context.log.endStderr() };
  const cliMs = Math.round(clock.monotonic() - startedAt);
  Object.assign(report, reportOf(run, { ...facts, usage: meter.usage() }), { cliMs });
  tellOddities(context, run);
  const stopped = stoppedOutcome(signal);
  if (stopped !== undefined || resume === undefined || facts.sessionId !== undefined) {
    return stopped ?? classify(run, facts, { needsOutput: work.outputSchema !== undefined });
  }
  checkpoints.stop();
  await tellResumption(context, resume, `the CLI did not take up its session. ${run.stderr}`);
  mark("starting over");
  return "unusable";
}

function tellOddities({ deps, held, mark }: AttemptContext, run: CliRun): void {
  if (run.droppedLines > 0) mark(`${run.droppedLines} events were too long to be read`);
  if (run.sweptProcesses > 0) mark(`${run.sweptProcesses} left-over processes ended`);
  if (!run.isClean) deps.logger.error("processesLeft", { ...held });
}

import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import type { AttemptReport, Outcome, Phase } from "../protocol/job.js";
import { PHASES } from "../protocol/job.js";
import type { AskedCall } from "../protocol/steering.js";
import * as Attempts from "./attempts.js";
import * as Executors from "./executors.js";
import { apply } from "./apply.js";
import type { JobEvent, Parking } from "./change.js";
import * as Questions from "./questions.js";
import * as Spending from "./spending.js";
import * as UsageLimits from "./usageLimits.js";

/** A job and the executor that holds it; the caller has checked the token. */
export type Held = { job: Doc<"jobs">; executor: Doc<"executors"> };

/** Moves an attempt to its next phase; one it has reached already only gains facts. */
export async function enterPhase(
  ctx: MutationCtx,
  { job, executor }: Held,
  entered: { phase: Phase; commit?: string; spawnedAt?: number },
): Promise<void> {
  const { state } = job;
  const isBehind =
    state.kind === "running" && PHASES.indexOf(entered.phase) <= PHASES.indexOf(state.phase);
  if (isBehind) return Attempts.note(ctx, job, entered);
  const event: JobEvent = { kind: "phase", ...entered };
  await apply(ctx, job, { event, actor: Executors.actorOf(executor) });
}

/** Ends an attempt as its executor saw it; a reason that is the executor's fault closes it first. */
export async function finish(
  ctx: MutationCtx,
  { job, executor }: Held,
  { outcome, report }: { outcome: Outcome; report: AttemptReport },
): Promise<void> {
  const heeded = await UsageLimits.heed(ctx, { job, executor }, { outcome, report });
  const isOverBudget = outcome.kind === "failed" && outcome.reason === "budget";
  const parking = isOverBudget ? await Spending.parking(ctx, job, report) : heeded;
  // A credential of the deployment that the API refuses is no fault of the executor.
  const isOwnFault = outcome.kind === "failed" && job.live?.credentialId === undefined;
  if (isOwnFault || (outcome.kind === "failed" && outcome.reason !== "cliAuth")) {
    await Executors.blame(ctx, executor, outcome.reason);
  }
  const event =
    outcome.kind === "asked"
      ? await ask(ctx, job, { call: outcome.call, report })
      : eventOf(outcome, report, parking);
  await apply(ctx, job, { event, actor: Executors.actorOf(executor) });
}

/** The run put a call off: it becomes a question, unless the job is to end or has asked too often. */
async function ask(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { call, report }: { call: AskedCall; report: AttemptReport },
): Promise<JobEvent> {
  if (!Questions.mayAsk(job)) {
    const message = "The run asked more often than a job may, and was not to ask again.";
    return { kind: "fail", slot: "free", reason: "internal", message, report };
  }
  const isCanceling = job.cancelRequestedAt !== undefined;
  const until = isCanceling ? 0 : await Questions.open(ctx, job, call);
  return { kind: "ask", message: `asks for ${call.tool.slice(0, 100)}`, until, report };
}

function eventOf(
  outcome: Exclude<Outcome, { kind: "asked" }>,
  report: AttemptReport,
  parking: Parking | undefined,
): JobEvent {
  switch (outcome.kind) {
    case "succeeded":
      return { kind: "succeed", report };
    case "stopped":
      return { kind: "stop", report };
    case "failed": {
      const { reason, message } = outcome;
      const waiting = parking === undefined ? {} : { parking };
      return { kind: "fail", slot: "free", reason, message, report, ...waiting };
    }
    case "canceled":
      return { kind: "canceled", slot: "free", report };
    case "interrupted":
      return { kind: "interrupt", slot: "free", reason: outcome.reason, report };
  }
}

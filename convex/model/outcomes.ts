import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import type { AttemptReport, Outcome, Phase } from "../protocol/job.js";
import { PHASES } from "../protocol/job.js";
import * as Attempts from "./attempts.js";
import * as Executors from "./executors.js";
import { apply } from "./apply.js";
import type { JobEvent, Parking } from "./change.js";
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
  const event = eventOf(outcome, report, parking);
  await apply(ctx, job, { event, actor: Executors.actorOf(executor) });
}

function eventOf(outcome: Outcome, report: AttemptReport, parking: Parking | undefined): JobEvent {
  switch (outcome.kind) {
    case "succeeded":
      return { kind: "succeed", report };
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

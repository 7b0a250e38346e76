import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { MutationCtx } from "../_generated/server.js";
import { isAsking, isHeld, isTerminal } from "../domain/lifecycle.js";
import { isInPlay } from "../domain/waiting.js";
import * as Clock from "../lib/clock.js";
import type { JobState } from "../protocol/job.js";
import { DEPENDENTS_PER_STEP, LET_ALL_IN_PER_STEP, LET_IN_PER_STEP } from "../protocol/limits.js";
import type { Happening } from "./change.js";
import * as Checkpoints from "./checkpoints.js";
import * as Controls from "./controls.js";
import * as Dependencies from "./dependencies.js";
import * as Gates from "./gates.js";
import * as Questions from "./questions.js";
import * as Steering from "./steering.js";
import { transit } from "./transitions.js";

/**
 * What happens to a job, and what follows for others, in one transaction: room at its gates lets the
 * next job in, and its end settles those that come after it. What is more than a bounded step goes on
 * in a chain of scheduled steps. Hands out the job's state afterwards.
 */
export async function apply(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  happening: Happening,
): Promise<JobState> {
  const { state, gate } = await transit(ctx, job, happening);
  const hasLeft = isHeld(job.state) ? !isHeld(state) : isInPlay(job.state) && !isInPlay(state);
  if (hasLeft) {
    for (const name of Gates.gatesOf(job)) {
      if (name !== gate) await letIn(ctx, name, job.lane);
    }
  }
  if (!isTerminal(job.state.kind) && isTerminal(state.kind)) {
    await Checkpoints.keep(ctx, job);
    await endTalk(ctx, job);
    await settleDependents(ctx, job._id, state.kind === "succeeded");
  }
  // Another go begins at the beginning.
  if (happening.event.kind === "retry" && job.attempt > 0) await Checkpoints.drop(ctx, job._id);
  return state;
}

/** What people and the job's runs still had to say to each other comes to its end with the job. */
async function endTalk(ctx: MutationCtx, job: Doc<"jobs">): Promise<void> {
  await Steering.close(ctx, job);
  if (isAsking(job.state)) await Questions.close(ctx, job._id, "withdrawn");
}

/**
 * Lets the first job of each lane in at a gate that has room, beginning after the lane given, so that
 * lanes take turns. A job that another gate stops makes way for the next of its lane. Hands out
 * whether the gate may have more to let in.
 */
export async function letIn(
  ctx: MutationCtx,
  gate: string,
  afterLane: string | null,
): Promise<boolean> {
  const first = await Gates.nextWaiting(ctx, gate, null);
  if (first === null) return false;
  if ((await Gates.check(ctx, gate, (await Controls.get(ctx)).limits)) !== null) return false;
  const visited = new Set<string>();
  let lane = afterLane;
  for (let i = 0; i < LET_IN_PER_STEP; i += 1) {
    const next =
      (lane === null ? null : await Gates.nextWaiting(ctx, gate, lane)) ??
      (await Gates.nextWaiting(ctx, gate, null));
    if (next === null) return false;
    if (visited.has(next.lane)) return true;
    const { state } = await transit(ctx, next, { event: { kind: "wake" }, actor: "gate" });
    if (state.kind === "pending") {
      visited.add(next.lane);
      lane = next.lane;
    }
  }
  await ctx.scheduler.runAfter(0, internal.queue.goOnLettingIn, { gate, lane, rounds: 1 });
  return true;
}

/**
 * Lets everybody in who waits at a gate that has opened, a bounded number a step. Who came to the gate
 * after the first step, back again perhaps, stays: the steps end, whatever the dispatcher does meanwhile.
 */
export async function letAllIn(
  ctx: MutationCtx,
  gate: string,
  beganAt: number = Clock.now(),
): Promise<void> {
  const page = await Gates.waitingAt(ctx, gate, LET_ALL_IN_PER_STEP);
  const jobs = page.filter(({ state }) => state.kind === "waiting" && state.since <= beganAt);
  if (jobs.length === 0) return;
  if ((await Gates.check(ctx, gate, (await Controls.get(ctx)).limits)) !== null) return;
  for (const job of jobs) await transit(ctx, job, { event: { kind: "wake" }, actor: "gate" });
  if (page.length === LET_ALL_IN_PER_STEP) {
    await ctx.scheduler.runAfter(0, internal.queue.goOnLettingAllIn, { gate, beganAt });
  }
}

/** Tells those that come after a job that it has ended. */
export async function settleDependents(
  ctx: MutationCtx,
  on: Id<"jobs">,
  isSuccess: boolean,
): Promise<void> {
  const rows = await Dependencies.dependents(ctx, on, DEPENDENTS_PER_STEP + 1);
  for (const row of rows.slice(0, DEPENDENTS_PER_STEP)) {
    const job = await Dependencies.meet(ctx, row);
    if (job !== null) await settleDependent(ctx, job, { on, isSuccess });
  }
  if (rows.length > DEPENDENTS_PER_STEP) {
    await ctx.scheduler.runAfter(0, internal.queue.goOnSettling, { on, isSuccess });
  }
}

/** A job that waits for others can be in no line and with no executor, so nothing follows at gates. */
async function settleDependent(
  ctx: MutationCtx,
  job: Doc<"jobs">,
  { on, isSuccess }: { on: Id<"jobs">; isSuccess: boolean },
): Promise<void> {
  if (isTerminal(job.state.kind)) return;
  const policy = isSuccess ? "run" : (job.onDependencyFailure ?? "cancel");
  const actor = "dependency";
  const message = `job ${on} ended without success`;
  switch (policy) {
    case "cancel":
      await transit(ctx, job, { event: { kind: "cancel", message }, actor });
      await endTalk(ctx, job);
      await ctx.scheduler.runAfter(0, internal.queue.goOnSettling, {
        on: job._id,
        isSuccess: false,
      });
      return;
    case "hold":
      await transit(ctx, job, { event: { kind: "hold", message }, actor });
      return;
    case "run":
      if (job.state.kind === "waiting" && job.state.reason === "dependency" && job.unmet === 0) {
        await transit(ctx, job, { event: { kind: "wake" }, actor });
      }
  }
}

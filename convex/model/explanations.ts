import type { Doc, Id } from "../_generated/dataModel.js";
import type { QueryCtx } from "../_generated/server.js";
import * as Budget from "../domain/budget.js";
import { type Estimate, estimate } from "../domain/estimate.js";
import * as Clock from "../lib/clock.js";
import { fits, labelsOf, signature } from "../domain/labels.js";
import type { WaitReason } from "../protocol/job.js";
import { AFTER_MAX, AHEAD_MAX, ESTIMATE_SAMPLES, GATE_LIMIT_MAX } from "../protocol/limits.js";
import type { WaitingView } from "../protocol/queue.js";
import * as Attempts from "./attempts.js";
import * as Budgets from "./budgets.js";
import * as Controls from "./controls.js";
import * as Credentials from "./credentials.js";
import * as Dependencies from "./dependencies.js";
import * as Executors from "./executors.js";
import * as Gates from "./gates.js";
import * as Lines from "./lines.js";
import * as Places from "./places.js";
import * as Questions from "./questions.js";
import * as Spending from "./spending.js";
import * as Slots from "./slots.js";

/**
 * Why a job does not run. Whatever keeps it is read from the same rows, by the same rules, as the
 * dispatcher reads; nothing here is a guess but the estimate, which says what it rests on.
 */

type Rule = Pick<WaitingView, "rule" | "message"> & {
  until?: number;
  blockedBy?: Id<"jobs">[];
};

const BLOCKERS_MAX = 10;

export async function explain(ctx: QueryCtx, job: Doc<"jobs">): Promise<WaitingView> {
  const fitting = await fittingExecutors(ctx, job.lane);
  const { until = null, blockedBy = [], ...rule } = await ruleOf(ctx, job, fitting);
  const line = await Places.placeOf(ctx, job, AHEAD_MAX);
  const guess = await guessOf(ctx, job, { ...rule, until, fitting, line });
  return {
    state: job.state,
    ...rule,
    until,
    blockedBy,
    ahead: line?.ahead ?? null,
    aheadIsMore: line?.isMore ?? false,
    estimatedWaitMs: guess.waitMs,
    estimateNote: guess.note,
  };
}

/** How long until it starts: of the line it stands in, or of the rule that ends at a known time. */
async function guessOf(
  ctx: QueryCtx,
  { state }: Doc<"jobs">,
  seen: {
    rule: Rule["rule"];
    until: number | null;
    fitting: readonly Doc<"executors">[];
    line: Places.Place | null;
  },
): Promise<Estimate> {
  const { rule, until, fitting, line } = seen;
  if ((rule === "credential" || rule === "budget") && until !== null) {
    const note =
      rule === "budget"
        ? "The budget begins anew then, if nothing is freed before."
        : "The first of the credentials may be used again then.";
    return { waitMs: Math.max(0, until - Clock.now()), note };
  }
  if (state.kind !== "pending" || (rule !== "slots" && rule !== null)) {
    const note = "It depends on the rule that keeps it, not on the length of a line.";
    return { waitMs: null, note };
  }
  return estimate({
    durationsMs: await Attempts.recentDurations(ctx, ESTIMATE_SAMPLES),
    room: await roomOf(ctx, fitting),
    ahead: line?.ahead ?? 0,
    isAheadMore: line?.isMore ?? false,
  });
}

async function ruleOf(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  fitting: readonly Doc<"executors">[],
): Promise<Rule> {
  const { state } = job;
  switch (state.kind) {
    case "pending":
      return pendingRule(ctx, job, fitting);
    case "waiting":
      return waitingRule(ctx, job, state);
    case "backoff": {
      const message = `It failed (${state.reason}) and is tried again after a pause.`;
      return { rule: "backoff", message, until: state.runAt };
    }
    case "assigned":
    case "running":
      return { rule: null, message: "It is with an executor." };
    case "succeeded":
    case "failed":
    case "canceled":
      return { rule: null, message: "It has ended." };
  }
}

async function waitingRule(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  { reason, until }: { reason: WaitReason; until?: number },
): Promise<Rule> {
  switch (reason) {
    case "schedule":
      return {
        rule: reason,
        message: "Its time has not come.",
        ...(until === undefined ? {} : { until }),
      };
    case "dependency": {
      const blockedBy = await Dependencies.openOf(ctx, job._id, AFTER_MAX);
      const message = `It comes after ${job.unmet ?? 0} jobs that have not ended.`;
      return { rule: reason, message, blockedBy: blockedBy.slice(0, BLOCKERS_MAX) };
    }
    case "answer":
      return answerRule(ctx, job, until);
    case "approval":
      return { rule: reason, message: "It is held: somebody must release it." };
    case "concurrency":
    case "paused":
      return gateRule(ctx, { reason, gate: job.gate ?? "" });
    case "budget":
      return budgetRule(ctx, job);
    case "credential":
      return credentialRule(ctx);
  }
}

/** A person is asked: about what, and until when. */
async function answerRule(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  until: number | undefined,
): Promise<Rule> {
  const question = await Questions.openOf(ctx, job._id);
  const what = question === null ? "a call" : `a call of ${question.tool}`;
  return {
    rule: "answer",
    message: `Its run waits for an operator to allow or refuse ${what}; refused if nobody answers in time.`,
    ...(until === undefined ? {} : { until }),
  };
}

async function gateRule(
  ctx: QueryCtx,
  { reason, gate }: { reason: Exclude<Rule["rule"], null>; gate: string },
): Promise<Rule> {
  if (reason !== "concurrency") {
    return { rule: reason, message: `${gate} is closed until somebody opens it.` };
  }
  const held = await Gates.holders(ctx, gate, GATE_LIMIT_MAX);
  return {
    rule: reason,
    message: `As many jobs of ${gate} run as may: ${held.length}.`,
    blockedBy: held.slice(0, BLOCKERS_MAX).map((holder) => holder._id),
  };
}

async function budgetRule(ctx: QueryCtx, job: Doc<"jobs">): Promise<Rule> {
  const row = await Budgets.ofGate(ctx, job.gate ?? "");
  const account = row === null ? null : await Budgets.look(ctx, row);
  if (row === null || account === null || hasRoom(account, job)) {
    return { rule: "budget", message: "It is about to be let in." };
  }
  const until = Budgets.endOf(row);
  const message = Budgets.inWords(account);
  return { rule: "budget", message, ...(until === null ? {} : { until }) };
}

/** Whether the gate of a budget is open, and the job itself would pass it: it waits for its turn alone. */
function hasRoom(account: Budgets.Row, job: Doc<"jobs">): boolean {
  return [undefined, Spending.left(job)].every((left) => Budget.reserve(account, left) !== null);
}

async function credentialRule(ctx: QueryCtx): Promise<Rule> {
  const until = await Credentials.firstReset(ctx);
  const when = until === null ? {} : { until };
  const message =
    until === null
      ? "No Claude credential is free: all that are good are in use, or none is good."
      : "The Claude credentials it could use have reached their limits.";
  return { rule: "credential", message, ...when };
}

async function pendingRule(
  ctx: QueryCtx,
  job: Doc<"jobs">,
  fitting: readonly Doc<"executors">[],
): Promise<Rule> {
  const { paused, limits } = await Controls.get(ctx);
  if (paused !== null) {
    const what = paused.kind === "pause" ? "The queue is paused" : "Maintenance";
    return { rule: "paused", message: `${what}: ${paused.reason}` };
  }
  if (fitting.length === 0) {
    if (await isLoginInTheWay(ctx, job.lane)) return credentialRule(ctx);
    const labels = labelsOf(job.lane);
    const which = labels.length === 0 ? "" : ` with the labels ${labels.join(", ")}`;
    return { rule: "executor", message: `No executor${which} is online and takes work.` };
  }
  const gate = await Gates.blocking(ctx, job, limits);
  if (gate?.reason === "credential") return credentialRule(ctx);
  if (gate !== null) return gateRule(ctx, { reason: gate.reason, gate: gate.name });
  const { running } = limits;
  if (running !== null && (await Lines.countHeld(ctx, running)) >= running) {
    return { rule: "limit", message: `As many jobs run as may in all: ${running}.` };
  }
  for (const pool of new Set(fitting.map((executor) => signature(executor.labels)))) {
    if ((await Slots.ofPool(ctx, pool, 1)).length > 0) {
      return { rule: null, message: "Nothing keeps it: it is about to be given out." };
    }
  }
  return { rule: "slots", message: "All slots that fit are taken." };
}

/** Executors that take work and carry the labels of a lane, among the newest 100 that are online. */
async function fittingExecutors(ctx: QueryCtx, lane: string): Promise<Doc<"executors">[]> {
  const online = await Executors.online(ctx);
  return online.filter((each) => Slots.isOpen(each) && fits(lane, signature(each.labels)));
}

/** Whether an executor that fits takes no work only because its own login is used up. */
async function isLoginInTheWay(ctx: QueryCtx, lane: string): Promise<boolean> {
  const online = await Executors.online(ctx);
  return online.some(
    ({ isLoginBlocked, ...each }) =>
      isLoginBlocked === true && Slots.isOpen(each) && fits(lane, signature(each.labels)),
  );
}

async function roomOf(ctx: QueryCtx, fitting: readonly Doc<"executors">[]): Promise<number> {
  const slots = fitting.reduce((sum, executor) => sum + executor.slots, 0);
  const { running } = (await Controls.get(ctx)).limits;
  return running === null ? slots : Math.min(slots, running);
}

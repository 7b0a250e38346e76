import { internal } from "../_generated/api.js";
import type { Doc } from "../_generated/dataModel.js";
import type { MutationCtx, QueryCtx } from "../_generated/server.js";
import { rankOf } from "../domain/dispatch.js";
import { admit, type Admission } from "../domain/waiting.js";
import { type Next, pending, waiting } from "./change.js";
import * as Dispatcher from "./dispatcher.js";
import * as Gates from "./gates.js";

/** What the rules look at, of a job that is or will be. */
export type Applicant = Pick<
  Doc<"jobs">,
  "submittedBy" | "priority" | "lane" | "runAt" | "unmet" | "concurrencyKey" | "attempt"
>;

/** Lets a job into the queue, or has it wait for the first rule that keeps it from running. */
export async function enter(ctx: MutationCtx, job: Applicant, at: number): Promise<Next> {
  return (await obstacle(ctx, job, at)) ?? queued(ctx, job, await Dispatcher.read(ctx));
}

/** The first rule that keeps a job from running, and its wait for it; null when there is none. */
export async function obstacle(ctx: MutationCtx, job: Applicant, at: number): Promise<Next | null> {
  const { runAt, unmet = 0 } = job;
  const early = admit({ runAt, unmet, gate: null }, at);
  const admission =
    early.kind === "pending"
      ? admit({ runAt, unmet, gate: await Gates.glance(ctx, job) }, at)
      : early;
  if (admission.kind === "pending") return null;
  return { to: "waiting", patch: waiting(ctx, { ...rule(admission), since: at }) };
}

/** Into the queue, at its place in the fair order of submitters. */
export async function queued(
  ctx: MutationCtx,
  job: Applicant,
  dispatcher: Dispatcher.Row | null,
): Promise<Next> {
  return { to: "pending", patch: pending(ctx, await rank(ctx, job, dispatcher)) };
}

function rule(admission: Exclude<Admission, { kind: "pending" }>) {
  switch (admission.reason) {
    case "schedule":
      return { reason: admission.reason, until: admission.until };
    case "dependency":
      return { reason: admission.reason };
    case "concurrency":
    case "paused":
    case "credential":
    case "budget":
      return { reason: admission.reason, gate: admission.gate };
  }
}

/**
 * Place in the fair order of submitters. An idle queue has no order; else the places are looked up in
 * a stale query, on which nothing depends: a place is a matter of fairness, not of correctness. A job
 * that ran before had its turn already and goes first.
 */
async function rank(
  ctx: MutationCtx,
  job: Applicant,
  dispatcher: Dispatcher.Row | null,
): Promise<number> {
  if (job.attempt > 0 || Dispatcher.isIdle(dispatcher)) return 0;
  const { submittedBy, priority, lane } = job;
  return ctx.runQuery(
    internal.dispatch.fairRank,
    { submittedBy, priority, lane },
    { useStaleSnapshot: true },
  );
}

/** The rank of a job that enters now: two index look-ups of one row each. */
export async function fairRank(
  ctx: QueryCtx,
  { submittedBy, priority, lane }: { submittedBy: string; priority: number; lane: string },
): Promise<number> {
  const head = await ctx.db
    .query("jobs")
    .withIndex("by_ready", (q) =>
      q.eq("state.kind", "pending").eq("lane", lane).eq("priority", priority),
    )
    .first();
  if (head === null) return 0;
  const lastOwn = await ctx.db
    .query("jobs")
    .withIndex("by_submitter", (q) =>
      q.eq("submittedBy", submittedBy).eq("state.kind", "pending").eq("priority", priority),
    )
    .order("desc")
    .first();
  return rankOf(head.rank, lastOwn?.rank);
}

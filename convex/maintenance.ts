import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, type MutationCtx } from "./_generated/server.js";
import * as Clock from "./lib/clock.js";
import * as ApiKeys from "./model/apiKeys.js";
import * as Assertions from "./model/assertions.js";
import * as Challenges from "./model/challenges.js";
import * as Deadlines from "./model/deadlines.js";
import * as Dispatcher from "./model/dispatcher.js";
import * as Enrolments from "./model/enrolments.js";
import * as Jobs from "./model/jobs.js";
import * as Leases from "./model/leases.js";
import * as RateLimits from "./model/rateLimits.js";
import * as Sessions from "./model/sessions.js";
import * as Timer from "./model/timer.js";
import { RECLAIM_BATCH } from "./protocol/limits.js";

/** What has run out by then. */
export const overdue = internalQuery({
  args: { now: v.number() },
  returns: v.object({ leases: v.array(v.id("leases")), jobs: v.array(v.id("jobs")) }),
  handler: async (ctx, { now }) => {
    const leases = await Leases.expired(ctx, now, RECLAIM_BATCH);
    const jobs = await Jobs.overdue(ctx, now, RECLAIM_BATCH);
    return { leases: leases.map((l) => l._id), jobs: jobs.map((j) => j._id) };
  },
});

/** The timer chain fires; a run that was replaced by a later arming does nothing. */
export const wake = internalMutation({
  args: { generation: v.number() },
  returns: v.null(),
  handler: async (ctx, { generation }) => {
    if (await Timer.isCurrent(ctx, generation)) await sweep(ctx);
    return null;
  },
});

/**
 * Takes back what has run out: leases, assignments not started, attempts out of time, cancels not
 * heeded, backoffs that are over. The same as the timer chain does, for the cron, which is its net,
 * and for operators. Hands out how many leases and jobs it acted on.
 */
export const reclaimExpired = internalMutation({
  args: {},
  returns: v.object({ leases: v.number(), jobs: v.number() }),
  handler: async (ctx) => {
    await Dispatcher.revive(ctx);
    return sweep(ctx);
  },
});

/** Deletes rows of identities that are of no more use, a bounded number of each kind. */
export const prune = internalMutation({
  args: {},
  returns: v.record(v.string(), v.number()),
  handler: async (ctx) => ({
    challenges: await Challenges.prune(ctx),
    apiKeys: await ApiKeys.prune(ctx),
    rateLimits: await RateLimits.prune(ctx),
    sessions: await Sessions.prune(ctx),
    enrolments: await Enrolments.prune(ctx),
    assertions: await Assertions.prune(ctx),
  }),
});

async function sweep(ctx: MutationCtx): Promise<{ leases: number; jobs: number }> {
  const now = Clock.now();
  const found: { leases: Id<"leases">[]; jobs: Id<"jobs">[] } = await ctx.runQuery(
    internal.maintenance.overdue,
    { now },
    { useStaleSnapshot: true },
  );
  const acted = { leases: 0, jobs: 0 };
  for (const leaseId of found.leases) {
    if (await Deadlines.reclaimLease(ctx, leaseId, now)) acted.leases += 1;
  }
  for (const jobId of found.jobs) if (await Deadlines.actOnJob(ctx, jobId, now)) acted.jobs += 1;
  // Real reads: whoever sets an earlier deadline meanwhile makes this run again.
  const next = Math.min(await Leases.nextExpiry(ctx), await Jobs.nextDeadline(ctx));
  await Timer.set(ctx, next === Infinity ? null : Math.max(next, now));
  return acted;
}

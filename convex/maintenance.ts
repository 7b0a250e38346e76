import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import type { Id } from "./_generated/dataModel.js";
import { internalMutation, internalQuery, type MutationCtx } from "./_generated/server.js";
import * as Clock from "./lib/clock.js";
import * as Deadlines from "./model/deadlines.js";
import * as Dispatcher from "./model/dispatcher.js";
import * as Jobs from "./model/jobs.js";
import * as Leases from "./model/leases.js";
import * as Schedules from "./model/schedules.js";
import * as Spending from "./model/spending.js";
import * as Timer from "./model/timer.js";
import * as UsageLimits from "./model/usageLimits.js";
import { RECLAIM_BATCH, SCHEDULES_PER_SWEEP } from "./protocol/limits.js";

/** What has run out by then, or is due. */
export const overdue = internalQuery({
  args: { now: v.number() },
  returns: v.object({
    leases: v.array(v.id("leases")),
    jobs: v.array(v.id("jobs")),
    schedules: v.array(v.id("schedules")),
  }),
  handler: async (ctx, { now }) => {
    const leases = await Leases.expired(ctx, now, RECLAIM_BATCH);
    const jobs = await Jobs.overdue(ctx, now, RECLAIM_BATCH);
    const schedules = await Schedules.due(ctx, now, SCHEDULES_PER_SWEEP);
    return {
      leases: leases.map((l) => l._id),
      jobs: jobs.map((j) => j._id),
      schedules: schedules.map((s) => s._id),
    };
  },
});

/** One lease of a sweep: its executor is lost, its attempts are taken back. */
export const reclaimLease = internalMutation({
  args: { leaseId: v.id("leases"), now: v.number() },
  returns: v.boolean(),
  handler: async (ctx, { leaseId, now }) => Deadlines.reclaimLease(ctx, leaseId, now),
});

/** One attempt of an executor that is lost. */
export const expireAttempt = internalMutation({
  args: { jobId: v.id("jobs"), executorId: v.id("executors") },
  returns: v.null(),
  handler: async (ctx, { jobId, executorId }) => {
    await Deadlines.expireAttempt(ctx, jobId, executorId);
    return null;
  },
});

/** One job of a sweep, whose deadline has passed. */
export const actOnJob = internalMutation({
  args: { jobId: v.id("jobs"), now: v.number() },
  returns: v.boolean(),
  handler: async (ctx, { jobId, now }) => Deadlines.actOnJob(ctx, jobId, now),
});

/** One schedule of a sweep that is due. */
export const fireSchedule = internalMutation({
  args: { scheduleId: v.id("schedules"), now: v.number() },
  returns: v.boolean(),
  handler: async (ctx, { scheduleId, now }) => Schedules.fire(ctx, scheduleId, now),
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
 * heeded, backoffs and waits that are over; fires schedules that are due. The same as the timer chain does, for the cron, which is its net,
 * and for operators. Hands out how many leases and jobs it acted on.
 */
export const reclaimExpired = internalMutation({
  args: {},
  returns: v.object({ leases: v.number(), jobs: v.number() }),
  handler: async (ctx) => {
    await Dispatcher.revive(ctx);
    await UsageLimits.revive(ctx);
    await Spending.revive(ctx);
    return sweep(ctx);
  },
});

async function sweep(ctx: MutationCtx): Promise<{ leases: number; jobs: number }> {
  const now = Clock.now();
  const found: Found = await ctx.runQuery(
    internal.maintenance.overdue,
    { now },
    { useStaleSnapshot: true },
  );
  const acted = { leases: 0, jobs: 0 };
  for (const leaseId of found.leases) {
    const done = await Deadlines.isolated(ctx, `lease ${leaseId}`, () =>
      ctx.runMutation(internal.maintenance.reclaimLease, { leaseId, now }),
    );
    if (!done.ok) await Deadlines.quarantineLease(ctx, leaseId, now);
    else if (done.value) acted.leases += 1;
  }
  for (const jobId of found.jobs) {
    const done = await Deadlines.isolated(ctx, `job ${jobId}`, () =>
      ctx.runMutation(internal.maintenance.actOnJob, { jobId, now }),
    );
    if (!done.ok) await Deadlines.quarantineJob(ctx, jobId, now);
    else if (done.value) acted.jobs += 1;
  }
  for (const scheduleId of found.schedules) {
    const done = await Deadlines.isolated(ctx, `schedule ${scheduleId}`, () =>
      ctx.runMutation(internal.maintenance.fireSchedule, { scheduleId, now }),
    );
    if (!done.ok) await Schedules.skip(ctx, scheduleId, { now, error: done.message });
  }
  // Real reads: whoever sets an earlier deadline meanwhile makes this run again.
  const next = Math.min(
    await Leases.nextExpiry(ctx),
    await Jobs.nextDeadline(ctx),
    await Schedules.nextDue(ctx),
  );
  await Timer.set(ctx, next === Infinity ? null : Math.max(next, now));
  return acted;
}

type Found = { leases: Id<"leases">[]; jobs: Id<"jobs">[]; schedules: Id<"schedules">[] };

import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation, internalQuery } from "./_generated/server.js";
import { choose, rest } from "./domain/dispatch.js";
import * as Dispatcher from "./model/dispatcher.js";
import * as Jobs from "./model/jobs.js";
import * as Slots from "./model/slots.js";
import { DISPATCH_BATCH } from "./protocol/limits.js";

/** The heads of the queue and of the free slots: what the next pass may pair. */
export const candidates = internalQuery({
  args: {},
  returns: v.object({ jobs: v.array(v.id("jobs")), slots: v.array(v.id("slots")) }),
  handler: async (ctx) => {
    const slots = await Slots.first(ctx, DISPATCH_BATCH);
    const jobs = slots.length === 0 ? [] : await Jobs.ready(ctx, slots.length);
    return { jobs: jobs.map((job) => job._id), slots: slots.map((slot) => slot._id) };
  },
});

/**
 * One pass of the single assigner. It scans in a stale query, which depends on nothing, and acts on
 * point reads; only before it goes to sleep does it look with reads that conflict with whoever brings
 * a job or a slot, so that no wake-up is lost.
 */
export const pass = internalMutation({
  args: { generation: v.number() },
  returns: v.null(),
  handler: async (ctx, { generation }) => {
    if (!(await Dispatcher.isCurrent(ctx, generation))) return null;
    const found = await ctx.runQuery(internal.dispatch.candidates, {}, { useStaleSnapshot: true });
    const waiting = await Jobs.stillPending(ctx, found.jobs);
    for (const { job, slot: slotId } of choose(waiting, found.slots)) {
      const slot = await Slots.take(ctx, slotId);
      if (slot === null) continue;
      const { executorId, ordinal } = slot;
      const event = { kind: "assign", executorId, ordinal } as const;
      await Jobs.apply(ctx, job, { event, actor: "dispatcher" });
    }
    const hasSlots = (await Slots.first(ctx, 1)).length > 0;
    const hasJobs = hasSlots && (await Jobs.ready(ctx, 1)).length > 0;
    await Dispatcher.settle(ctx, rest(hasJobs, hasSlots));
    return null;
  },
});

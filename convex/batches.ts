import { v } from "convex/values";
import { internalMutation } from "./_generated/server.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Batches from "./model/batches.js";
import * as Bulk from "./model/bulk.js";
import * as Jobs from "./model/jobs.js";
import * as RateLimits from "./model/rateLimits.js";
import { BATCH_SIZE_MAX } from "./protocol/limits.js";
import { batchSummary, batchView, submissionItem } from "./protocol/queue.js";
import { jobView } from "./protocol/view.js";

const one = { batchId: v.string() };

/** Submits one prompt as several jobs: over repositories, refs, models, labels. */
export const submit = userMutation("operator")({
  args: { name: v.string(), prompt: v.string(), items: v.array(submissionItem) },
  returns: v.id("batches"),
  handler: async (ctx, args) => {
    const actor = `user:${ctx.user.username}`;
    const count = Math.min(BATCH_SIZE_MAX, Math.max(1, args.items.length));
    await RateLimits.demand(ctx, "jobsOfAccount", { key: ctx.user._id, count });
    const batchId = await Batches.create(ctx, args, actor);
    await Audit.write(ctx, { action: "batch.submitted", actor, target: batchId });
    return batchId;
  },
});

/** The newest batches. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(batchView),
  handler: async (ctx) => (await Batches.list(ctx)).map(Batches.view),
});

/** A batch and its jobs, counted by state. */
export const get = userQuery("viewer")({
  args: one,
  returns: batchSummary,
  handler: async (ctx, { batchId }) => Batches.summary(ctx, await Batches.get(ctx, batchId)),
});

/** The jobs of a batch, in the order of its items. */
export const jobs = userQuery("viewer")({
  args: one,
  returns: v.array(jobView),
  handler: async (ctx, { batchId }) => {
    const batch = await Batches.get(ctx, batchId);
    return (await Batches.jobs(ctx, batch)).map(Jobs.view);
  },
});

/** Submits no further jobs of a batch and cancels those that were. */
export const cancel = userMutation("operator")({
  args: one,
  returns: v.id("bulkOperations"),
  handler: async (ctx, { batchId }) => {
    const batch = await Batches.get(ctx, batchId);
    await Batches.markCanceled(ctx, batch);
    const actor = `user:${ctx.user.username}`;
    return Bulk.start(ctx, { action: "cancel", filter: { batchId: batch._id }, actor });
  },
});

/** Retries the failed jobs of a batch. */
export const retry = userMutation("operator")({
  args: one,
  returns: v.id("bulkOperations"),
  handler: async (ctx, { batchId }) => {
    const batch = await Batches.get(ctx, batchId);
    const actor = `user:${ctx.user.username}`;
    const filter = { batchId: batch._id, state: "failed" };
    return Bulk.start(ctx, { action: "retry", filter, actor });
  },
});

/** Submits the next jobs of a batch. */
export const step = internalMutation({
  args: { batchId: v.id("batches"), from: v.number() },
  returns: v.null(),
  handler: async (ctx, { batchId, from }) => {
    await Batches.step(ctx, batchId, from);
    return null;
  },
});

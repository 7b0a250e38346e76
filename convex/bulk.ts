import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalMutation } from "./_generated/server.js";
import { userMutation, userQuery } from "./lib/functions.js";
import * as Audit from "./model/audit.js";
import * as Bulk from "./model/bulk.js";
import * as RateLimits from "./model/rateLimits.js";
import { bulkAction, bulkFilter, bulkView } from "./protocol/queue.js";

const one = { operationId: v.string() };

/** Does one action to all jobs that meet the filter, in the background. */
export const start = userMutation("operator")({
  args: { action: bulkAction, filter: bulkFilter },
  returns: v.id("bulkOperations"),
  handler: async (ctx, args) => {
    await RateLimits.demand(ctx, "operationsOfAccount", { key: ctx.user._id });
    return Bulk.start(ctx, { ...args, actor: `user:${ctx.user.username}` });
  },
});

/** How far an operation is. */
export const get = userQuery("viewer")({
  args: one,
  returns: bulkView,
  handler: async (ctx, { operationId }) => Bulk.view(await Bulk.get(ctx, operationId)),
});

/** The newest operations. */
export const list = userQuery("viewer")({
  args: {},
  returns: v.array(bulkView),
  handler: async (ctx) => (await Bulk.list(ctx)).map(Bulk.view),
});

/** What an operation did to each job, a page at a time: `{jobId, ok, detail}`. */
export const outcomes = userQuery("viewer")({
  args: { ...one, paginationOpts: paginationOptsValidator },
  handler: async (ctx, { operationId, paginationOpts }) =>
    Bulk.outcomes(ctx, await Bulk.get(ctx, operationId), paginationOpts),
});

/** Ends an operation; what it did stays done. */
export const cancel = userMutation("operator")({
  args: one,
  returns: v.null(),
  handler: async (ctx, { operationId }) => {
    const operation = await Bulk.get(ctx, operationId);
    await Bulk.cancel(ctx, operation);
    const line = { actor: ctx.actor, target: operation._id };
    await Audit.write(ctx, { action: "bulk.ended", ...line });
    return null;
  },
});

/** One page of an operation; the next one follows by itself. */
export const page = internalMutation({
  args: { operationId: v.id("bulkOperations"), page: v.number() },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Bulk.page(ctx, args.operationId, args.page);
    return null;
  },
});

/** One job of a page; hands out its state afterwards. */
export const act = internalMutation({
  args: { jobId: v.id("jobs"), action: bulkAction, actor: v.string() },
  returns: v.string(),
  handler: async (ctx, { jobId, ...how }) => Bulk.act(ctx, jobId, how),
});

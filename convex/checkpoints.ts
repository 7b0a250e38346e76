import { v } from "convex/values";
import { internal } from "./_generated/api.js";
import { internalMutation } from "./_generated/server.js";
import { executorMutation, userQuery } from "./lib/functions.js";
import * as Attempts from "./model/attempts.js";
import type { JobEvent } from "./model/change.js";
import * as Checkpoints from "./model/checkpoints.js";
import * as Executors from "./model/executors.js";
import * as Jobs from "./model/jobs.js";
import * as Steering from "./model/steering.js";
import { checkpoint, checkpointView, resumption } from "./protocol/checkpoint.js";
import { MESSAGE_CHARS_MAX } from "./protocol/limits.js";

const claim = { jobId: v.id("jobs"), token: v.number() };

/** How far a job has come that is not over: its latest checkpoint, or null. */
export const get = userQuery("viewer")({
  args: { jobId: v.string() },
  returns: v.union(v.null(), checkpointView),
  handler: async (ctx, { jobId }) => {
    const job = await Jobs.getByText(ctx, jobId);
    return Checkpoints.view(ctx, job._id);
  },
});

/**
 * Keeps a checkpoint whose files were uploaded before (`files:uploadUrls`). A repeat changes nothing.
 * INVALID_ARGUMENT: a file is not what it is said to be, or a bound is passed.
 */
export const attach = executorMutation({
  args: { ...claim, checkpoint },
  returns: v.null(),
  handler: async (ctx, { jobId, token, checkpoint: given }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token });
    await Checkpoints.attach(ctx, job, given);
    return null;
  },
});

/** What became of the checkpoint that `executors:start` offered. Told once; a repeat changes nothing. */
export const restored = executorMutation({
  args: { ...claim, resumption },
  returns: v.null(),
  handler: async (ctx, { jobId, token, resumption: told }) => {
    const job = await Attempts.requireToken(ctx, ctx.executor, { jobId, token });
    // Told before, by a call whose answer was lost.
    if (Attempts.liveOf(job).resumption !== undefined) return null;
    const actor = Executors.actorOf(ctx.executor);
    const place = `attempt ${told.from}, after ${told.turns} turns`;
    const why = told.why?.slice(0, MESSAGE_CHARS_MAX);
    const noted = { ...told, ...(why === undefined ? {} : { why }) };
    const event: JobEvent = told.resumed
      ? { kind: "resume", message: `goes on from ${place}`, resumption: noted }
      : { kind: "startOver", message: `could not go on from ${place}: ${why}`, resumption: noted };
    await Jobs.apply(ctx, job, { event, actor });
    if (!told.resumed) await Steering.rewind(ctx, job, -Infinity);
    return null;
  },
});

/** Forgets the checkpoint of a job that ended long ago, unless a follow-up took it over. */
export const expire = internalMutation({
  args: { checkpointId: v.id("checkpoints"), jobId: v.id("jobs") },
  returns: v.null(),
  handler: async (ctx, args) => {
    await Checkpoints.expire(ctx, args);
    return null;
  },
});

/** Deletes the files of a checkpoint that was dropped, a bounded step at a time. */
export const clear = internalMutation({
  args: { checkpointId: v.id("checkpoints") },
  returns: v.null(),
  handler: async (ctx, args) => {
    if (await Checkpoints.clear(ctx, args.checkpointId)) {
      await ctx.scheduler.runAfter(0, internal.checkpoints.clear, args);
    }
    return null;
  },
});
